"""Two members and a post between them."""

from mutualaid.members.records import Principal
from tests.contacts.town import Town


async def a_pair(town: Town) -> tuple[Principal, Principal, str]:
    asker, owner = await town.member(), await town.member()
    return asker, owner, await town.post(owner)
