import pytest

from mutualaid.services import Services
from tests.contacts.town import Town


@pytest.fixture
def town(services: Services) -> Town:
    return Town(services)
