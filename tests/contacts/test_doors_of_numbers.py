"""What is seen from outside when numbers are scarce, and what an operator is told."""

from typing import Any

import pytest
from typer.testing import CliRunner

from mutualaid.cli import app
from mutualaid.contacts.stock import Stock
from mutualaid.providers.numbers.fake import FakeNumbers
from tests.harness import House, Person, a_need


@pytest.fixture
def dialect() -> str:
    """The quicker one: on PostgreSQL the same is done by processes that are killed (`tests/faults`)."""
    return "sqlite"


async def _small(house: House) -> tuple[Person, dict[str, Any], list[dict[str, Any]]]:
    """Three contacts of one author in a pool of one number that knows extensions."""
    services = house.services
    maker = FakeNumbers(
        services.database,
        services.ring,
        services.settings.outbox_dir,
        pool=1,
        modes=("axb", "axe"),
        hook_token=services.hook_token,
    )
    object.__setattr__(services, "numbers", maker)
    author = await house.member("王小明")
    post = await author.publish(a_need())
    contacts = []
    for name in ("李一", "李二", "李三"):
        answer = await (await house.member(name)).post(f"/posts/{post['id']}/contact", {})
        assert answer.status_code == 201, answer.text
        contacts.append(answer.json())
    return author, post, contacts


async def test_an_extension_is_shown_dialled_and_asked_for_at_the_hook(house: House) -> None:
    author, _, contacts = await _small(house)
    x = contacts[0]["number"]
    assert contacts[0]["extension"] is None and {one["number"] for one in contacts} == {x}
    keyed = [one["extension"] for one in contacts[1:]]
    assert len(set(keyed)) == 2 and all(keyed)

    shown = {one["id"]: one["extension"] for one in (await author.get("/me/contacts")).json()["items"]}
    assert shown == {one["id"]: one["extension"] for one in contacts}
    for one in contacts:
        asked = {"call_id": one["id"], "caller": author.phone, "dialled": x, "digits": one["extension"]}
        answer = await house.client.post(
            "/hooks/numbers/fake/route",
            json={key: value for key, value in asked.items() if value},
            headers={"authorization": f"Bearer {house.services.hook_token}"},
        )
        assert (answer.status_code, answer.json()["display"]) == (200, x)
    played = {"caller": author.phone, "dialled": x, "extension": keyed[0]}
    assert (await house.client.post("/api/v1/dev/calls", json=played)).json()["decision"] == "connect"
    wrong = await house.client.post("/api/v1/dev/calls", json=played | {"extension": "000"})
    assert wrong.json() == {"decision": "refuse", "code": "not_a_party"}


async def test_where_extensions_are_used_up_too_the_two_may_write(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stock, "extensions", property(lambda _: range(100, 102)))
    author, _, contacts = await _small(house)
    assert {one["extension"] for one in contacts} == {None, "100", "101"}
    late, post = await house.member("李四"), await author.publish(a_need("smectite"))
    path = f"/posts/{post['id']}/contact"

    refused = await late.post(path, {})
    words = await late.post(path, {"channel": "words"})

    assert (refused.status_code, refused.json()["code"]) == (503, "numbers_exhausted")
    assert int(refused.headers["retry-after"]) > 0 and author.phone not in refused.text
    told = words.json()
    assert (words.status_code, told["state"], told["channel"], told["number"]) == (201, "granted", "words", None)


async def test_how_scarce_numbers_are_is_measured(house: House) -> None:
    await _small(house)

    told = (await house.client.get("/metrics")).text

    assert "mutualaid_numbers 1.0" in told
    assert 'mutualaid_numbers_pressure{by="person"} 1.0' in told
    assert 'mutualaid_numbers_pressure{by="pairs"} 0.005' in told
    assert "mutualaid_numbers_live_pairs 3.0" in told


def test_the_plan_is_printed_with_its_reasons() -> None:
    told = CliRunner().invoke(app, ["numbers", "plan", "--pairs", "20000", "--per-member", "5"])

    assert told.exit_code == 0
    last = told.output.strip().splitlines()[-1]
    assert last.split()[0] == "120" and "needed" in last
    assert "⌈20000/200⌉" in told.output


def test_a_plan_of_nothing_is_refused() -> None:
    assert CliRunner().invoke(app, ["numbers", "plan", "--pairs", "0", "--per-member", "5"]).exit_code == 2
