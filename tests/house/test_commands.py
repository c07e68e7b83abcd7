"""Commands of an operator in a wrong folder: said in a sentence, and nothing is made there."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mutualaid.cli import app

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


@pytest.mark.parametrize("words", COMMANDS)
def test_without_a_database_a_command_says_so_and_makes_nothing(words: str, data: Path) -> None:
    said = CliRunner().invoke(app, words.split())

    assert said.exit_code == 2, said.output
    assert f"没有数据库 / no database: {data}" in said.output
    assert "MUTUALAID_DATA" in said.output and "mutualaid migrate" in said.output
    assert not data.exists()


def test_an_empty_file_is_no_database(data: Path) -> None:
    data.mkdir()
    (data / "mutualaid.db").touch()

    said = CliRunner().invoke(app, ["audit", "verify"])

    assert said.exit_code == 2 and "没有数据库" in said.output
    assert [(file.name, file.stat().st_size) for file in data.iterdir()] == [("mutualaid.db", 0)]


def test_a_database_without_its_keys_is_left_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    monkeypatch.setenv("MUTUALAID_DATABASE_URL", f"sqlite+aiosqlite:///{elsewhere}")
    made = subprocess.run([sys.executable, "-m", "mutualaid.cli", "migrate"], check=False, capture_output=True)
    assert made.returncode == 0, made.stderr.decode()
    assert CliRunner().invoke(app, ["audit", "verify"]).exit_code == 0
    monkeypatch.setenv("MUTUALAID_DATA", str(tmp_path / "another"))

    said = CliRunner().invoke(app, ["audit", "verify"])

    assert said.exit_code == 2 and "没有密钥 / no keys" in said.output and "MUTUALAID_DATABASE_URL" in said.output
    assert not (tmp_path / "another").exists()
