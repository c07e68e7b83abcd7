import base64
import json
import os
import pickle
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mutualaid.kit import ring as rings
from mutualaid.kit.ring import KeyRing, KeyUnknown, RingRefused, hook_token


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_ring_is_made_at_first_start_and_read_ever_after(tmp_path: Path) -> None:
    first = KeyRing.open(tmp_path / "keys")

    again = KeyRing.open(tmp_path / "keys")

    assert all(again.current(purpose) == first.current(purpose) for purpose in rings.PURPOSES)
    assert len({first.current(purpose)[1] for purpose in rings.PURPOSES}) == len(rings.PURPOSES)
    assert all(len(first.current(purpose)[1]) == 32 for purpose in rings.PURPOSES)


def test_only_its_owner_can_read_the_ring(tmp_path: Path) -> None:
    KeyRing.open(tmp_path / "keys")

    assert _mode(tmp_path / "keys") == 0o700
    assert _mode(tmp_path / "keys" / "ring.json") == 0o600


def test_a_ring_that_others_could_read_is_refused(tmp_path: Path) -> None:
    KeyRing.open(tmp_path)
    (tmp_path / "ring.json").chmod(0o640)

    with pytest.raises(RingRefused, match="0600"):
        KeyRing.open(tmp_path)


@pytest.mark.parametrize("how", ["cut", "not json", "short key", "later format"])
def test_a_damaged_ring_is_refused_without_quoting_it(tmp_path: Path, how: str) -> None:
    KeyRing.open(tmp_path)
    path = tmp_path / "ring.json"
    body = path.read_text()
    secret = json.loads(body)["purposes"]["envelope"]["keys"]["1"]
    damaged = {
        "cut": body[: len(body) // 2],
        "not json": "keys?",
        "short key": body.replace(secret, base64.b64encode(bytes(16)).decode()),
        "later format": body.replace('"format": 1', '"format": 2'),
    }[how]
    path.write_text(damaged)

    with pytest.raises(RingRefused) as refusal:
        KeyRing.open(tmp_path)

    assert secret[:8] not in repr(refusal.value) and refusal.value.__cause__ is None


def test_processes_that_start_together_share_one_ring(tmp_path: Path) -> None:
    code = (
        "import hashlib, sys; from mutualaid.kit.ring import KeyRing, PURPOSES, hook_token\n"
        "r = KeyRing.open(sys.argv[1]); t = hook_token(sys.argv[1])\n"
        "print(hashlib.sha256(b''.join(r.current(p)[1] for p in PURPOSES) + t.encode()).hexdigest())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "keys")], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]

    said = {process.communicate(timeout=60)[0] for process in started}

    assert len(said) == 1 and said != {""}


def test_a_rotated_key_is_written_with_and_the_old_one_still_read_with(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    _, old = ring.current("lookup")

    version = ring.rotate("lookup")

    assert version == 2 and ring.current("lookup") == (2, ring.at("lookup", 2))
    assert ring.at("lookup", 1) == old != ring.at("lookup", 2)
    assert ring.versions("lookup") == [2, 1]
    assert ring.every("lookup") == [(2, ring.at("lookup", 2)), (1, old)]
    assert ring.versions("audit") == [1]


def test_every_process_sees_a_rotation_with_its_next_call(tmp_path: Path) -> None:
    one, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path)

    one.rotate("session")

    assert other.current("session") == one.current("session")


def test_an_introduced_key_is_searched_by_before_it_is_written_with(tmp_path: Path) -> None:
    one, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path)

    version = one.introduce("lookup")

    assert other.versions("lookup") == [2, 1] and other.current("lookup")[0] == 1
    one.promote("lookup", version)
    assert other.current("lookup")[0] == 2


def test_writers_never_lose_each_others_keys(tmp_path: Path) -> None:
    rings_open = [KeyRing.open(tmp_path) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: rings_open[n % 4].rotate("audit"), range(20)))

    assert sorted(made) == list(range(2, 22))
    assert KeyRing.open(tmp_path).versions("audit") == list(range(21, 0, -1))


def test_a_retired_key_is_gone_and_its_number_never_returns(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    with pytest.raises(RingRefused):
        ring.retire("envelope", 1)
    _, old = ring.current("envelope")
    ring.rotate("envelope")

    ring.retire("envelope", 1)

    with pytest.raises(KeyUnknown):
        ring.at("envelope", 1)
    assert base64.b64encode(old).decode() not in (tmp_path / "ring.json").read_text()
    assert ring.rotate("envelope") == 3


@pytest.mark.parametrize(("purpose", "version"), [("envelope", 9), ("envelope", 0), ("no such purpose", 1)])
def test_an_unknown_key_is_a_lookup_error(tmp_path: Path, purpose: str, version: int) -> None:
    ring = KeyRing.open(tmp_path)

    with pytest.raises(LookupError):
        ring.at(purpose, version)


def test_a_power_cut_while_writing_leaves_the_old_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing.open(tmp_path)
    before = (tmp_path / "ring.json").read_bytes()

    def cut(*_: object) -> None:
        raise OSError("no power")

    monkeypatch.setattr(os, "rename", cut)
    with pytest.raises(OSError, match="no power"):
        ring.rotate("code")

    assert (tmp_path / "ring.json").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["ring.json", "ring.lock"]
    assert ring.versions("code") == [1]


def test_a_purpose_new_to_a_release_is_added_to_an_old_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = KeyRing.open(tmp_path)
    monkeypatch.setattr(rings, "PURPOSES", (*rings.PURPOSES, "lanterns"))

    new = KeyRing.open(tmp_path)

    assert new.current("lanterns")[0] == 1 and new.current("audit") == old.current("audit")


def test_a_running_process_goes_on_without_its_ring_file(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)
    held = ring.current("cursor")

    (tmp_path / "ring.json").unlink()

    assert ring.current("cursor") == held


def test_a_ring_never_shows_or_hands_over_its_keys(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path)

    assert repr(ring) == str(ring) == "KeyRing(…)"
    with pytest.raises(TypeError):
        pickle.dumps(ring)


def test_the_hook_token_is_the_whole_content_of_its_file_and_stays(tmp_path: Path) -> None:
    token = hook_token(tmp_path / "keys")

    assert (tmp_path / "keys" / "hook-token").read_text() == token == hook_token(tmp_path / "keys")
    assert len(token) >= 43 and _mode(tmp_path / "keys" / "hook-token") == 0o600


def test_an_empty_hook_token_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "hook-token").write_text("\n")

    with pytest.raises(RingRefused):
        hook_token(tmp_path)
