"""The audit chain: one row a state change, chained by a sealer beside the writers; every kind of tampering is found."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import audit
from mutualaid.kit.audit import AuditRow, Verdict
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.kit.settings import Settings
from mutualaid.services import Services
from tests.moments import START, Clock

SUBJECT = "5" * 32
Tamper = Callable[[AsyncSession], Awaitable[object]]


@pytest.fixture
def heads(settings: Settings) -> Path:
    return settings.audit_heads


@pytest.fixture
def own_ring(services: Services) -> KeyRing:
    return services.ring


@pytest.fixture(autouse=True)
async def empty(database: Database, clock: Clock) -> None:
    """What seeding wrote was signed by another ring: the chain of each test begins anew."""
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM audit_rows"))


async def write(database: Database, count: int, *, start: int = 0) -> None:
    async with database.transaction() as session:
        for n in range(start, start + count):
            now = START + timedelta(seconds=n)
            audit.note(session, actor=None, deed="post.opened", subject=SUBJECT, now=now, facts={"n": n})


async def rows(database: Database) -> list[AuditRow]:
    async with database.reading() as session:
        return list(await session.scalars(select(AuditRow).order_by(AuditRow.number)))


def exported(heads: Path) -> list[tuple[int, str]]:
    assert heads.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in heads.read_text().splitlines() if line]
    return [(line["number"], line["link"]) for line in lines]


# ---- what is written --------------------------------------------------------------------------------------------


async def test_a_row_is_written_with_its_deed_and_gone_with_it(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    await write(database, 1)
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            audit.note(session, actor="a" * 32, deed="post.closed", subject=SUBJECT, now=START)
            await session.flush()
            raise RuntimeError

    (row,) = await rows(database)
    assert (row.actor, row.deed, row.subject, row.facts, row.number) == (None, "post.opened", SUBJECT, '{"n":0}', None)
    assert row.holds(own_ring)
    assert await audit.verify(database, own_ring, heads) == Verdict(True, 1)


async def test_the_zone_that_a_moment_was_said_in_does_not_matter(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    async with database.transaction() as session:
        now = START.astimezone(timezone(timedelta(hours=8)))
        audit.note(session, actor=None, deed="post.opened", subject=SUBJECT, now=now)

    assert await audit.verify(database, own_ring, heads) == Verdict(True, 1)


async def test_sealing_chains_what_is_committed_in_order_and_exports_the_head(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    await write(database, 3)
    async with database.transaction() as session:
        audit.note(session, actor=None, deed="early", subject=SUBJECT, now=START - timedelta(days=1))

    assert await audit.seal(database, own_ring, heads) == 4
    assert await audit.seal(database, own_ring, heads) == 0

    found = await rows(database)
    assert [row.number for row in found] == [1, 2, 3, 4]
    assert [row.deed for row in found] == ["early", "post.opened", "post.opened", "post.opened"]
    assert found[-1].link is not None
    assert exported(heads) == [(4, found[-1].link.hex())]


async def test_a_long_chain_is_sealed_in_batches_and_holds(
    database: Database, own_ring: KeyRing, heads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_BATCH", 7)
    await write(database, 21)

    assert await audit.seal(database, own_ring, heads) == 21
    assert await audit.verify(database, own_ring, heads) == Verdict(True, 21)


async def test_the_chain_goes_on_over_a_rotated_key(database: Database, own_ring: KeyRing, heads: Path) -> None:
    await write(database, 2)
    await audit.seal(database, own_ring, heads)
    own_ring.rotate("audit")
    await write(database, 2, start=2)

    assert await audit.verify(database, own_ring, heads) == Verdict(True, 4)
    assert [row.key_version for row in await rows(database)] == [1, 1, 2, 2]


async def test_sealers_and_writers_side_by_side_make_one_chain_without_gaps(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    """Several sealers, several processes' worth of connections, writers that hold their transactions open."""
    other = Database(database.url, own_ring)
    writing = True

    async def writer(start: int) -> None:
        for n in range(start, start + 8):
            async with database.transaction() as session:
                now = START + timedelta(seconds=n % 3)
                audit.note(session, actor=None, deed="post.opened", subject=SUBJECT, now=now, facts={"n": n})
                await session.flush()
                await asyncio.sleep(0)

    async def sealer(own: Database) -> None:
        while writing:
            await audit.seal(own, own_ring, heads)
            await asyncio.sleep(0)

    sealers = [asyncio.create_task(sealer(own)) for own in (database, other, other)]
    await asyncio.gather(*(writer(n * 100) for n in range(5)))
    writing = False
    await asyncio.gather(*sealers)

    assert await audit.verify(database, own_ring, heads) == Verdict(True, 40)
    await other.close()


# ---- tampering, each as somebody with SQL would do it ------------------------------------------------------------


def sql(*statements: str) -> Tamper:
    async def run(session: AsyncSession) -> None:
        for statement in statements:
            await session.execute(text(statement))

    return run


async def flip_a_bit(session: AsyncSession) -> None:
    row = (await session.scalars(select(AuditRow).where(AuditRow.number == 4))).one()
    row.mac = bytes([row.mac[0] ^ 1]) + row.mac[1:]


async def move_in_time(session: AsyncSession) -> None:
    row = (await session.scalars(select(AuditRow).where(AuditRow.number == 4))).one()
    row.at += timedelta(microseconds=1)


async def copy_a_row(session: AsyncSession) -> None:
    row = (await session.scalars(select(AuditRow).where(AuditRow.number == 4))).one()
    values = {c.key: getattr(row, c.key) for c in AuditRow.__mapper__.column_attrs}
    await session.execute(update(AuditRow).where(AuditRow.number == 6).values(number=None, link=None))
    await session.flush()
    session.add(AuditRow(**values | {"id": "c" * 32, "number": 6}))


TAMPERINGS: dict[str, tuple[Tamper, int, set[str]]] = {
    "a fact flipped": (sql("UPDATE audit_rows SET facts = '{}' WHERE number = 4"), 4, {"altered"}),
    "a deed renamed": (sql("UPDATE audit_rows SET deed = 'post.closed' WHERE number = 4"), 4, {"altered"}),
    "an actor put in": (sql(f"UPDATE audit_rows SET actor = '{'b' * 32}' WHERE number = 4"), 4, {"altered"}),
    "a subject swapped": (sql(f"UPDATE audit_rows SET subject = '{'6' * 32}' WHERE number = 4"), 4, {"altered"}),
    "a moment moved": (move_in_time, 4, {"altered"}),
    "a bit of the signature flipped": (flip_a_bit, 4, {"altered"}),
    "a key version that never was": (sql("UPDATE audit_rows SET key_version = 99 WHERE number = 4"), 4, {"altered"}),
    "a row deleted": (sql("DELETE FROM audit_rows WHERE number = 4"), 4, {"missing"}),
    "a row deleted and the gap closed": (
        sql(
            "DELETE FROM audit_rows WHERE number = 4",
            "UPDATE audit_rows SET number = -number WHERE number > 4",
            "UPDATE audit_rows SET number = -number - 1 WHERE number < 0",
        ),
        4,
        {"relinked"},
    ),
    "the first row deleted": (sql("DELETE FROM audit_rows WHERE number = 1"), 1, {"missing"}),
    "two rows in each other's place": (
        sql(
            "UPDATE audit_rows SET number = -1 WHERE number = 3",
            "UPDATE audit_rows SET number = 3 WHERE number = 4",
            "UPDATE audit_rows SET number = 4 WHERE number = -1",
        ),
        3,
        {"relinked"},
    ),
    "a row copied over another": (copy_a_row, 6, {"altered"}),
    "the end cut off": (sql("DELETE FROM audit_rows WHERE number > 5"), 8, {"truncated"}),
    "everything deleted": (sql("DELETE FROM audit_rows"), 8, {"truncated"}),
    "the end put out of the chain": (
        sql("UPDATE audit_rows SET number = 0 - number WHERE number > 6"),
        8,
        {"truncated"},
    ),
    "a link erased": (sql("UPDATE audit_rows SET link = NULL WHERE number = 4"), 4, {"relinked"}),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_tampering_is_found_and_its_place_named(
    database: Database, own_ring: KeyRing, heads: Path, kind: str
) -> None:
    # given: eight sealed rows, the head exported
    await write(database, 8)
    assert await audit.verify(database, own_ring, heads) == Verdict(True, 8)

    tamper, place, why = TAMPERINGS[kind]
    async with database.transaction() as session:
        await tamper(session)

    verdict = await audit.verify(database, own_ring, heads)
    assert not verdict.ok and verdict.broken_at == place and verdict.why in why


async def test_a_cut_chain_that_grew_again_is_found(database: Database, own_ring: KeyRing, heads: Path) -> None:
    """The new rows are honest ones, and the last of them has the very number whose head was exported before."""
    await write(database, 8)
    await audit.seal(database, own_ring, heads)
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM audit_rows WHERE number > 5"))

    await write(database, 3, start=20)

    verdict = await audit.verify(database, own_ring, heads)
    assert (verdict.ok, verdict.broken_at, verdict.why) == (False, 8, "rebuilt")


async def test_a_chain_rebuilt_by_somebody_who_has_the_keys_is_found(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    """Every signature and every link is right; only the heads outside the database know better."""
    await write(database, 8)
    await audit.seal(database, own_ring, heads)
    before = exported(heads)
    async with database.transaction() as session:
        for row in await session.scalars(select(AuditRow)):
            if row.number == 4:
                row.facts = '{"n":9}'
                row.mac = row.own_mac(own_ring)
            row.number, row.link = None, None
    await audit.seal(database, own_ring, heads.with_name("elsewhere"))
    assert exported(heads) == before

    verdict = await audit.verify(database, own_ring, heads)
    assert (verdict.ok, verdict.broken_at, verdict.why) == (False, 8, "rebuilt")


async def test_a_row_slipped_in_without_the_keys_is_found(database: Database, own_ring: KeyRing, heads: Path) -> None:
    await write(database, 3)
    await audit.seal(database, own_ring, heads)
    async with database.transaction() as session:
        session.add(
            AuditRow(
                id="d" * 32, at=START, actor=None, deed="member.promoted", subject=SUBJECT, facts="{}",
                key_version=7, mac=bytes(32),
            )
        )  # fmt: skip

    # then: the sealer goes on, and the row is named
    await write(database, 1, start=3)
    verdict = await audit.verify(database, own_ring, heads)
    assert (verdict.ok, verdict.broken_at, verdict.why, verdict.rows) == (False, 4, "altered", 5)


async def test_a_head_cut_short_by_a_full_disk_spoils_no_later_one(
    database: Database, own_ring: KeyRing, heads: Path
) -> None:
    await write(database, 2)
    await audit.seal(database, own_ring, heads)
    with heads.open("a") as file:
        file.write('{"number": 3, "li')
    await write(database, 2, start=2)

    assert await audit.verify(database, own_ring, heads) == Verdict(True, 4)

    async with database.transaction() as session:
        await session.execute(text("DELETE FROM audit_rows WHERE number = 4"))
    assert (await audit.verify(database, own_ring, heads)).why == "truncated"
