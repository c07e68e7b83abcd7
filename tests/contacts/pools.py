"""Other pools than the usual one."""

from collections.abc import Collection

from mutualaid.providers.numbers import Mode
from mutualaid.providers.numbers.fake import FakeNumbers
from tests.contacts.town import Town


def use_pool(town: Town, size: int, *, modes: Collection[Mode] = frozenset({"axb"}), cities: str = "") -> FakeNumbers:
    """From now on the town's maker has so many numbers, which keep their bindings."""
    services = town.services
    maker = FakeNumbers(
        services.database,
        services.ring,
        services.settings.outbox_dir,
        pool=size,
        modes=modes,
        hook_token=services.hook_token,
    )
    object.__setattr__(services, "numbers", maker)
    object.__setattr__(services, "settings", services.settings.model_copy(update={"numbers_cities": cities}))
    return maker
