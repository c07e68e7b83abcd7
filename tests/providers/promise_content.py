"""What every maker of text checks keeps to. A maker's test class inherits the suite and sets its stage."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mutualaid.providers.content import LONGEST, ContentMaker, ProviderDown, Scene, Suggestion, Throttled

# Notes as people write them; the first four are innocent lookalikes of contact data (contract of the scrubber).
INNOCENT = [
    "需要布洛芬4粒、N95口罩20只，2023年1月7日前",
    "体温38.5度 一天三次，每次一片",
    "民族大道131号3栋1202",
    "国药准字H20067255",
    "三天没退烧了，孩子两岁，家在三单元，我妈的药也吃完了",
    "免费送，不要钱，自取",
    "",
]


@dataclass
class ContentStage:
    """A maker, a text that it must find risky, one that it wants looked at, and where it asks the outside, a way
    to make its next call fail."""

    maker: ContentMaker
    risky: str
    doubtful: str
    fail_next: Callable[[str], None] = lambda told: None


class ContentPromise:
    @pytest.fixture
    def stage(self) -> ContentStage:
        raise NotImplementedError("each maker sets its own stage")

    @pytest.mark.parametrize("text", INNOCENT)
    async def test_an_innocent_note_passes(self, stage: ContentStage, text: str) -> None:
        verdict = await stage.maker.judge(text)

        assert verdict.suggestion is Suggestion.PASS
        assert not verdict.labels

    async def test_a_bad_note_is_risky_and_a_doubtful_one_is_looked_at(self, stage: ContentStage) -> None:
        bad = await stage.maker.judge(stage.risky)
        doubtful = await stage.maker.judge(stage.doubtful, scene=Scene.COMMENT)

        assert bad.suggestion is Suggestion.RISKY
        assert doubtful.suggestion is Suggestion.REVIEW
        assert bad.labels
        assert doubtful.labels

    async def test_the_worse_of_two_faults_decides(self, stage: ContentStage) -> None:
        assert (await stage.maker.judge(f"{stage.doubtful}；{stage.risky}")).suggestion is Suggestion.RISKY

    async def test_the_longest_text_is_judged_and_a_longer_one_refused(self, stage: ContentStage) -> None:
        assert (await stage.maker.judge("好" * LONGEST)).suggestion is Suggestion.PASS
        with pytest.raises(ValueError, match="too long"):
            await stage.maker.judge("好" * (LONGEST + 1))


class ContentOutsidePromise(ContentPromise):
    """For makers that ask somebody outside, who may be down."""

    @pytest.mark.parametrize(("told", "error"), [("down", ProviderDown), ("throttled", Throttled)])
    async def test_an_error_repeats_no_text(self, stage: ContentStage, told: str, error: type[Exception]) -> None:
        stage.fail_next(told)
        with pytest.raises(error) as caught:
            await stage.maker.judge("三天没退烧了")

        assert "退烧" not in f"{caught.value!r} {caught.value}"
