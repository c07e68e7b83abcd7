"""What members are told: every kind has its sentence in both languages, and none tells what it must not."""

from typing import get_args

import pytest

from mutualaid.kit.texts import Language
from mutualaid.notices import texts
from mutualaid.notices.rules import BY_SMS, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES: tuple[Language, ...] = get_args(Language)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_a_sentence_in_every_language(kind: Kind, language: Language) -> None:
    variants = [name.partition(".")[2] for name in texts.INBOX if name.split(".")[0] == kind]

    said = [texts.inbox(kind, {texts.VARIANT_BY.get(kind, "-"): variant}, language) for variant in variants]

    assert said and all(said) and len(set(said)) == len(said)
    assert all("{" not in sentence and "…" not in sentence for sentence in said)
    if language == "zh-Hans":
        assert not any(c.isascii() and c.isalpha() for sentence in said for c in sentence)


@pytest.mark.parametrize("kind", sorted(BY_SMS))
def test_a_text_message_tells_only_that_there_is_something(kind: Kind) -> None:
    said = texts.sms(kind, "zh-Hans")

    assert said == texts.sms(kind, "zh-Hans").format() and not any(c.isdigit() for c in said)


def test_a_reason_that_nobody_knows_is_told_as_other() -> None:
    assert texts.inbox("closed", {"reason": "?"}, "en") == texts.inbox("closed", {"reason": "other"}, "en")


def test_a_variant_that_nobody_knows_is_told_plainly() -> None:
    assert texts.inbox("proposed", {"side": "?"}, "en") == texts.inbox("proposed", {}, "en")
