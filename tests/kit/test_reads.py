"""Tables without a session: one moment on SQLite, nothing left open, a session only for who asks."""

import sqlite3

import pytest
from sqlalchemy import Integer, bindparam, select, text

from mutualaid.kit.database import Database
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import tables_of

TWICE = Prepared(lambda _dialect, prefix: select(bindparam(f"{prefix}n", type_=Integer(), required=True) * 2))


async def test_a_prepared_statement_is_answered_with_and_without_a_session(database: Database) -> None:
    async with database.tables() as tables, database.reading() as session:
        for each in (tables, await tables_of(session)):
            assert [tuple(row) for row in await each.fetch(TWICE, n=21)] == [(42,)]


async def test_a_session_is_opened_for_who_asks_and_is_the_same_until_the_end(database: Database) -> None:
    async with database.tables() as tables:
        session = await tables.session()

        assert await session.scalar(text("SELECT 1")) == 1
        assert await tables.session() is session
    assert not session.in_transaction()


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_who_fails_leaves_no_transaction_and_the_connection_to_the_next(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(LookupError):
            async with database.tables() as tables:
                tables.rows("SELECT 1", ())
                raise LookupError
    (kept,) = database._reads._kept

    assert not kept.in_transaction


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_transaction_that_the_database_ended_itself_does_not_hide_what_happened(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.tables() as tables:
            tables.rows("ROLLBACK", ())  # as an error of the disk does
            raise LookupError


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_connection_that_is_broken_is_not_lent_again(database: Database) -> None:
    async with database.tables():
        pass
    (kept,) = database._reads._kept
    await kept.close()

    with pytest.raises((sqlite3.Error, ValueError)):
        async with database.tables():
            pass
    assert database._reads._kept == []
