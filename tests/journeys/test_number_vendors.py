"""Two neighbours reach each other by a vendor's numbers: the live makers chosen by settings, their simulators behind them."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final
from unittest import mock

import httpx2
import pytest
from httpx2 import ASGITransport
from structlog.testing import capture_logs

from mutualaid.contacts import rules
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock as kit_clock
from mutualaid.kit.ring import hook_token
from mutualaid.kit.settings import Settings
from mutualaid.providers.numbers import making
from mutualaid.providers.numbers.signing import Account, aksk_headers
from mutualaid.providers.numbers.simulators.controls import Play, Vendor
from mutualaid.providers.numbers.simulators.huawei import Huawei
from mutualaid.providers.numbers.simulators.running import ModeName, Plan, VendorName, make, settings_for
from mutualaid.providers.numbers.simulators.switchboard import Fault
from mutualaid.providers.numbers.wire import Wire
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests.harness import House, Person, a_need, an_offer

VENDORS: Final[tuple[VendorName, ...]] = ("aliyun", "tencent", "huawei")
REFUSED: Final[tuple[Fault, ...]] = (
    *("down", "html", "missing", "lost", "throttled"),
    *("pool_exhausted", "pair_conflict", "bad_number", "not_authorised", "key_refused"),
)


@pytest.fixture
def dialect() -> str:
    """What differs between the databases is the ledger and the marks, which are tested on both."""
    return "sqlite"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door waits for the vendor as long as a busy machine needs."""
    monkeypatch.setattr(rules, "PATIENCE_S", 60.0)


@pytest.fixture
def name() -> VendorName:
    return "huawei"


@pytest.fixture
def mode() -> ModeName:
    return "axb"


@pytest.fixture
def plan(settings: Settings, name: VendorName, mode: ModeName) -> Plan:
    return Plan(name, "http://testserver", hook_token(settings.keys_dir), mode=mode, numbers=3)


@pytest.fixture
def simulator(plan: Plan) -> Vendor:
    return make(plan, now=kit_clock.now)


@pytest.fixture
async def services(settings: Settings, plan: Plan, simulator: Vendor) -> AsyncIterator[Services]:
    """With the settings that the simulator names; what is sent to its address is handed to it."""
    told = settings_for(plan, address="http://vendor:8009", folder=settings.data)
    chosen: dict[str, Any] = {key.removeprefix("MUTUALAID_").lower(): value for key, value in told.items()}
    dev = {"data": settings.data, "database_url": settings.database_url, "now_file": settings.now_file}
    with mock.patch.object(making, "Wire", partial(Wire, transport=ASGITransport(simulator.app()))):
        async with open_services(Settings.model_validate({**dev, **chosen})) as opened:
            yield opened


@pytest.fixture
def vendor(simulator: Vendor, house: House) -> Vendor:
    """The vendor; its pushes come to the house's doors."""
    simulator.board.send = house.client.send
    return simulator


async def _asked(house: House, **body: str) -> tuple[Person, Person, httpx2.Response]:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    post = await needer.publish(a_need())
    return needer, helper, await helper.post(f"/posts/{post['id']}/contact", body)


async def _calls(person: Person, contact: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.get(f"/contacts/{contact}/calls")).json()["items"]
    return items


@pytest.mark.parametrize("name", VENDORS)
async def test_a_call_by_a_vendors_number_is_told_once_however_often_it_is_pushed(house: House, vendor: Vendor) -> None:
    needer, helper, answer = await _asked(house)
    contact = answer.json()
    assert (answer.status_code, contact["state"], contact["number"][:9]) == (201, "granted", "+86170000")
    assert len(vendor.board.live()) == 1

    made, statuses = await vendor.call(Play(caller=helper.phone, dialled=contact["number"], pushes=3))
    assert (made.callee, statuses) == (needer.phone, [200, 200, 200])
    (call,) = await _calls(needer, contact["id"])
    assert (call["outcome"], call["seconds"], call["by_me"]) == ("answered", 60, False)

    house.clock.advance(minutes=1)
    vendor.board.unreported.add(needer.phone)
    made, _ = await vendor.call(Play(caller=needer.phone, dialled=contact["number"]))
    assert made.ending == "intercepted"  # bound, but no call of a phone that is not reported goes through
    latest = (await _calls(needer, contact["id"]))[0]
    assert (latest["outcome"], latest["seconds"], latest["by_me"]) == ("no_answer", 0, True)

    for query in ("", "?token=guessed", f"?token={house.services.hook_token}"):
        refused = await house.client.post(f"/hooks/numbers/{vendor.name}/events{query}", json=[])
        assert (refused.status_code, refused.json()["code"]) == (401, "push_not_authentic")


@pytest.mark.parametrize("name", ["tencent"])
async def test_a_push_that_comes_late_is_kept_and_an_ended_contact_reaches_nobody(house: House, vendor: Vendor) -> None:
    needer, helper, answer = await _asked(house)
    contact = answer.json()
    x = contact["number"]
    await vendor.call(Play(caller=needer.phone, dialled=x, ending="busy", hold=True))

    await helper.ask("DELETE", f"/contacts/{contact['id']}")
    await house.work()
    after, statuses = await vendor.call(Play(caller=needer.phone, dialled=x))

    assert after.callee is None and statuses == [200]
    assert vendor.board.live() == []
    assert await vendor.board.deliver() == [200]
    told = [(call["outcome"], call["by_me"]) for call in await _calls(needer, contact["id"])]
    assert sorted(told) == [("busy", True), ("no_answer", True)]


@pytest.mark.parametrize("name", ["aliyun"])
async def test_a_call_before_our_own_commit_is_not_lost(
    house: House, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor has bound and its answer was lost: the two are talking already, and the worker finds the binding."""
    monkeypatch.setattr(rules, "PATIENCE_S", 0.2)
    vendor.board.faults.append("slow")
    needer, helper, answer = await _asked(house)
    assert (answer.status_code, answer.json()["state"]) == (202, "asked")
    vendor.board.faults.append("lost")
    house.clock.advance(seconds=3)
    await house.work()
    (bound,) = vendor.board.live()

    _, statuses = await vendor.call(Play(caller=helper.phone, dialled=bound.x))
    house.clock.advance(minutes=1)
    await house.work()

    contact = (await helper.get(f"/contacts/{answer.json()['id']}")).json()
    assert (contact["state"], statuses, len(vendor.board.live())) == ("granted", [200], 1)
    assert len(await _calls(needer, contact["id"])) == 1


# ---- words, on every failure ----------------------------------------------------------------------------------------


async def test_whatever_the_vendor_does_the_two_can_write(house: House, vendor: Vendor) -> None:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    for fault in REFUSED:
        post = await needer.publish(a_need())
        vendor.board.faults.extend([fault] * 9)

        answer = await helper.post(f"/posts/{post['id']}/contact")
        words = await helper.post(f"/posts/{post['id']}/contact", {"channel": "words"})

        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] in ("numbers_exhausted", "provider_unavailable")
        assert needer.phone not in answer.text
        assert (words.status_code, words.json()["state"], words.json()["number"]) == (201, "granted", None)
        sent = await helper.post(f"/contacts/{words.json()['id']}/messages", {"text": "我家有"})
        assert sent.status_code == 201
        vendor.board.faults.clear()
        await helper.ask("DELETE", f"/contacts/{words.json()['id']}")
        await needer.post(f"/posts/{post['id']}/withdraw")
        await house.work()
    assert vendor.board.live() == []  # not even of the one whose answer was lost


async def test_an_agreed_match_goes_on_in_words_and_becomes_a_call_when_the_vendor_is_well(
    house: House, vendor: Vendor
) -> None:
    needer, helper = await house.member("王小明"), await house.member("李大力")
    await needer.publish(a_need())
    await helper.publish(an_offer())
    vendor.board.faults.extend(["key_refused"] * 40)
    await house.work()
    (match,) = (await needer.get("/me/matches")).json()["items"]
    for person in (needer, helper):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    await house.work()
    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    assert (contact["state"], contact["channel"]) == ("granted", "words")

    vendor.board.faults.clear()
    house.clock.advance(minutes=11)
    await house.work()

    (contact,) = (await needer.get("/me/contacts")).json()["items"]
    assert (contact["state"], contact["channel"], len(vendor.board.live())) == ("granted", "call", 1)


@pytest.mark.parametrize("mode", ["axb", "axe"])
async def test_where_an_application_has_no_number_left_the_two_write(
    house: House, vendor: Vendor, mode: ModeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application of theirs serves one mode, so nothing stands behind it but words: docs/decisions/0028."""
    monkeypatch.setattr(Stock, "extensions", property(lambda _: range(1000, 1001) if mode == "axe" else range(0)))
    hub = await house.member("王小明")
    posts = [await hub.publish(a_need(item)) for item in ("ibuprofen", "smectite")]
    given: list[int] = []
    for name, post in zip(("李一", "李二", "李三", "李四"), (posts[0],) * 3 + (posts[1],), strict=True):
        late = await house.member(name)
        answer = await late.post(f"/posts/{post['id']}/contact", {})
        given.append(answer.status_code)

    assert given == [201, 201, 201, 503] and answer.json()["code"] == "numbers_exhausted"
    words = await late.post(f"/posts/{posts[1]['id']}/contact", {"channel": "words"})
    assert (words.status_code, words.json()["state"], words.json()["number"]) == (201, "granted", None)
    assert len(vendor.board.live()) == 3


# ---- doors ----------------------------------------------------------------------------------------------------------


async def _push(house: House, account: Account, told: object, nonce: str) -> tuple[int, str]:
    headers = aksk_headers(account, now=house.clock.now, nonce=nonce)
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    answer = await house.client.post("/hooks/numbers/huawei/events", content=body, headers=headers)
    return answer.status_code, answer.json().get("code", "")


async def test_a_push_is_refused_with_its_reason_and_the_log_says_nothing_of_it(house: House, vendor: Vendor) -> None:
    _, helper, answer = await _asked(house)
    assert isinstance(vendor, Huawei)
    account, x = vendor.account, answer.json()["number"]
    made, _ = await vendor.call(Play(caller=helper.phone, dialled=x, pushes=0))
    report = vendor.report(made)
    other = json.loads(json.dumps(report).replace(account.key, "another-app"))
    short = json.loads(json.dumps(report))
    del short["feeLst"][0]["callEndTime"]
    odd = json.loads(json.dumps(report).replace(helper.phone, "138-x"))

    with capture_logs() as said:
        assert await _push(house, Account(account.key, "guessed"), report, "n1") == (401, "push_not_authentic")
        assert await _push(house, account, other, "n2") == (403, "push_of_another")
        assert await _push(house, account, b"<html>down</html>", "n3") == (400, "malformed")
        assert await _push(house, account, short, "n4") == (422, "invalid")
        assert await _push(house, account, odd, "n5") == (422, "invalid")
        assert await _push(house, account, report, "n6") == (200, "")
        assert await _push(house, account, report, "n6") == (401, "push_replayed")
        for name in ("aliyun", "fake", "kamailio"):
            door = f"/hooks/numbers/{name}/events"
            assert (await house.client.post(door, content=b"[]")).status_code == 404
        proof = aksk_headers(account, now=house.clock.now, nonce="n7")
        for hours in (1, -2):  # too old, then of a time to come
            house.clock.advance(hours=hours)
            late = await house.client.post("/hooks/numbers/huawei/events", json=report, headers=proof)
            assert (late.status_code, late.json()["code"]) == (401, "push_replayed")

    assert len(await _calls(helper, answer.json()["id"])) == 1
    assert "138" not in str(said) and x not in str(said)


# ---- mode X: asked before each call ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["x"])
async def test_the_vendor_asks_before_each_call_and_is_answered_by_our_rows(house: House, vendor: Vendor) -> None:
    needer, helper, answer = await _asked(house)
    contact, stranger = answer.json(), await house.member("张三丰")
    x = contact["number"]
    assert isinstance(vendor, Huawei) and vendor.board.live() == []  # nothing is bound there

    there, _ = await vendor.call(Play(caller=helper.phone, dialled=x))
    back, _ = await vendor.call(Play(caller=needer.phone, dialled=x, ending="busy"))
    other, _ = await vendor.call(Play(caller=stranger.phone, dialled=x))
    assert (there.callee, back.callee, other.callee) == (needer.phone, helper.phone, None)
    assert sorted(call["outcome"] for call in await _calls(needer, contact["id"])) == ["answered", "busy"]

    # An overheard question is not answered twice, and a forged one never.
    question = vendor.callin(there)
    proof = aksk_headers(vendor.account, now=house.clock.now, nonce="once")
    forged = aksk_headers(Account(vendor.account.key, "guessed"), now=house.clock.now, nonce="x")
    first, second, third = [
        await house.client.post("/hooks/numbers/huawei/events", json=question, headers=headers)
        for headers in (proof, proof, forged)
    ]
    assert needer.phone in first.text
    assert (second.json()["code"], third.json()["code"]) == ("push_replayed", "push_not_authentic")
    assert needer.phone not in second.text + third.text

    await helper.ask("DELETE", f"/contacts/{contact['id']}")
    over, _ = await vendor.call(Play(caller=helper.phone, dialled=x))
    assert over.callee is None


# ---- AXE ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["axe"])
async def test_an_extension_reaches_the_owner_and_the_number_alone_reaches_back(house: House, vendor: Vendor) -> None:
    needer, helper, answer = await _asked(house)
    contact = answer.json()
    assert answer.status_code == 201 and contact["extension"].isdecimal()
    x, digits = contact["number"], contact["extension"]

    there, statuses = await vendor.call(Play(caller=helper.phone, dialled=x, extension=digits))
    back, _ = await vendor.call(Play(caller=needer.phone, dialled=x))
    wrong, _ = await vendor.call(Play(caller=helper.phone, dialled=x, extension=str((int(digits) + 1) % 10_000)))

    assert (there.callee, back.callee, wrong.callee, statuses) == (needer.phone, helper.phone, None, [200])
    played = await house.client.post("/api/v1/dev/calls", json={"caller": helper.phone, "dialled": x})
    assert played.status_code == 404  # where calls are real none is played
