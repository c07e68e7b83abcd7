"""The arrows of the house are kept by a tool; each kind of forbidden import, planted in a copy, must be found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLANTED = {
    "kit looks up into a room": ("kit/clock.py", "import mutualaid.members", "Floors and rooms"),
    "a room looks up at a front door": ("catalogue/rules.py", "import mutualaid.wiring", "Floors and rooms"),
    "a lower room looks at a higher one": ("regions/records.py", "import mutualaid.posts.records", "Floors and rooms"),
    "a provider looks into a room": ("providers/sms/fake.py", "import mutualaid.regions", "Floors and rooms"),
    "a module without a place": ("elsewhere.py", "", "Floors and rooms"),
    "records look up at actions": ("members/records.py", "import mutualaid.members.actions", "Inside a room"),
    "a room knows a maker": ("members/actions.py", "import mutualaid.providers.sms.fake", "Only wiring knows a maker"),
    "one provider knows another": ("providers/sms/fake.py", "import mutualaid.providers.wechat", "strangers"),
    "a rule asks the database": ("posts/rules.py", "import sqlalchemy", "Rules are arithmetic"),
}


def check(house: Path) -> str:
    """What the tool says of the house in that directory, in one line; empty when every contract is kept."""
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "--no-cache", "--no-logo"],
        cwd=house,
        env={"PYTHONPATH": str(house), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def house(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "mutualaid",
        tmp_path / "mutualaid",
        ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")],
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_keeps_every_contract(house: Path) -> None:
    assert check(house) == ""


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_import_against_the_arrows_is_found(house: Path, plant: str) -> None:
    where, line, contract = PLANTED[plant]
    module = house / "mutualaid" / where
    for package in [*module.relative_to(house).parents][:-1]:
        (house / package).mkdir(exist_ok=True)
        (house / package / "__init__.py").touch()
    before = module.read_text(encoding="utf-8") if module.exists() else ""
    for target in [
        word.removeprefix("mutualaid.").replace(".", "/") for word in line.split()[1:] if word.startswith("mutualaid.")
    ]:
        if not (house / "mutualaid" / target).is_dir():
            (house / "mutualaid" / f"{target}.py").touch()

    module.write_text(f"{before}\n{line}\n", encoding="utf-8")

    said = check(house)
    assert any(f"{contract}" in part and " BROKEN" in part for part in said.split(" KEPT")), said
