"""Planted personal data: after use, refusals and faults it stands in no file of a real instance, no log line, no metric.

Security figure 12 in its small form. Only the outboxes hold phones: they stand for the world outside.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from instance import Instance

from tests.harness import API, CONSENTS, a_need, an_offer, id_number
from tests.instances import an_instance

HOME = (22.81734519, 108.36654327)
NAMES = ("欧阳明月", "诸葛大力")
PHONES = ("13855550123", "13855550456")
WRITTEN_DOWN = "13855550789"  # in a note: scrubbed before it is kept
NOTE, WORDS, REPORT = "植入的心愿甲乙丙", "植入的私房话丁戊己", "植入的举报庚辛壬"
MEDICINE = ("ibuprofen", "布洛芬")
OUTSIDE = ("outbox/", "keys/")


@pytest.fixture
def instance(template_data: Path, sqlite_template: Path, tmp_path: Path) -> Iterator[Instance]:
    with an_instance(template_data, tmp_path) as running:
        yield running


class Neighbour:
    """Signs in at a real instance, reading the code from its outbox."""

    def __init__(self, instance: Instance, client: httpx2.Client, phone: str) -> None:
        self._instance, self._client, self.phone, self.token = instance, client, phone, ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        sent = {**({"authorization": f"Bearer {self.token}"} if self.token else {}), **headers}
        return self._client.request(method, path if path.startswith("/hooks") else API + path, json=body, headers=sent)

    def sign_in(self, name: str, serial: int) -> "Neighbour":
        challenge = self.ask("POST", "/sessions/otp", {"phone": self.phone}).json()["challenge"]
        code = self._letter()["params"]["code"]
        signed = self.ask("POST", "/sessions", {"challenge": challenge, "code": code})
        self.token = signed.json()["token"]
        for purpose in CONSENTS:
            assert self.ask("PUT", f"/me/consents/{purpose}").status_code == 200
        checked = self.ask("POST", "/me/real-name", {"name": name, "id_number": id_number(serial)})
        assert checked.status_code == 200, checked.text
        return self

    def _letter(self) -> dict[str, Any]:
        file = self._instance.data / "outbox" / "sms.jsonl"
        for _ in range(200):
            letters = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            if mine := [letter for letter in letters if letter["to"].endswith(self.phone)]:
                found: dict[str, Any] = mine[-1]
                return found
            time.sleep(0.05)
        raise AssertionError("no code came")


def eventually(look: Any) -> Any:
    for _ in range(200):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def a_day(instance: Instance, client: httpx2.Client) -> list[Neighbour]:
    """Two meet, call, write and report each other."""
    two = [Neighbour(instance, client, phone).sign_in(NAMES[n], 71 + n) for n, phone in enumerate(PHONES)]
    needer, giver = two
    need = needer.ask("POST", "/posts", a_need(at=HOME, note=f"{NOTE} 找我 {WRITTEN_DOWN}")).json()
    pack = {"item": "ibuprofen", "quantity": 12, "expires_on": "2099-12-31", "sealed": True}  # the real clock runs here
    offer = giver.ask("POST", "/posts", an_offer(lines=[pack]), **{"idempotency-key": "planted-key-0001"})
    assert offer.status_code == 201, offer.text
    match = eventually(lambda: needer.ask("GET", "/me/matches").json()["items"])[0]["id"]
    for person in two:
        assert person.ask("POST", f"/matches/{match}/accept").status_code == 200
    contact = eventually(
        lambda: [c for c in giver.ask("GET", "/me/contacts").json()["items"] if c["state"] == "granted"]
    )[0]
    assert giver.ask("POST", f"/contacts/{contact['id']}/messages", {"text": WORDS}).status_code == 201
    call = needer.ask("POST", "/dev/calls", {"caller": PHONES[0], "dialled": contact["number"]}).json()
    assert call["decision"] == "connect"
    for path in (f"/posts/{need['id']}/reports", f"/contacts/{contact['id']}/reports"):
        assert giver.ask("POST", path, {"reason": "abuse", "note": REPORT}).status_code == 201
    assert needer.ask("GET", "/me/export").json()["member"]["legal_name"] == NAMES[0]
    return two


def everything_goes_wrong(instance: Instance, client: httpx2.Client, person: Neighbour) -> list[int]:
    """Personal data where it does not belong, makers that fail, and a fault that nobody expected."""
    outbox = instance.data / "outbox"
    asked = [
        client.get(f"/posts/{PHONES[0]}"),
        client.get(f"/nowhere/{NAMES[0]}/{PHONES[0]}?near={HOME[0]},{HOME[1]}&q={NOTE}"),
        client.get(f"{API}/posts", params={"near": f"{HOME[0]},{HOME[1]}", PHONES[0]: NAMES[0]}),
        client.get(f"{API}/me", headers={"authorization": f"Bearer {person.token}x", "cookie": f"a={PHONES[0]}"}),
        client.post("/sign-in", data={"phone": PHONES[0]}, headers={"referer": f"http://x/{PHONES[0]}"}),
        person.ask("POST", "/posts", {PHONES[0]: NAMES[0], "note": WORDS, "lines": NOTE}),
        person.ask("POST", "/me/real-name", {"name": NAMES[0], "id_number": id_number(71)[:-1]}),
        person.ask("POST", "/me/real-name", {"name": "错" + NAMES[0], "id_number": id_number(71)}),
        person.ask("POST", "/hooks/numbers/fake/route", {"caller": f"+86{PHONES[0]}", "dialled": f"+86{PHONES[1]}"}),
        client.post(f"{API}/sessions/otp", content=f'{{"phone":"{PHONES[0]}"', headers={"content-type": "text/plain"}),
    ]
    for order, note in (("no such order", NOTE), ("down", WORDS)):
        (outbox / "content.fail").write_text(order)
        asked.append(person.ask("POST", "/posts", a_need("rice", at=HOME, note=note)))
    (outbox / "content.fail").unlink()
    (outbox / "sms.fail").write_text("no such order")  # a job that fails for no reason it knows
    asked.append(Neighbour(instance, client, PHONES[0]).ask("POST", "/sessions/otp", {"phone": PHONES[0]}))
    eventually(lambda: "ValueError" in log_of(instance))
    (outbox / "sms.fail").unlink()
    return [answer.status_code for answer in asked]


def log_of(instance: Instance) -> str:
    return (instance.data / "serve.log").read_text(encoding="utf-8")


def forms_of(word: str) -> set[bytes]:
    """A word as it may stand in a file: plain, in JSON's escapes, in an address, as hex digits."""
    plain = word.encode()
    escaped = json.dumps(word)[1:-1].encode()
    return {
        plain,
        escaped,
        str(httpx2.URL("http://x/", params={"q": word}).query, "ascii")[2:].encode(),
        plain.hex().encode(),
    }


def found_in(text: bytes, words: list[str]) -> list[str]:
    return [word for word in words if any(form in text for form in forms_of(word))]


def test_planted_personal_data_is_in_no_file_no_log_and_no_metric(instance: Instance) -> None:
    with httpx2.Client(base_url=instance.url, timeout=30) as client:
        two = a_day(instance, client)
        statuses = everything_goes_wrong(instance, client, two[0])
        metrics = client.get("/metrics").content
        gone = two[0].ask("DELETE", "/me")
    assert statuses == [404, 404, 422, 401, 403, 422, 422, 422, 401, 415, 500, 503, 202]
    assert gone.status_code == 204

    # what is sealed, hashed or thrown away stands nowhere
    hook = (instance.data / "keys" / "hook-token").read_text()
    places = [f"{number:.{digits}f}" for number in HOME for digits in (5, 6, 8)]
    never = [*PHONES, WRITTEN_DOWN, *NAMES, id_number(71), id_number(72), *places, WORDS, REPORT, hook]
    never += [person.token for person in two] + ["planted-key-0001"]
    files = [path for path in instance.data.rglob("*") if path.is_file()]
    read = {path.relative_to(instance.data).as_posix(): path.read_bytes() for path in files}
    assert {"mutualaid.db", "keys.db", "serve.log", "audit-heads.jsonl"} <= read.keys()
    hits = {
        name: found for name, text in read.items() if not name.startswith(OUTSIDE) and (found := found_in(text, never))
    }
    assert hits == {}
    assert found_in(read["outbox/sms.jsonl"], list(PHONES)) == list(PHONES)  # the search finds what is there

    # medicines and notes, clear by design where they are kept, stand in no log and no metric
    assert found_in(read["serve.log"] + metrics, [*never, *MEDICINE, NOTE]) == []
    assert b"fault" in read["serve.log"] and b"ValueError" in read["serve.log"]
