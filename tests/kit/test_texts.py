"""Texts: the English sentence is the msgid, the Chinese stands in the catalogue, and neither is ever missing."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import texts as catalogue  # scripts/texts.py

from mutualaid import routes, trouble  # noqa: F401 — every error class is known from here on
from mutualaid.kit.errors import AidError
from mutualaid.kit.texts import Language, preferred, say, translations

ROOT = Path(__file__).resolve().parents[2]
FIELDS = re.compile(r"\{\w+\}|%\(\w+\)[sd]")  # of the code, of the templates
PERCENT = re.compile(r"%\(\w+\)[sd]")
HAN = re.compile("[\u4e00-\u9fff]")
KNOWN = sorted({error for error in AidError.known if error.__module__.startswith("mutualaid.")}, key=lambda e: e.code)


# ---- the catalogue ----------------------------------------------------------------------------------------------


def test_the_catalogue_is_in_step_with_what_is_said_and_with_its_compiled_form() -> None:
    assert catalogue.problems() == []


def test_a_sentence_without_chinese_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    said = catalogue.said()
    said.add("A sentence that nobody has put into Chinese.")
    monkeypatch.setattr(catalogue, "said", lambda: said)

    assert "not in the catalogue: A sentence that nobody has put into Chinese." in catalogue.problems()


def test_a_compiled_catalogue_of_yesterday_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stale = tmp_path / "stale.mo"
    stale.write_bytes(b"")
    monkeypatch.setattr(catalogue, "MO", stale)

    assert [problem for problem in catalogue.problems() if "run scripts/texts" in problem]


@pytest.mark.parametrize("error", KNOWN, ids=lambda error: error.code)
def test_every_error_is_said_in_chinese_and_english(error: type[AidError]) -> None:
    assert HAN.search(say(error.text, "zh-Hans"))
    assert say(error.text, "en") == error.text and not HAN.search(error.text)


def test_every_marked_sentence_is_said_in_chinese_without_blanks_of_its_own() -> None:
    spoken = translations("zh-Hans")
    for message in catalogue.said():
        if not message.id:
            continue
        english = message.id if isinstance(message.id, str) else message.id[-1]  # one thing, or many
        chinese = spoken.gettext(english) if isinstance(message.id, str) else spoken.ngettext(message.id[0], english, 2)
        assert HAN.search(chinese) or not re.search("[A-Za-z]{2}", FIELDS.sub("", english)), english
        # a template fails on a blank it does not fill; `say` fills what it is given, in each language what that needs
        assert set(PERCENT.findall(chinese)) <= set(PERCENT.findall(english)), english


def test_a_code_is_one_errors_own() -> None:
    assert [code for code, count in Counter(error.code for error in KNOWN).items() if count > 1] == []
    assert all(re.fullmatch("[a-z][a-z_]*", error.code) for error in KNOWN)


def test_every_sentence_of_an_error_is_marked() -> None:
    """`text = "…"` without `N_` would never be gathered, and be said in English to everybody."""
    for path in sorted((ROOT / "mutualaid").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and [getattr(t, "id", "") for t in line.targets] == ["text"]:
                        assert isinstance(line.value, ast.Call), f"{path.name}:{line.lineno}"


# ---- saying -----------------------------------------------------------------------------------------------------


def test_blanks_are_filled_and_a_lost_one_is_still_said() -> None:
    assert say("At most {le}.", "en", le=5) == "At most 5."
    assert say("At most {le}.", "zh-Hans", le=5) != "At most 5." and "5" in say("At most {le}.", "zh-Hans", le=5)
    assert say("At most {le}.", "en", ge=5) == "At most …."


def test_what_fills_a_blank_is_not_read_as_a_pattern() -> None:
    assert say("At most {le}.", "en", le="{ge} {0.__class__}") == "At most {ge} {0.__class__}."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh-Hans"),
        ("", "zh-Hans"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("en;q=0.5, zh;q=0.4", "en"),
        ("en;q=0.5, zh;q=0.5", "en"),
        ("fr, de", "zh-Hans"),
        ("fr, en;q=0.1", "en"),
        ("en;q=0", "zh-Hans"),
        ("EN", "en"),
        ("en;q=x", "zh-Hans"),
        ("en;q=nan", "zh-Hans"),
        ("*", "zh-Hans"),
        (",;,;q=1,en", "en"),
        ("x" * 5000, "zh-Hans"),
    ],
)
def test_the_readers_language_is_what_the_browser_ranks_first(header: str | None, language: Language) -> None:
    assert preferred(header) == language
