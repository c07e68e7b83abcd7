"""A real instance, shared by the tests of one file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from instance import Instance

from tests.instances import an_instance


@pytest.fixture(scope="module")
def instance(
    template_data: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    with an_instance(template_data, tmp_path_factory.mktemp("instance")) as running:
        yield running
