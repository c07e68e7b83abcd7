"""What several journeys begin with."""

from collections.abc import AsyncIterator
from functools import partial
from unittest import mock

import pytest

from mutualaid import wiring
from mutualaid.kit.cache import open_cache
from mutualaid.kit.settings import Settings
from mutualaid.wiring import open_services
from tests import patience, servers
from tests.harness import open_house
from tests.journeys.two import Two, connected, until
from tests.moments import Clock


@pytest.fixture
async def two(settings: Settings, clock: Clock) -> AsyncIterator[Two]:
    waits = partial(open_cache, patience_s=patience.LONG_S)  # a busy Valkey is not lost, one that is killed still is
    with servers.valkey() as valkey, mock.patch.object(wiring, "open_cache", waits):
        strict = settings.model_copy(update={"redis_url": valkey.url, "limits": "strict"})
        async with (
            open_services(strict) as one,
            open_services(strict) as other,
            open_house(one, clock) as here,
            open_house(other, clock) as there,
        ):
            both = Two(here, there, valkey)
            await until(lambda: connected(both))
            yield both
