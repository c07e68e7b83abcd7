"""Visitors of the pages, on both databases."""

import pytest

from tests.harness import House
from tests.pages.visitor import Visitor


@pytest.fixture
def visitor(house: House) -> Visitor:
    """Somebody who has just opened a browser."""
    return Visitor(house)
