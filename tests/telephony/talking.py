"""What the tests of calls say again and again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select, update

from mutualaid.contacts.records import Call, Lease
from mutualaid.kit import clock
from tests.telephony.conftest import Exchange, Pair
from tests.telephony.leaks import leaks
from tests.telephony.phones import Phone
from tests.telephony.waiting import until


async def call(caller: Phone, callee: Phone, x: str, doing: list[str], answered: list[str]) -> None:
    """One call from its first message to its last."""
    async with callee.doing(callee.answers(*answered)), caller.doing(caller.calls(x, caller.connected(*doing))):
        await caller.done()
        await callee.done()


@asynccontextmanager
async def talk(pair: Pair) -> AsyncIterator[None]:
    """A has called B, and both wait to be hung up; afterwards both have been, and nothing has leaked."""
    a, b = pair.a, pair.b
    async with b.doing(b.answers(*b.is_hung_up())), a.doing(a.calls(pair.x, a.connected(*a.is_hung_up()))):
        await b.hears("ACK")
        await a.hears("SIP/2.0 200")
        yield
        await a.done()
        await b.done()
    nothing_leaked(pair)


async def refused(pair: Pair, status: int, *, caller: Phone | None = None, x: str | None = None) -> None:
    """The caller hears that status; the other's phone hears nothing."""
    phone = caller or pair.a
    async with pair.b.doing(pair.b.answers(*pair.b.is_hung_up())):
        async with phone.doing(phone.calls(x or pair.x, phone.is_refused(status))):
            await phone.done()
        assert pair.b.heard() == []
    assert leaks(phone.heard(), pair.b) == []


def nothing_leaked(pair: Pair) -> None:
    assert pair.a.heard() and leaks(pair.a.heard(), pair.b) == []
    assert pair.b.heard() and leaks(pair.b.heard(), pair.a) == []


async def set_end(exchange: Exchange, lease: Lease, in_: timedelta) -> None:
    """The lease ends so long from now."""
    async with exchange.town.services.database.transaction() as session:
        await session.execute(update(Lease).where(Lease.id == lease.id).values(expires_at=clock.now() + in_))


async def record_of(exchange: Exchange, lease: Lease) -> Call:
    """The one call of this lease, once the service knows what became of it."""

    async def finished() -> Call | None:
        async with exchange.town.services.database.reading() as session:
            found = (await session.scalars(select(Call).where(Call.lease_id == lease.id))).all()
            return found[0] if len(found) == 1 and found[0].outcome else None

    return await until(finished)
