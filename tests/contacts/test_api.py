"""What the doors answer when the provider is slow, says no, is away, or does not exist."""

from typing import Any

import pytest

from mutualaid import routes
from mutualaid.contacts import rules
from mutualaid.kit.settings import Settings
from mutualaid.providers.numbers.fake import FakeNumbers
from mutualaid.providers.numbers.words import WordsOnly
from tests.harness import House, Person, a_need


async def _asking(house: House) -> tuple[Person, str]:
    owner, asker = await house.member("王小明"), await house.member("李大力")
    post = await owner.publish(a_need())
    return asker, f"/posts/{post['id']}/contact"


def _fake(house: House) -> FakeNumbers:
    maker = house.services.numbers
    assert isinstance(maker, FakeNumbers)
    return maker


async def test_who_is_kept_waiting_is_told_202_and_the_worker_grants(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker, path = await _asking(house)
    monkeypatch.setattr(rules, "PATIENCE_S", 0.05)
    _fake(house).delay_s = 0.5
    key = {"Idempotency-Key": "once"}

    asked = await asker.post(path, {}, headers=key)
    again = await asker.post(path, {}, headers=key)
    same = await asker.post(path, {})

    assert (asked.status_code, asked.json()["state"], asked.json()["number"]) == (202, "asked", None)
    assert (again.status_code, again.content) == (202, asked.content)
    assert (same.status_code, same.json()["id"]) == (200, asked.json()["id"])
    _fake(house).delay_s = 0.0
    await house.work()
    granted = (await asker.get(f"/contacts/{asked.json()['id']}")).json()
    assert granted["state"] == "granted" and granted["number"]
    assert len(await _fake(house).bound()) == 1


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("pool_exhausted", "numbers_exhausted"),
        ("down", "provider_unavailable"),
        ("throttled", "provider_unavailable"),
        ("not_reported", "provider_unavailable"),
    ],
)
async def test_a_provider_that_will_not_is_a_503_and_one_may_ask_again(house: House, told: str, code: str) -> None:
    asker, path = await _asking(house)
    key = {"Idempotency-Key": "once"}
    _fake(house).told.fail(told, times=1)

    refused = await asker.post(path, {}, headers=key)

    assert (refused.status_code, refused.json()["code"]) == (503, code)
    assert int(refused.headers["retry-after"]) > 0
    (failed,) = (await asker.get("/me/contacts")).json()["items"]
    assert failed["state"] == "failed" and failed["code"] and failed["number"] is None
    granted = await asker.post(path, {}, headers=key)
    assert granted.status_code == 201 and "idempotency-replayed" not in granted.headers
    await house.work()
    assert len(await _fake(house).bound()) == 1


async def test_without_numbers_one_writes(house: House) -> None:
    asker, path = await _asking(house)
    object.__setattr__(house.services, "numbers", WordsOnly())

    refused = await asker.post(path, {"channel": "call"})
    made = await asker.post(path)

    assert (refused.status_code, refused.json()["code"]) == (422, "channel_not_available")
    assert (made.status_code, made.json()["channel"], made.json()["number"]) == (201, "words", None)


async def test_when_numbers_run_out_one_may_write(house: House) -> None:
    asker, path = await _asking(house)
    services = house.services
    maker = FakeNumbers(services.database, services.ring, services.settings.outbox_dir, pool=1, hook_token="t")
    object.__setattr__(services, "numbers", maker)
    first = await house.member("张三丰")
    assert (await first.post(path, {})).status_code == 201

    refused = await asker.post(path, {}, headers={"Idempotency-Key": "once"})
    words = await asker.post(path, {"channel": "words"})

    assert (refused.status_code, refused.json()["code"]) == (503, "numbers_exhausted")
    assert refused.headers["retry-after"]
    assert (words.status_code, words.json()["channel"]) == (201, "words")
    assert [one["channel"] for one in (await asker.get("/me/contacts")).json()["items"]] == ["words"]


@pytest.mark.parametrize(
    ("env", "maker", "there"), [("dev", "fake", True), ("dev", "words", False), ("prod", "words", False)]
)
def test_calls_are_played_only_where_nothing_of_them_is_real(env: Any, maker: Any, there: bool) -> None:
    settings = Settings.model_construct(env=env, numbers=maker)

    assert any(door.path == "/api/v1/dev/calls" for door in routes.endpoints(settings)) is there


async def test_the_document_knows_what_a_played_call_answers(house: House) -> None:
    document = (await house.client.get("/api/openapi.json")).json()

    operation = document["paths"]["/api/v1/dev/calls"]["post"]
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]
    hook = document["paths"]["/hooks/numbers/{maker}/route"]["post"]
    assert {"200", "401", "403", "404", "410", "422", "503"} <= set(hook["responses"])


async def test_ones_contacts_come_in_pages(house: House) -> None:
    asker, _ = await _asking(house)
    ids = []
    for name in ("赵一", "钱二", "孙三"):
        post = await (await house.member(name)).publish(a_need())
        ids.append((await asker.post(f"/posts/{post['id']}/contact", {"channel": "words"})).json()["id"])

    seen, cursor = [], None
    while True:
        page = (await asker.get(f"/me/contacts?limit=2{'&cursor=' + cursor if cursor else ''}")).json()
        seen += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert sorted(seen) == sorted(ids) and len(set(seen)) == 3
