"""Which maker the settings choose, and which numbers are ours."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mutualaid import cli
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing, hook_token
from mutualaid.kit.settings import Settings, SettingsRefused
from mutualaid.providers.numbers import NumbersMaker
from mutualaid.providers.numbers.making import hook_address, open_maker, read_numbers
from mutualaid.providers.numbers.pushes import address_token


def _settings(folder: Path, **more: str) -> Settings:
    (folder / "numbers.txt").write_text("+8617000000001\n", encoding="utf-8")
    whole = {
        "data": folder,
        "numbers_key": "k",
        "numbers_secret": "s",
        "numbers_account": "FC1",
        "numbers_file": folder / "numbers.txt",
        **more,
    }
    return Settings.model_validate(whole)


@pytest.mark.parametrize(
    ("numbers", "modes", "pairs", "most"),
    [
        ("words", "axb", "0", 0),
        ("fake", "axb", "0", 200),
        ("fake", "axb,axe", "0", 200),
        ("aliyun", "axb", "0", 200),
        ("tencent", "axb", "150", 150),
        ("huawei", "axb", "1000", 1000),
        ("huawei", "axb", "0", 5000),
        ("huawei", "axe", "0", 9000),
        ("huawei", "x", "0", 5000),
    ],
)
async def test_the_settings_choose_the_maker(
    ledger_file: Database, tmp_path: Path, numbers: str, modes: str, pairs: str, most: int
) -> None:
    settings = _settings(tmp_path, numbers=numbers, numbers_modes=modes, numbers_pairs=pairs)

    async with open_maker(settings, ledger_file, KeyRing.open(tmp_path / "keys"), "hook") as maker:
        promised: NumbersMaker = maker
        assert promised.name == numbers and promised.caps.max_pairs_per_x == most
        assert promised.is_fake is (numbers == "fake")
        assert promised.caps.modes == (set() if numbers == "words" else set(modes.split(",")))
        assert numbers in ("words", "fake") or promised.pool == ("+8617000000001",)


def test_the_file_of_numbers_is_one_number_a_line(tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text("# 南宁\n+8617000000001\n\n +8617000000002  # 备用\n+8617000000001\n", encoding="utf-8")

    assert read_numbers(file) == ("+8617000000001", "+8617000000002")


@pytest.mark.parametrize("written", ["", "# none\n", "17000000001\n", "+8617000000001 +8617000000002\n", "\udcff"])
def test_a_file_that_holds_no_numbers_refuses_the_start_and_repeats_none(tmp_path: Path, written: str) -> None:
    file = tmp_path / "numbers.txt"
    file.write_text(written, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(SettingsRefused, match="MUTUALAID_NUMBERS_FILE") as caught:
        read_numbers(file)
    assert "1700" not in str(caught.value)
    with pytest.raises(SettingsRefused):
        read_numbers(tmp_path / "none.txt")


def test_only_an_address_without_proof_holds_a_secret(tmp_path: Path) -> None:
    for numbers, secret in (("aliyun", True), ("tencent", True), ("huawei", False)):
        settings = _settings(tmp_path, numbers=numbers, numbers_hook="https://aid.example.org/")
        address = hook_address(settings, "hook")

        assert address.startswith(f"https://aid.example.org/hooks/numbers/{numbers}/events")
        assert ("?token=" in address) is secret


def test_an_operator_is_told_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numbers.txt").write_text("+8617000000001\n", encoding="utf-8")
    given = {
        "DATA": str(tmp_path),
        "NUMBERS": "aliyun",
        "NUMBERS_KEY": "k",
        "NUMBERS_SECRET": "s",
        "NUMBERS_ACCOUNT": "FC1",
        "NUMBERS_FILE": str(tmp_path / "numbers.txt"),
        "NUMBERS_HOOK": "https://aid.example.org",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"MUTUALAID_{name}", value)

    said = CliRunner().invoke(cli.app, ["numbers", "hook"])

    token = address_token(hook_token(tmp_path / "keys"), "aliyun")
    assert said.output.strip() == f"https://aid.example.org/hooks/numbers/aliyun/events?token={token}"
