"""Moderators, and what the tests of this room ask them to do."""

from typing import Any

from sqlalchemy import select

from mutualaid.kit.audit import AuditRow
from mutualaid.kit.phones import Phone
from mutualaid.members import standing
from mutualaid.members.rules import Role
from tests.harness import House, Person


async def promoted(house: House, person: Person, role: Role = "moderator") -> Person:
    async with house.services.database.transaction() as session:
        await standing.promote(session, Phone(person.phone), role, actor=None, now=house.clock.now)
    return person


async def a_moderator(house: House, name: str = "赵管事") -> Person:
    """A verified member who moderates, signed in just now and so stepped up."""
    return await promoted(house, await house.member(name))


async def cases(moderator: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await moderator.get(f"/moderation/cases{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def told(person: Person) -> list[str]:
    """The kinds of notices in the inbox, newest first."""
    return [notice["kind"] for notice in (await person.get("/me/notices")).json()["items"]]


async def deeds_of(house: House, subject: str) -> list[str]:
    """What the audit says was done to this row, in alphabetical order."""
    async with house.services.database.reading() as session:
        return sorted(await session.scalars(select(AuditRow.deed).where(AuditRow.subject == subject)))


async def a_report(house: House, post_id: str, reason: str = "selling", note: str = "") -> Person:
    """A verified neighbour reports this post."""
    reporter = await house.member("孙报告")
    answer = await reporter.post(f"/posts/{post_id}/reports", {"reason": reason, "note": note})
    assert answer.status_code == 201, answer.text
    await house.work()
    return reporter
