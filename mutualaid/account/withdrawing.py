"""A consent withdrawn, with what rested on it, in one transaction; another phone, which ends every lease."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.contacts import ending as contacts
from mutualaid.kit.phones import Phone
from mutualaid.kit.sealing import DataKey
from mutualaid.members import consents, own_phone
from mutualaid.members.consent_texts import Purpose
from mutualaid.posts import actions as posts
from mutualaid.posts import store as posts_store
from mutualaid.posts.records import Post


async def withdraw(
    session: AsyncSession, member_id: str, purpose: Purpose, *, catalogue: Catalogue, now: datetime
) -> None:
    """Take a consent back. Nothing happens where it was not given.

    `health_need` withdraws posts with medicine, `publish_nearby` all posts, `phone_masking` releases the numbers and
    sets the posts to words, `precise_location` destroys the points, `real_name_check` ends the flag; without `notices`
    only the inbox is left.
    """
    if not await consents.withdraw(session, member_id, purpose, now=now):
        return
    if purpose in ("health_need", "publish_nearby", "phone_masking"):
        for post in await posts_store.unfinished_of(session, member_id):
            if purpose == "phone_masking":
                await posts.set_contact(session, post, "words", actor=member_id, now=now)
            elif purpose == "publish_nearby" or _has_medicine(post, catalogue):
                await posts.withdraw_post(session, post, actor=member_id, now=now)
    if purpose == "phone_masking":
        await contacts.release_calls_of(session, member_id, actor=member_id, now=now)


def _has_medicine(post: Post, catalogue: Catalogue) -> bool:
    return any((item := catalogue.get(line.item)) is None or item.is_medicine for line in post.lines)


async def change_phone(session: AsyncSession, member_id: str, phone: Phone, *, key: DataKey, now: datetime) -> None:
    """Another phone: whoever reached the old one through a number no longer does. The same again ends nothing."""
    if await own_phone.change(session, member_id, phone, key=key, now=now):
        await contacts.release_for_members(session, [member_id], because="phone_changed", actor=member_id, now=now)
