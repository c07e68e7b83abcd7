from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.providers.content import Label, Suggestion
from mutualaid.providers.content.fake import FakeContent
from mutualaid.providers.content.wordlist import Wordlist, fold, read_rules
from tests.providers.promise_content import ContentOutsidePromise, ContentPromise, ContentStage


class TestFake(ContentOutsidePromise):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> ContentStage:
        maker = FakeContent(tmp_path)
        return ContentStage(maker, "这是违禁的", "请复核", lambda told: maker.told.fail(told, times=1))


class TestWordlist(ContentPromise):
    @pytest.fixture
    def stage(self) -> ContentStage:
        return ContentStage(Wordlist(), "有可待因口服液", "出售布洛芬")

    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("出 售", Label.SELLING),
            ("出·售", Label.SELLING),
            ("出\u200b售", Label.SELLING),
            ("一盒１００元", Label.SELLING),
            ("一盒二十块钱", Label.SELLING),
            ("有ＰＡＸＬＯＶＩＤ吗", Label.PRESCRIPTION),
            ("有头孢吗", Label.PRESCRIPTION),
            ("把验证码发我", Label.FRAUD),
        ],
    )
    async def test_a_disguised_word_is_found(self, stage: ContentStage, text: str, label: Label) -> None:
        assert (await stage.maker.judge(text)).labels == {label}

    async def test_every_fault_has_its_label(self, stage: ContentStage) -> None:
        verdict = await stage.maker.judge("高价收购头孢，先付押金")

        assert verdict.suggestion is Suggestion.REVIEW
        assert verdict.labels == {Label.SELLING, Label.PRESCRIPTION}


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_a_word_that_folds_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        read_rules("review ads ！！")
