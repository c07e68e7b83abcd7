"""A member as they see themselves."""

from mutualaid.kit.errors import NotSignedIn
from mutualaid.kit.keystore import KeyDestroyed, KeyMissing
from mutualaid.members import own_phone, store
from mutualaid.members.needs import counts
from mutualaid.members.wire import MeView
from mutualaid.services import Services


async def describe(services: Services, member_id: str) -> MeView:
    """The member's own view; 401 once their key is gone, for then they are too."""
    try:
        key = await services.keys.get(member_id)
    except (KeyMissing, KeyDestroyed):
        raise NotSignedIn from None
    async with services.database.reading() as session:
        member = await store.get(session, member_id)
        consents = [consent for consent in await store.live_consents(session, member_id) if counts(consent)]
    return MeView.of(member, consents, phone_masked=own_phone.masked(member, key=key))
