"""What every maker that can be asked keeps to. A maker's test class inherits the suite and sets its stage."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mutualaid.providers.realname import ProviderDown, RealnameMaker, Result, Throttled

ID_NUMBER = "45010319950615001" + "4"  # synthetic, check digit computed


@dataclass
class RealnameStage:
    """A maker whose register holds 王雷, has 错雷 with another number, does not have 无雷, and never answers for
    慢雷.
    """

    maker: RealnameMaker
    fail_next: Callable[[str], None]
    waited: list[float]


class RealnamePromise:
    @pytest.fixture
    def stage(self) -> RealnameStage:
        raise NotImplementedError("each maker sets its own stage")

    @pytest.mark.parametrize(
        ("name", "result"), [("王雷", Result.MATCH), ("错雷", Result.MISMATCH), ("无雷", Result.NO_RECORD)]
    )
    async def test_the_register_answers(self, stage: RealnameStage, name: str, result: Result) -> None:
        assert not stage.maker.by_appointment
        assert await stage.maker.check(name, ID_NUMBER, key="a") is result

    async def test_the_same_question_has_the_same_answer(self, stage: RealnameStage) -> None:
        answers = {await stage.maker.check("王雷", ID_NUMBER, key="a") for _ in range(3)}

        assert answers == {Result.MATCH}

    async def test_a_slow_register_is_given_up_in_time(self, stage: RealnameStage) -> None:
        with pytest.raises(ProviderDown) as caught:
            await stage.maker.check("慢雷", ID_NUMBER, key="a")

        assert caught.value.retryable
        assert sum(stage.waited) <= 2.5

    @pytest.mark.parametrize(("told", "error"), [("down", ProviderDown), ("throttled", Throttled)])
    async def test_an_error_names_nobody(self, stage: RealnameStage, told: str, error: type[Exception]) -> None:
        stage.fail_next(told)
        with pytest.raises(error) as caught:
            await stage.maker.check("王雷", ID_NUMBER, key="a")

        shown = f"{caught.value!r} {caught.value}"
        assert "王雷" not in shown
        assert ID_NUMBER not in shown
