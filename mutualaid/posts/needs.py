"""What must stand before a post can: the consents it calls for; and whether its words call for a second look."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.scrubbing import Scrubbed, scrub
from mutualaid.members import store as members
from mutualaid.members.consent_texts import Purpose
from mutualaid.members.errors import Suspended
from mutualaid.members.needs import require_consents
from mutualaid.members.records import Status
from mutualaid.posts.drafts import PostAmendment, PostDraft
from mutualaid.posts.rules import default_contact
from mutualaid.services import Services


def consents_for(draft: PostDraft, catalogue: Catalogue) -> list[Purpose]:
    """The purposes that this post needs, each consented to separately."""
    found: list[Purpose] = ["publish_nearby"]
    if any((item := catalogue.get(line.item)) and item.is_medicine for line in draft.lines):
        found.append("health_need")
    if (draft.contact or default_contact(draft.kind)) != "words":
        found.append("phone_masking")
    if draft.place is not None:
        found.append("precise_location")
    return found


def consents_for_change(change: PostAmendment) -> list[Purpose]:
    """The purposes that a change of one's own post calls for anew: numbers may be asked for from now on."""
    return ["phone_masking"] if change.contact not in (None, "words") else []


async def still_may(session: AsyncSession, author_id: str, purposes: Iterable[Purpose]) -> None:
    """What the door saw, asked again under the author's lock: suspending, erasing and taking back a consent wait for it
    too, so none of them overlooks a post that is being published or changed."""
    author = await members.get_locked(session, author_id)
    await require_consents(session, author_id, purposes)
    if author.status != Status.ACTIVE.value:
        raise Suspended


async def doubtful(services: Services, text: str, cleaned: Scrubbed | None = None) -> bool:
    """Whether the text check would not let this pass by itself; `cleaned`: the text scrubbed, where it was already. Asked
    outside any transaction."""
    if not text:
        return False
    return (cleaned or scrub(text)).doubtful or (await services.content.judge(text)).suggestion != "pass"
