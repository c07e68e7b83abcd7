"""What tests of posts share."""

import pytest

from tests.harness import House
from tests.posts.words import Settle, sort


@pytest.fixture(params=["unsorted", "sorted"])
def settle(request: pytest.FixtureRequest, house: House) -> Settle:
    """Words lie where they were written, or where they are found by."""

    async def settle() -> None:
        if request.param == "sorted":
            await sort(house)

    return settle
