"""Commands of an operator in a wrong folder: said in a sentence, and nothing is made there."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mutualaid.cli import app
from mutualaid.kit.settings import Settings
from mutualaid.serving import pretended

COMMANDS = [
    "match sweep --dry-run",
    "match explain 0123",
    "member promote --phone 13800138000 --role moderator",
    "audit verify",
    "numbers reconcile",
    "seed",
    "worker",
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not there, named by mistake."""
    monkeypatch.setenv("MUTUALAID_DATA", str(tmp_path / "typo"))
    for name in ("DATABASE_URL", "KEYS_URL"):
        monkeypatch.delenv(f"MUTUALAID_{name}", raising=False)
    return tmp_path / "typo"


def _apart(*words: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own: a command that goes far sets up the logs of its process."""
    return subprocess.run([sys.executable, "-m", "mutualaid.cli", *words], check=False, capture_output=True)


@pytest.mark.parametrize("words", COMMANDS)
def test_without_a_database_a_command_says_so_and_makes_nothing(words: str, data: Path) -> None:
    said = CliRunner().invoke(app, words.split())

    assert said.exit_code == 2, said.output
    assert f"没有数据库 / no database: {data}" in said.output
    assert "MUTUALAID_DATA" in said.output and "mutualaid migrate" in said.output
    assert not data.exists()


def test_a_simulator_has_the_modes_of_its_vendor_and_says_nothing_that_the_service_refuses(data: Path) -> None:
    for vendor in ("aliyun", "tencent"):
        said = CliRunner().invoke(app, ["simulate", "numbers", "--vendor", vendor, "--mode", "axe"])
        assert said.exit_code == 2 and f"{vendor} 只有 axb" in said.output and "MUTUALAID_" not in said.output
    assert not data.exists()


@pytest.mark.parametrize("words", ["serve", "simulate numbers --vendor huawei"])
def test_a_taken_port_is_said_in_a_sentence(words: str, data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = _apart(*words.split(), "--port", str(taken.getsockname()[1]))

    told = said.stderr.decode()
    assert said.returncode == 1 and "无法监听 / cannot listen on 127.0.0.1:" in told and "--port" in told
    assert said.stdout == b"" and not data.exists()


def test_the_start_names_what_is_only_pretended() -> None:
    def told(**given: str) -> str:
        return pretended(Settings.model_validate(given))

    assert "nothing leaves this machine" in told()
    real = told(numbers="huawei", numbers_key="k", numbers_secret="s", numbers_file="numbers.txt")
    assert "nothing leaves" not in real and "numbers" not in real and "sms, wechat, realname" in real


def test_an_empty_file_is_no_database(data: Path) -> None:
    data.mkdir()
    (data / "mutualaid.db").touch()

    said = CliRunner().invoke(app, ["audit", "verify"])

    assert said.exit_code == 2 and "没有数据库" in said.output
    assert [(file.name, file.stat().st_size) for file in data.iterdir()] == [("mutualaid.db", 0)]


def test_a_database_without_its_keys_is_left_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    monkeypatch.setenv("MUTUALAID_DATABASE_URL", f"sqlite+aiosqlite:///{elsewhere}")
    for words in ("migrate", "audit verify"):
        done = _apart(*words.split())
        assert done.returncode == 0, done.stderr.decode()
    monkeypatch.setenv("MUTUALAID_DATA", str(tmp_path / "another"))

    said = CliRunner().invoke(app, ["audit", "verify"])

    assert said.exit_code == 2 and "没有密钥 / no keys" in said.output and "MUTUALAID_DATABASE_URL" in said.output
    assert not (tmp_path / "another").exists()
