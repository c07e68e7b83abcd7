"""What must stand before two people can be brought together, asked by the API's doors and by the pages alike."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.matching import store
from mutualaid.members.needs import require_consents, require_phone
from mutualaid.members.policies import may_act
from mutualaid.members.records import Principal


async def may_meet(session: AsyncSession, caller: Principal, post_ids: Sequence[str]) -> None:
    """A phone, and the consent to have it masked unless one of the posts is for words only; and not suspended."""
    require_phone(caller)
    if not await store.in_words(session, post_ids):
        await require_consents(session, caller.id, ["phone_masking"])
    may_act(caller)
