"""Real SIP: phones that leak everywhere call each other by X, and neither hears anything of the other."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mutualaid.kit.phones import Phone as Number
from tests.telephony import programs
from tests.telephony.conftest import ALICE, BOB, CARRIER_IN, CARRIER_OUT, Exchange
from tests.telephony.leaks import leaks
from tests.telephony.phones import Owner, Phone
from tests.telephony.registering import register
from tests.telephony.sound import Sound
from tests.telephony.talking import call, nothing_leaked, record_of, refused, set_end, talk


async def test_a_reaches_b_by_x_holds_the_line_and_hangs_up(exchange: Exchange) -> None:
    pair = await exchange.pair()
    held = [*pair.a.holds(), *pair.a.hangs_up()]

    await call(pair.a, pair.b, pair.x, held, pair.b.is_hung_up())

    nothing_leaked(pair)
    record = await record_of(exchange, pair.lease)
    assert (record.outcome, record.by) == ("answered", "a")
    assert "a=recvonly" in pair.a.heard()[-2]


async def test_b_hangs_up(exchange: Exchange) -> None:
    pair = await exchange.pair()

    await call(pair.a, pair.b, pair.x, pair.a.is_hung_up(), pair.b.puts_down())

    nothing_leaked(pair)


async def test_b_calls_back_by_the_same_x(exchange: Exchange) -> None:
    pair = await exchange.pair()

    await call(pair.b, pair.a, pair.x, pair.b.hangs_up(), pair.a.is_hung_up())

    nothing_leaked(pair)
    assert (await record_of(exchange, pair.lease)).by == "b"


@pytest.mark.parametrize(
    ("status", "told", "outcome"),
    [(486, 486, "busy"), (603, 603, "busy"), (302, 480, "no_answer"), (404, 480, "no_answer"), (500, 503, "no_answer")],
)
async def test_a_phone_that_refuses_tells_nothing_by_it(
    exchange: Exchange, status: int, told: int, outcome: str
) -> None:
    pair = await exchange.pair()
    a, b = pair.a, pair.b

    async with b.doing(b.refuses(status)), a.doing(a.calls(pair.x, a.is_refused(told))):
        await a.done()
        await b.done()

    nothing_leaked(pair)
    assert (await record_of(exchange, pair.lease)).outcome == outcome


async def test_a_gives_up_while_it_rings(exchange: Exchange) -> None:
    pair = await exchange.pair()
    a, b = pair.a, pair.b

    async with b.doing(b.is_cancelled()), a.doing(a.calls(pair.x, a.gives_up(pair.x))):
        await a.done()
        await b.done()

    nothing_leaked(pair)
    assert (await record_of(exchange, pair.lease)).outcome == "no_answer"


async def test_sound_goes_by_the_relay_only_and_reports_stay_there(exchange: Exchange) -> None:
    pair = await exchange.pair()

    async with Sound(pair.a) as of_a, Sound(pair.b) as of_b, talk(pair):
        of_a.speak(5)
        await asyncio.sleep(0.1)  # the relay learns from where each speaks
        for _ in range(10):
            of_a.speak(10)
            of_b.speak(10)
            await asyncio.sleep(0.02)
        await exchange.town.release(pair.lease)
        await exchange.town.work()

    for one, other in ((of_a, pair.b), (of_b, pair.a)):
        assert len(one.heard) >= 90
        assert {host for _, (host, _) in (*one.heard, *one.reports)} == {programs.RELAY}
        named = (other.owner.number.encode(), other.owner.host.encode())
        assert not any(name in raw for raw, _ in (*one.heard, *one.reports) for name in named)


# ---- who may call --------------------------------------------------------------------------------------------------


async def test_a_stranger_is_refused_and_learns_nothing_of_the_lease(exchange: Exchange) -> None:
    pair, another = await exchange.pair(), await exchange.pair()

    await refused(pair, 403, caller=another.a)
    await set_end(exchange, pair.lease, timedelta(hours=-1))
    await refused(pair, 403, caller=another.a)


async def test_an_ended_lease_and_an_unknown_number_do_not_connect(exchange: Exchange) -> None:
    pair = await exchange.pair()

    await refused(pair, 404, x="+8617000099999")
    await set_end(exchange, pair.lease, timedelta(seconds=-1))
    await refused(pair, 410)


async def test_whoever_says_to_be_another_is_not_believed(exchange: Exchange) -> None:
    """The From and the P-Asserted-Identity are those of A; the proof is a stranger's, or none."""
    pair, another = await exchange.pair(), await exchange.pair()
    spoofed = Phone(pair.a.owner, exchange.folder, exchange.telephony.listen, another.a.password)
    own_number = f"username={another.a.owner.number}"
    scenario = spoofed.calls(pair.x, spoofed.is_refused(403)).replace(f"username={pair.a.owner.number}", own_number)
    unproved = Phone(pair.a.owner, exchange.folder, exchange.telephony.listen)

    async with pair.b.doing(pair.b.answers()):
        async with spoofed.doing(scenario):
            await spoofed.done()
        async with unproved.doing(unproved.calls(pair.x, unproved.is_refused(407))):
            await unproved.done()
        assert pair.b.heard() == []


async def test_a_wrong_password_signs_nobody_in_and_a_right_one_only_its_own_number(exchange: Exchange) -> None:
    pair = await exchange.pair()
    a, listen = pair.a, exchange.telephony.listen

    assert await register(a.owner, listen, "guessed", port=a.port) == 401
    assert await register(a.owner, listen, a.password, port=a.port, as_number=pair.b.owner.number) == 403


async def test_the_trunk_is_believed_from_its_own_addresses(exchange: Exchange) -> None:
    """Both come by the carrier: who calls is in its P-Asserted-Identity, and whoever has no phone here is reached there."""
    town = exchange.town
    asker, owner = await town.member(), await town.member()
    lease = await town.call(asker, await town.post(owner))
    assert lease.x is not None
    _, _, port = exchange.telephony.settings.telephony_trunk.rpartition(":")
    listen = exchange.telephony.listen
    a = Phone(Owner(town.phones[asker.id].e164, "Alice", CARRIER_IN), exchange.folder, listen)
    b = Phone(Owner(town.phones[owner.id].e164, "Bobby", CARRIER_OUT), exchange.folder, listen, port=int(port))

    await call(a, b, lease.x, a.hangs_up(), b.is_hung_up())

    assert leaks(a.heard(), b) == leaks(b.heard(), a) == []
    assert b.heard_starts()[0] == f"INVITE sip:{b.owner.number}@{CARRIER_OUT}:{port} SIP/2.0"


# ---- the checker and the logs --------------------------------------------------------------------------------------


async def test_without_the_exchange_everything_leaks(exchange: Exchange) -> None:
    """The checker's own check: the same phones, one calling the other straight."""
    a, b = (Phone(Owner(f"+861380000{n}", name, host), exchange.folder, ("", 0)) for n, name, host in _STRAIGHT)
    a.exchange, b.exchange = (b.owner.host, b.port), (a.owner.host, a.port)

    await call(a, b, b.owner.number, a.hangs_up(), b.is_hung_up())

    by_b = {found.partition(":")[0] for found in leaks(b.heard(), a)}
    assert by_b >= {"number", "name", "address", "port", "sound port", "call id", "tag", "branch"}
    assert {found.partition(":")[0] for found in leaks(a.heard(), b)} >= {"number", "name", "address", "port", "tag"}
    assert len(leaks(b.heard(), a)) > 60


_STRAIGHT = (("9001", "Alice", ALICE), ("9002", "Bobby", BOB))


async def test_the_checker_sees_through_disguises() -> None:
    other = Phone(Owner("+8613812345678", "Carol", "127.0.0.99"), Path("."), ("", 0), port=5999, sound_port=4998)
    disguised = [
        "X: MTM4MTIzNDU2Nzg=",
        "X: 3133383132333435363738",
        "X: 87654321831",
        "X: %31%33812345678",
        "X: 7f000063",
    ]

    assert [leaks([line], other) != [] for line in disguised] == [True] * len(disguised)
    assert leaks(["X: 13800138000 z9hG4bKabc 127.0.0.9"], other) == []


async def test_nobodys_number_or_address_is_logged(exchange: Exchange) -> None:
    pair = await exchange.pair()
    await call(pair.a, pair.b, pair.x, pair.a.hangs_up(), pair.b.is_hung_up())
    await refused(pair, 404, x="+8617000099999")

    log = exchange.telephony.log.read_text(encoding="utf-8", errors="replace")
    for phone in (pair.a, pair.b):
        assert phone.owner.number.removeprefix("+") not in log and phone.owner.host not in log
    assert "17000" not in log
    spooled = [file.read_text() for file in (exchange.telephony.folder / "spool").glob("*")]
    assert not any("138" in text for text in spooled)
    assert Number(pair.a.owner.number) == exchange.town.phones[pair.asker.id]
