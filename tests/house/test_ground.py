"""The ground: hashed locks without addresses, an environment that is whole or not at all, commands that can be run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import bootstrap
import pip_words
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "scripts/bootstrap.lock")


def pins(lock: str) -> dict[str, int]:
    """`name==version` → number of hashes."""
    found: dict[str, int] = {}
    for block in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8")):
        if pin := re.match(r"[a-z0-9._\[\]-]+==[^ ;]+", block):
            found[pin[0]] = block.count("--hash=sha256:")
    return found


def tracked_files() -> list[Path]:
    """What is or would be committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


# ---- the locks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_pinned_with_hashes(lock: str) -> None:
    found = pins(lock)

    assert found
    assert [pin for pin, hashes in found.items() if not hashes] == []
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not re.match(r"[a-z0-9][^ ]*==|    --hash=sha256:|\s*#", line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted| @ |file:", text)


def test_the_development_lock_holds_the_run_time_lock_unchanged() -> None:
    assert pins("requirements.lock").keys() <= pins("requirements-dev.lock").keys()


def test_no_tracked_file_names_a_package_registry() -> None:
    # given: names put together here, so that this file does not hold them either
    hosts = [
        ".".join(words) for words in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    hosts += [".".join(words) for words in (("npmmirror", "com"), ("deb", "debian", "org"), ("crates", "io"))]

    named = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if any(host.encode() in path.read_bytes().lower() for host in hosts)
    ]

    assert named == []


# ---- the environment --------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an environment that a finished `make dev` would leave."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(f"{name}==1\n", encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    stamp(tmp_path, "dev")
    return tmp_path


def stamp(root: Path, kind: str) -> None:
    bootstrap.stamp_of(root).write_text(json.dumps(bootstrap.wanted(root, kind)), encoding="utf-8")


def test_a_development_environment_serves_for_running_too(checkout: Path) -> None:
    assert bootstrap.is_ready(checkout, "dev")
    assert bootstrap.is_ready(checkout, "run")


def test_a_run_time_environment_does_not_serve_for_tests(checkout: Path) -> None:
    stamp(checkout, "run")

    assert bootstrap.is_ready(checkout, "run")
    assert not bootstrap.is_ready(checkout, "dev")


def test_a_changed_lock_asks_for_a_new_environment(checkout: Path) -> None:
    (checkout / "requirements-dev.lock").write_text("other==2\n", encoding="utf-8")
    assert bootstrap.is_ready(checkout, "run")
    assert not bootstrap.is_ready(checkout, "dev")

    (checkout / "requirements.lock").write_text("other==2\n", encoding="utf-8")
    assert not bootstrap.is_ready(checkout, "run")


@pytest.mark.parametrize("left", [None, "", "{", "[]", "{}"])
def test_a_half_made_environment_is_never_taken_for_a_good_one(checkout: Path, left: str | None) -> None:
    if left is None:
        bootstrap.stamp_of(checkout).unlink()
    else:
        bootstrap.stamp_of(checkout).write_text(left, encoding="utf-8")

    assert not bootstrap.is_ready(checkout, "run")


@pytest.mark.parametrize("name", ["root", "python", "layout"])
def test_a_moved_checkout_or_another_python_asks_for_a_new_environment(checkout: Path, name: str) -> None:
    said = bootstrap.made(checkout) | {name: "other"}
    bootstrap.stamp_of(checkout).write_text(json.dumps(said), encoding="utf-8")

    assert not bootstrap.is_ready(checkout, "run")


def test_the_stamp_is_gone_before_anything_is_touched(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "scripts").mkdir()
    (checkout / "requirements.lock").write_text("other==2\n", encoding="utf-8")

    def interrupted(maker: bootstrap.Maker) -> None:
        assert not bootstrap.stamp_of(checkout).exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap.Maker, "lay", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.make(checkout, "run")

    assert not bootstrap.is_ready(checkout, "run")


def test_without_ensurepip_the_message_names_python3_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(bootstrap.CannotMake, match="apt-get install python3-venv"):
        bootstrap.Maker(tmp_path / "none").need_pip()


def test_without_a_new_enough_python_the_message_says_so(tmp_path: Path) -> None:
    # given: a PATH whose only Python is too old
    for name in ("sh", "dirname"):
        (tmp_path / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tmp_path / "python3").chmod(0o755)
    scripts = tmp_path / "elsewhere" / "scripts"
    scripts.mkdir(parents=True)
    for name in ("run", "environment.sh"):
        (scripts / name).write_bytes((ROOT / "scripts" / name).read_bytes())

    ended = subprocess.run(
        ["/bin/sh", scripts / "run"], env={"PATH": str(tmp_path)}, capture_output=True, encoding="utf-8", check=False
    )

    assert ended.returncode == 1
    assert "3.11" in ended.stderr and "python3-venv" in ended.stderr and "需要" in ended.stderr


def test_the_launcher_works_under_any_path(tmp_path: Path) -> None:
    # given: a checkout whose path has blanks and a quote
    root = tmp_path / "互助 o'clock x"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / "mutualaid").mkdir()
    (root / "mutualaid" / "__init__.py").touch()
    (root / "mutualaid" / "cli.py").write_text(
        "import sys\ndef main(): print(sys.argv[1:]); return 7\n", encoding="utf-8"
    )
    bootstrap.make_importable(root, root / ".venv")

    ended = subprocess.run(
        [root / ".venv" / "bin" / "mutualaid", "a b", "c"],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout, ended.returncode) == ("['a b', 'c']\n", 7)


# ---- what pip knows, said to uv ---------------------------------------------------------------------------------


def test_pips_environment_beats_its_files() -> None:
    listing = "global.index-url='https://one.example/simple'\n:env:.index-url='https://two.example/simple'\nglobal.timeout='9'\n"

    assert pip_words.pip_settings(listing) == {"index-url": "https://two.example/simple", "timeout": "9"}


def test_uv_is_told_of_pips_index_unless_it_has_its_own() -> None:
    pip = {"index-url": "https://one.example/simple", "find-links": "/a /b", "cert": "/ca.pem"}

    assert pip_words.uv_settings(pip, {}) == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert pip_words.uv_settings(pip, {"UV_INDEX_URL": "x", "SSL_CERT_FILE": "y", "UV_FIND_LINKS": "z"}) == {}


def test_one_package_can_be_cut_out_of_a_lock() -> None:
    first = "a==1 \\\n    --hash=sha256:aa\n"
    second = "b==2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n    # via a\n"
    third = "c==3 \\\n    --hash=sha256:dd\n"

    assert pip_words.block_of("b", first + second + third) == second
    assert pip_words.block_of("c", first + second + third) == third


def test_what_builds_the_package_without_a_wheel_is_in_the_development_lock() -> None:
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")

    assert pip_words.block_of(bootstrap.BUILDER, text).count("--hash=") >= 1
    assert f"\n{bootstrap.SOURCE_ONLY}==" in text


# ---- the commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "test", "check", "migrate", "lock", "ci-packages", "telephony", "../.ci/run"])
def test_a_command_can_be_run_as_it_is(name: str) -> None:
    path = ROOT / "scripts" / name

    assert os.access(path, os.X_OK)
    assert path.read_bytes().startswith((b"#!/bin/sh\n", b"#!/usr/bin/env bash\n"))
    shell = "bash" if path.read_bytes().startswith(b"#!/usr/bin/env bash") else "sh"
    assert subprocess.run([shell, "-n", path], check=False).returncode == 0
