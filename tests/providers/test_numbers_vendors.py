"""The vendors' live makers, each against its simulator: the promise, lost answers, bad answers, its own refusals."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx2
import pytest
from structlog.testing import capture_logs

from mutualaid.kit.database import Database
from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers import (
    BadNumber,
    BindingGone,
    BindingRef,
    Close,
    Connect,
    ExpiryTooSoon,
    NotAuthorised,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
    ProviderDown,
    Throttled,
    pushes,
)
from mutualaid.providers.numbers.signing import Account
from mutualaid.providers.numbers.simulators.switchboard import Fault
from mutualaid.providers.numbers.wire import LONGEST, Wire, text
from tests.moments import Clock
from tests.providers.promise_numbers import DAY, NOW, A, B, C, CallsPromise, D, ExtensionsPromise, NumbersPromise
from tests.providers.vendors import ACCOUNT, VendorName, VendorStage, live, simulated, staged

BINDING: Final[tuple[VendorName, ...]] = ("aliyun", "tencent", "huawei")


@pytest.fixture(params=BINDING)
def stage(request: pytest.FixtureRequest, ledger_database: Database, clock: Clock) -> VendorStage:
    """Each vendor that binds pairs."""
    return staged(request.param, ledger_database, clock)


class TestVendors(CallsPromise):
    @pytest.fixture(params=BINDING)
    def stage(self, request: pytest.FixtureRequest, ledger_database: Database, clock: Clock) -> VendorStage:
        return staged(request.param, ledger_database, clock)


class TestHuaweiByExtension(ExtensionsPromise):
    @pytest.fixture
    def stage(self, ledger_database: Database, clock: Clock) -> VendorStage:
        return staged("huawei_axe", ledger_database, clock)

    async def test_a_whole_binding_life(self, stage: VendorStage) -> None:
        asked = stage.by_extension()
        await stage.maker.bind(asked)
        with pytest.raises(NotAuthorised):  # of theirs only AXB can be prolonged
            await stage.maker.renew(BindingRef("e1", asked.x), NOW + 2 * DAY)
        stage.vendor.board.faults.append("lost")
        with pytest.raises(ProviderDown):
            await stage.maker.bind(stage.by_extension("e2", a=C, b=D, e="302"))

        found = await stage.maker.query(BindingRef("e2", asked.x))

        assert found is not None and found.extension == "302"


class TestHuaweiAsking(NumbersPromise):
    @pytest.fixture
    def stage(self, ledger_database: Database, clock: Clock) -> VendorStage:
        return staged("huawei_x", ledger_database, clock)

    async def test_nothing_is_bound_and_what_cannot_be_connected_is_refused(self, stage: VendorStage) -> None:
        asked = replace(stage.request(), mode="x")

        bound = await stage.maker.bind(asked)

        assert (bound.key, bound.expires_at) == ("k1", NOW + DAY)
        assert not stage.maker.caps.keeps_bindings and await stage.maker.query(stage.ref()) is None
        assert (await stage.maker.renew(stage.ref(), NOW + 2 * DAY)).expires_at == NOW + 2 * DAY
        with pytest.raises(BadNumber):
            await stage.maker.bind(replace(asked, x="+8613800000000"))
        with pytest.raises(BadNumber):
            await stage.maker.bind(replace(asked, b=Phone("+85261234567")))
        with pytest.raises(ExpiryTooSoon):
            await stage.maker.bind(replace(asked, expires_at=NOW))
        with pytest.raises(NotAuthorised):
            await stage.maker.bind(stage.request())

    async def test_the_answer_shows_the_number_that_was_dialled(self, stage: VendorStage) -> None:
        told = stage.maker.answer_route(Connect(B, stage.maker.pool[0], 599))

        assert told["operation"] == "connect"
        assert told["connectInfo"] == {
            "displayCalleeNum": stage.maker.pool[0],
            "calleeNum": B.e164,
            "maxDuration": 9,
            "recordFlag": "false",
        }
        assert stage.maker.answer_route(Close("not_a_party"))["operation"] == "close"


# ---- answers that were lost -----------------------------------------------------------------------------------------


async def test_a_binding_whose_answer_was_lost_is_found_again_by_its_key(stage: VendorStage) -> None:
    stage.fail_next("lost")
    with pytest.raises(ProviderDown):
        await stage.maker.bind(stage.request())
    assert await stage.count() == 1

    bound = await stage.maker.bind(stage.request())

    assert await stage.count() == 1
    assert await stage.maker.query(stage.ref()) == bound
    await stage.maker.unbind(stage.ref())
    assert await stage.count() == 0


async def test_a_binding_whose_answer_was_lost_is_unbound_by_its_key(stage: VendorStage) -> None:
    for _ in range(2):
        stage.fail_next("lost")
        with pytest.raises(ProviderDown):
            await stage.maker.bind(stage.request())

    stage.set_clock(NOW + timedelta(minutes=1))
    await stage.maker.unbind(stage.ref())

    assert await stage.count() == 0


async def test_what_may_still_be_on_its_way_to_the_vendor_is_looked_for_again(stage: VendorStage) -> None:
    """We gave up waiting and let go; only then does the vendor do what was asked."""
    stage.fail_next("down")
    with pytest.raises(ProviderDown):
        await stage.maker.bind(stage.request())
    with pytest.raises(ProviderDown) as caught:
        await stage.maker.unbind(stage.ref())
    assert caught.value.retry_after == 60
    stage.vendor.board.bind(stage.request().key, stage.request().x, A.e164, B.e164, NOW + DAY)

    stage.set_clock(NOW + timedelta(minutes=1))
    await stage.maker.unbind(stage.ref())

    assert await stage.count() == 0
    stage.fail_next("down")  # nobody is asked any more
    await stage.maker.unbind(stage.ref())


async def test_without_the_two_a_lost_answer_is_waited_for_where_the_vendor_does_not_know_our_key(
    stage: VendorStage,
) -> None:
    stage.fail_next("lost")
    with pytest.raises(ProviderDown):
        await stage.maker.bind(stage.request())
    unknown = replace(stage.ref(), people=None)
    stage.set_clock(NOW + timedelta(minutes=1))

    if stage.maker.name == "huawei":
        await stage.maker.unbind(unknown)
        assert await stage.count() == 0
        return
    with pytest.raises(ProviderDown) as caught:
        await stage.maker.unbind(unknown)
    assert caught.value.retryable
    stage.set_clock(NOW + DAY)
    await stage.maker.unbind(unknown)
    assert await stage.count() == 0


async def test_the_same_pair_under_another_key_is_a_conflict_and_not_the_same_binding(stage: VendorStage) -> None:
    await stage.maker.bind(stage.request())
    if stage.maker.name == "tencent":  # it counts: the last key to let go unbinds
        await stage.maker.bind(stage.request("k2"))
        await stage.maker.unbind(stage.ref())
        assert await stage.count() == 1
        await stage.maker.unbind(stage.ref("k2"))
        assert await stage.count() == 0
        return
    with pytest.raises(PairConflict):
        await stage.maker.bind(stage.request("k2"))
    assert await stage.count() == 1


async def test_a_key_asked_for_by_many_at_once_is_one_binding(stage: VendorStage) -> None:
    answers = await asyncio.gather(*(stage.maker.bind(stage.request()) for _ in range(6)))

    assert len(set(answers)) == 1
    assert await stage.count() == 1
    await stage.maker.unbind(stage.ref())
    assert await stage.count() == 0


# ---- answers that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["down", "html", "missing"])
async def test_no_usable_answer_is_a_provider_that_is_down(stage: VendorStage, fault: Fault) -> None:
    stage.vendor.board.faults.append(fault)

    with capture_logs() as said, pytest.raises(ProviderDown) as caught:
        await stage.maker.bind(stage.request())

    assert caught.value.retryable
    assert [(line["event"], line["maker"]) for line in said] == [("numbers_down", stage.maker.name)]
    assert "138" not in str(said)


async def test_fields_that_nobody_knows_are_ignored(stage: VendorStage) -> None:
    stage.vendor.board.faults.append("extra")

    assert (await stage.maker.bind(stage.request())).key == "k1"


async def test_what_only_the_operator_can_mend_is_not_asked_again(stage: VendorStage) -> None:
    stage.vendor.board.faults.append("key_refused")

    with pytest.raises(ProviderDown) as caught:
        await stage.maker.bind(stage.request())

    assert not caught.value.retryable


@pytest.mark.parametrize("account", [Account("another-key", ACCOUNT.secret), Account(ACCOUNT.key, "another")])
@pytest.mark.parametrize("name", BINDING)
async def test_a_wrong_key_or_secret_is_refused_by_the_vendor(
    name: VendorName, account: Account, ledger_database: Database, clock: Clock
) -> None:
    vendor = simulated(name)
    stage = staged(name, ledger_database, clock)
    maker = live(name, vendor, ledger_database, account=account)

    with pytest.raises(ProviderDown) as caught:
        await maker.bind(stage.request())

    assert not caught.value.retryable
    assert vendor.board.live() == []


async def test_a_pause_is_asked_for_in_seconds(stage: VendorStage) -> None:
    stage.vendor.board.faults.append("throttled")

    with pytest.raises(Throttled) as caught:
        await stage.maker.unbind(await _bound_then_throttled(stage))

    assert caught.value.pause == (60 if stage.maker.name == "huawei" else 1)


async def _bound_then_throttled(stage: VendorStage) -> BindingRef:
    stage.vendor.board.faults.clear()
    await stage.maker.bind(stage.request())
    stage.vendor.board.faults.append("throttled")
    return stage.ref()


# ---- the vendor's own refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BINDING)
async def test_a_number_that_is_full_is_told_from_a_pair_that_cannot_have_it(
    name: VendorName, ledger_database: Database, clock: Clock
) -> None:
    stage = staged(name, ledger_database, clock)
    stage.vendor.board.pairs_per_x = 1
    await stage.maker.bind(stage.request())

    with pytest.raises(PoolExhausted):
        await stage.maker.bind(stage.request("k2", a=C, b=D))
    stage.vendor.board.pairs_per_x = 2
    with pytest.raises(PairConflict):
        await stage.maker.bind(stage.request("k2", a=A, b=D))


async def test_a_number_that_the_vendor_does_not_know_is_bad(stage: VendorStage) -> None:
    stage.vendor.board.numbers = ()

    with pytest.raises(NumbersRefused):
        await stage.maker.bind(stage.request())


async def test_phones_of_elsewhere_cannot_be_bound(stage: VendorStage) -> None:
    with pytest.raises(BadNumber):
        await stage.maker.bind(stage.request(b=Phone("+85261234567")))

    assert await stage.count() == 0
    await stage.maker.bind(stage.request())


async def test_what_the_vendor_ended_by_itself_is_gone(stage: VendorStage) -> None:
    await stage.maker.bind(stage.request())
    if stage.maker.name == "tencent":  # nobody can ask it
        assert await stage.maker.query(stage.ref()) is not None
    (bound,) = stage.vendor.board.live()
    stage.vendor.board.unbind(bound.ref)

    await stage.maker.unbind(stage.ref())

    assert await stage.maker.query(stage.ref()) is None


async def test_a_longer_time_than_the_vendor_gives_is_cut_and_said(stage: VendorStage) -> None:
    bound = await stage.maker.bind(replace(stage.request(), expires_at=NOW + timedelta(days=30)))

    (held,) = stage.vendor.board.live()
    longest = min(timedelta(days=30), stage.maker.caps.max_ttl)
    assert bound.expires_at == held.expires_at == NOW + longest


async def test_what_may_not_be_moved_is_told_from_what_is_gone(ledger_database: Database, clock: Clock) -> None:
    stage = staged("aliyun", ledger_database, clock)
    await stage.maker.bind(stage.request())

    stage.fail_next("not_authorised")
    with pytest.raises(NotAuthorised):
        await stage.maker.renew(stage.ref(), NOW + 2 * DAY)
    (bound,) = stage.vendor.board.live()
    stage.vendor.board.unbind(bound.ref)
    with pytest.raises(BindingGone):
        await stage.maker.renew(stage.ref(), NOW + 2 * DAY)


@pytest.mark.parametrize(("e164", "dialled"), [("+8613800138000", "13800138000"), ("+867715881234", "07715881234")])
def test_a_number_is_written_as_it_is_dialled_at_home(e164: str, dialled: str) -> None:
    assert pushes.home(Phone(e164)) == dialled


# ---- answers of a vendor gone wild --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({}, b'"' + b"x" * LONGEST + b'"', ProviderDown),
        ({}, b"[" * 5_000 + b"]" * 5_000, ProviderDown),
        ({}, b"\xff\xfe{}", ProviderDown),
        ({"retry-after": "9" * 5_000}, b"", Throttled),
        ({"retry-after": "Sat, 07 Jan 2023 12:00:00 GMT"}, b"", Throttled),
    ],
)
async def test_a_wild_answer_is_none(
    headers: dict[str, str], body: bytes, refusal: type[ProviderDown | Throttled]
) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(429 if headers else 200, headers=headers, content=body)

    wire = Wire("aliyun", "http://vendor", transport=httpx2.MockTransport(answer))

    with capture_logs(), pytest.raises(refusal):
        await wire.ask("GET", "/", headers={})


@pytest.mark.parametrize("said", ["", "a\x00b", "x" * 1_001, True, None, ["1"], 1.5])
def test_a_field_that_cannot_be_kept_is_missing(said: object) -> None:
    assert text({"BindId": said}, "BindId") is None
