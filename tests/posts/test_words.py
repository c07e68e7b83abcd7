import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mutualaid.posts.words import LONGEST, fold, letters_in, words_of
from tests.posts.city import pieces

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1)
WRITTEN = st.text(st.sampled_from("三天没退烧了口罩药nN９Ｎ5 ,，。!%_*?\n-"), max_size=30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("口罩", {"口罩"}),
        ("口罩吗", {"口罩", "罩吗"}),
        ("药", {"药"}),
        ("买 药", {"买", "药"}),
        ("N95口罩", {"n95", "口罩"}),
        ("ＫＮ９５", {"kn95"}),
        ("Straße 12号", {"strasse", "12", "号"}),
        ("三天,没退烧!", {"三天", "没退", "退烧"}),
        ("snake_case", {"snake", "case"}),
        ("", set()),
        ("%_*? \n…", set()),
        ("a" * LONGEST + " " + "b" * (LONGEST + 1), {"a" * LONGEST}),
        ("𠮷野家", {"𠮷野", "野家"}),
    ],
)
def test_texts_have_these_words(text: str, words: set[str]) -> None:
    assert words_of(text) == words


@given(WRITTEN)
def test_words_are_those_that_a_plain_reading_finds(text: str) -> None:
    assert words_of(text) == pieces(text)


@given(HAN, st.data())
def test_a_part_of_two_or_more_characters_is_found_wherever_it_stands(run: str, data: st.DataObject) -> None:
    text = fold(run + data.draw(HAN))
    start = data.draw(st.integers(0, len(text) - 2))
    end = data.draw(st.integers(start + 2, len(text)))

    assert words_of(text[start:end]) <= words_of(text)


@given(WRITTEN, WRITTEN)
def test_texts_beside_each_other_have_their_words_together_and_no_others(one: str, other: str) -> None:
    assert words_of(one, other) == words_of(one) | words_of(other) == words_of(f"{one} {other}")


@given(st.text())
@example("ﬀ Ⅳ ½ ﷺ İ")
def test_words_do_not_depend_on_how_letters_are_encoded(text: str) -> None:
    for form in ("NFC", "NFD", "NFKC"):
        assert words_of(unicodedata.normalize(form, text)) == words_of(text)


@given(st.text())
@example("%药%")
def test_a_text_has_words_where_letters_count(text: str) -> None:
    words = words_of(text)

    assert all(0 < len(word) <= LONGEST for word in words)
    assert not words or letters_in(text) > 0
    assert words or letters_in(text) == 0 or letters_in(text) > LONGEST
