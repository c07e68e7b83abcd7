"""Members who are signed in and may post, in both databases of a pair: what signing in, the real-name check and six
consents leave behind."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from benching.home import Pair
from benching.towns import Towns
from mutualaid.kit import cells
from mutualaid.kit.ids import new_id
from mutualaid.kit.keystore import KeyStore
from mutualaid.members import rules
from mutualaid.members.consent_texts import TEXTS
from mutualaid.members.records import Consent, Member, SessionRow
from mutualaid.members.sessions import hash_of
from mutualaid.regions import store as regions
from tests.bench import records, twin

_TRIES: Final = 3  # a home may fall into the sea


@dataclass(frozen=True, slots=True)
class Person:
    """A token, and a home (lat, lng)."""

    id: str
    token: str = field(repr=False)
    home: tuple[float, float] = field(repr=False)


async def settle(pair: Pair, towns: Towns, count: int) -> list[Person]:
    """So many of them, at homes spread like the posts."""
    now = datetime.now(UTC)
    async with pair.ours() as database:
        async with database.reading() as session:
            homes = await _homes(session, towns, count)
        people = [Person(new_id(), secrets.token_urlsafe(32), home) for home in homes]
        keys = await KeyStore.open(f"sqlite+aiosqlite:///{pair.data}/keys.db", database.keys)
        for who in people:
            await keys.create(who.id)
        await keys.close()
        async with database.transaction() as session:
            await session.execute(insert(Member), [_member(who, now) | {"language": "zh-Hans"} for who in people])
            await session.execute(insert(SessionRow), [_session(who, now) for who in people])
            await session.execute(insert(Consent), [row for who in people for row in _consents(who, now)])
    engine = twin.engine_of(pair.twin_url)
    async with engine.begin() as connection:
        await connection.execute(insert(records.Member), [_member(who, now) for who in people])
        ends_at = now + rules.SESSION_LASTS
        sessions = [{"token_hash": hash_of(w.token), "member_id": w.id, "ends_at": ends_at} for w in people]
        await connection.execute(insert(records.SessionRow), sessions)
    await engine.dispose()
    return people


async def _homes(session: AsyncSession, towns: Towns, count: int) -> list[tuple[float, float]]:
    random = towns.random("homes")
    found: list[tuple[float, float]] = []
    for _ in range(_TRIES):
        for _, cell in towns.draw(random, count - len(found)):
            point = cells.centre(cell)
            if await regions.locate(session, *point):
                found.append(point)
        if len(found) == count:
            break
    return found


def _member(who: Person, now: datetime) -> dict[str, object]:
    return {"id": who.id, "display_name": "王**", "real_name": "checked", "created_at": now}


def _session(who: Person, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "member_id": who.id,
        "token_hash": hash_of(who.token),
        "channel": "api",
        "signed_in_at": now,
        "last_seen_at": now,
        "ends_at": now + rules.SESSION_LASTS,
    }


def _consents(who: Person, now: datetime) -> list[dict[str, object]]:
    return [
        {
            "id": new_id(),
            "member_id": who.id,
            "purpose": purpose,
            "version": said.version,
            "text_hash": said.hash,
            "channel": "api",
            "given_at": now,
        }
        for purpose, said in TEXTS.items()
    ]
