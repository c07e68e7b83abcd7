"""Deeds of prepared statements: whole or not at all, told only when committed, and on SQLite many to a commit."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from sqlalchemy import bindparam, select

from mutualaid.kit import losses, opening, outbox
from mutualaid.kit.database import Database
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.ids import new_id
from mutualaid.kit.outbox import Job
from mutualaid.kit.plain import Plain, plain_of, told
from mutualaid.kit.prepared import Prepared, among, rows_of

AT: Final = datetime(2023, 1, 7, 12, tzinfo=UTC)
_DUE: Final = Prepared(
    lambda _, prefix: select(Job.due_at).where(Job.name == bindparam(f"{prefix}name", required=True))
)
_NAMED: Final = Prepared(
    lambda dialect, prefix: (
        select(Job.name, Job.payload, Job.due_at)
        .where(among(Job.__table__.c.name, "names", dialect, prefix))
        .order_by(Job.name)
    )
)


def writing(name: str, *, then: Exception | None = None) -> Callable[[Plain], Awaitable[str]]:
    async def deed(plain: Plain) -> str:
        await plain.put(outbox.put(plain, [outbox.job(name, {"post": name}, at=AT)]))
        if then is not None:
            raise then
        return name

    return deed


async def names(database: Database) -> list[str]:
    async with database.reading() as session:
        return sorted(await session.scalars(select(Job.name)))


async def test_many_at_once_are_all_written_and_those_refused_leave_nothing(database: Database) -> None:
    deeds = [writing(f"n{n:02d}", then=ValueError(n) if n % 3 == 0 else None) for n in range(40)]

    found = await asyncio.gather(*(database.together(deed) for deed in deeds), return_exceptions=True)

    refused = [one.args for one in found if isinstance(one, ValueError)]
    assert refused == [(n,) for n in range(0, 40, 3)]
    assert [one for one in found if isinstance(one, str)] == await names(database)


async def test_what_is_put_is_written_whole_or_not_at_all(database: Database) -> None:
    one, other, third = (outbox.job(name, {"post": name}, at=AT) for name in ("one", "other", "third"))
    await database.put(rows_of(Job, [one]), rows_of(Job, [other]))

    with pytest.raises(losses.Refused):
        await database.put(rows_of(Job, [third]), rows_of(Job, [one]))  # which is there already

    assert await names(database) == ["one", "other"]


async def test_on_sqlite_those_who_come_at_once_share_a_commit(database: Database, dialect: str) -> None:
    if dialect != "sqlite":
        return
    await database.together(writing("first"))
    said = told_of(database)

    await asyncio.gather(*(database.together(writing(f"n{n}")) for n in range(40)))

    assert said.count("COMMIT") == 1
    assert len(await names(database)) == 41


def told_of(database: Database) -> list[str]:
    """Every statement that SQLite's kept writer runs from now on."""
    said: list[str] = []
    connection: Any = database._together._connection
    connection._conn.set_trace_callback(said.append)
    return said


async def test_bells_ring_after_the_commit_and_never_for_a_refusal(database: Database) -> None:
    rung: list[tuple[str, list[str]]] = []

    async def ring(bell: str) -> None:
        rung.append((bell, await names(database)))

    database.on_commit = ring
    with pytest.raises(ValueError, match="no"):
        await database.together(writing("refused", then=ValueError("no")))
    assert rung == []

    await database.together(writing("done"))
    assert rung == [(outbox.BELL, ["done"])]


async def test_a_deed_whose_asker_has_gone_spoils_no_other(database: Database) -> None:
    gone = asyncio.create_task(database.together(writing("gone")))
    stays = asyncio.create_task(database.together(writing("stays")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == "stays"
    assert "stays" in await names(database)
    assert await database.together(writing("later")) == "later"


async def test_a_database_that_others_hold_is_told_as_busy_and_serves_again(
    database: Database, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dialect != "sqlite":
        return
    monkeypatch.setattr(opening, "PRAGMAS", (*opening.PRAGMAS, "busy_timeout=50"))
    other = sqlite3.connect(database.url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    found = await asyncio.gather(*(database.together(writing(f"n{n}")) for n in range(3)), return_exceptions=True)
    other.execute("ROLLBACK")
    other.close()

    assert [type(one) for one in found] == [Overloaded] * 3
    assert await database.together(writing("later")) == "later"
    assert await names(database) == ["later"]


async def test_a_broken_rule_is_told_without_the_row(database: Database) -> None:
    row = outbox.job("twice", {"post": "secret"}, at=AT)

    async def twice(plain: Plain) -> None:
        await plain.put(rows_of(Job, [row, row]))

    with pytest.raises(losses.Refused) as refusal:
        await database.together(twice)

    assert row["id"] not in repr(refusal.value)
    assert refusal.value.__cause__ is None
    assert await names(database) == []


async def test_a_glance_sees_what_is_committed_and_nothing_else(database: Database) -> None:
    seen: list[int] = []

    async def deed(plain: Plain) -> None:
        await writing("mine")(plain)
        seen.append(len(await database.glance(_DUE, name="mine")))
        seen.append(len(await plain.fetch(_DUE, name="mine")))

    await database.together(deed)

    assert [*seen, len(await database.glance(_DUE, name="mine"))] == [0, 1, 1]


async def test_a_session_and_its_plain_form_are_one_transaction(database: Database) -> None:
    with pytest.raises(ValueError, match="undone"):
        async with database.transaction() as session:
            await writing("plain")(await plain_of(session))
            await outbox.enqueue(session, "session", {"post": new_id()}, at=AT)
            raise ValueError("undone")
    assert await names(database) == []

    async with database.transaction() as session:
        await outbox.enqueue(session, "session", {"post": new_id()}, at=AT)
        await writing("plain")(await plain_of(session))
    assert await names(database) == ["plain", "session"]


async def test_several_that_write_together_write_what_the_orm_would(database: Database) -> None:
    rows = [outbox.job(f"n{n}", {"post": f"{n}"}, at=AT, key=f"k{n}", lane=n % 2) for n in range(3)]

    async def deed(plain: Plain) -> None:
        await plain.put(rows_of(Job, rows[:1]), rows_of(Job, rows[1:]))

    await database.together(deed)

    async with database.reading() as session:
        kept = {job.id: job for job in await session.scalars(select(Job))}
    assert [{name: getattr(kept[row["id"]], name) for name in row} for row in rows] == rows


@pytest.mark.parametrize("count", [0, 1, 37, 64])
async def test_any_number_of_rows_is_written_and_found_by_any_number_of_names(database: Database, count: int) -> None:
    rows = [outbox.job(f"job {n}", {"post": f"{n}"}, at=AT) for n in range(count)]
    asked = [row["name"] for row in rows[::2]]

    async def deed(plain: Plain) -> list[list[Any]]:
        await outbox.put_all(plain, rows)
        return await told(plain, _NAMED, names=[*asked, "nobody's"])

    found = await database.together(deed)

    assert await names(database) == sorted(row["name"] for row in rows)
    assert found == [[name, {"post": name.removeprefix("job ")}, AT] for name in sorted(asked)]
