"""What is written is true: settings, the map of the house, decisions, and what one page says of another."""

import ast
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import mutualaid
from mutualaid.kit.settings import PREFIX, PROD_DEFAULTS, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SETTINGS = DOCS / "settings.md"


# ---- settings ---------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return f"`{text}`" if text not in ("", "None") else "unset"


def choices(annotation: Any) -> str:
    return " ".join(f"`{choice}`" for choice in get_args(annotation)) if get_origin(annotation) is Literal else ""


def row(name: str) -> str:
    """A setting's line, as it must stand in the page."""
    field = Settings.model_fields[name]
    default = shown("var" if name == "data" else field.default)
    if name in PROD_DEFAULTS:
        default += f", in prod {shown(PROD_DEFAULTS[name])}"
    return f"| `{PREFIX}{name.upper()}` | {default} | {choices(field.annotation)} | {field.description} |"


def lines() -> list[str]:
    return [line for line in SETTINGS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{PREFIX}")]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_its_line_in_the_docs(name: str) -> None:
    assert row(name) in lines()


def test_the_docs_name_no_setting_that_is_gone() -> None:
    assert lines() == [row(name) for name in Settings.model_fields]


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]

    named = {
        (str(page.relative_to(ROOT)), name)
        for page in pages
        for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", page.read_text(encoding="utf-8"))
    }
    assert {found for found in named if found[1] not in known} == set()


# ---- the map ----------------------------------------------------------------------------------------------------


def packages() -> set[str]:
    home = ROOT / "mutualaid"
    return {path.parent.name for path in home.glob("*/__init__.py")} | {path.stem for path in home.glob("[!_]*.py")}


def test_the_map_names_every_front_door_and_every_room() -> None:
    told = set(re.findall(r"[a-z_]+", mutualaid.__doc__ or ""))

    assert sorted(packages() - told) == []


def test_the_map_names_every_provider() -> None:
    providers = {path.parent.name for path in (ROOT / "mutualaid" / "providers").glob("*/__init__.py")}

    assert providers <= set(re.findall(r"[a-z_]+", mutualaid.__doc__ or ""))


def test_every_module_says_in_its_first_line_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "mutualaid").rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


# ---- decisions and links ----------------------------------------------------------------------------------------


def decisions() -> list[Path]:
    return sorted(path for path in (DOCS / "decisions").glob("*.md") if path.name != "README.md")


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")

    assert [path.name[:4] for path in decisions()] == [f"{n:04}" for n in range(1, len(decisions()) + 1)]
    for path in decisions():
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"[{title[:4]}]({path.name}) | {title[5:]} |" in listed, path.name


def test_a_decision_says_what_why_and_what_it_costs() -> None:
    for path in decisions():
        text = path.read_text(encoding="utf-8")
        assert "**Decided.**" in text and re.search(r"\*\*(Costs|What it costs)\.\*\*", text), path.name


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_points_to_is_there(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_what_the_docs_name_in_the_tree_is_there() -> None:
    """`kit/outbox.py`, `tests/kit/test_audit.py`, `scripts/run`: names of files between backquotes."""
    named = {
        (str(page.relative_to(ROOT)), name)
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"`((?:[a-z_]+/)+[A-Za-z_.]+)`", page.read_text(encoding="utf-8"))
    }

    assert len(named) > 5
    missing = [
        (page, name)
        for page, name in sorted(named)
        if not (ROOT / name).exists() and not (ROOT / "mutualaid" / name).exists()
    ]
    assert missing == []
