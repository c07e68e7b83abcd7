from pathlib import Path

import pytest

from mutualaid.providers.realname import ByAppointment, RealnameMaker, Result
from mutualaid.providers.realname.appointment import Appointment
from mutualaid.providers.realname.fake import FakeRealname
from tests.providers.promise_realname import ID_NUMBER, RealnamePromise, RealnameStage


class TestFake(RealnamePromise):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> RealnameStage:
        waited: list[float] = []

        async def sleep(seconds: float) -> None:
            waited.append(seconds)

        maker = FakeRealname(tmp_path, sleep=sleep)
        return RealnameStage(maker, lambda told: maker.told.fail(told, times=1), waited)

    async def test_a_number_that_is_none_does_not_match(self, stage: RealnameStage) -> None:
        assert await stage.maker.check("王雷", "4501", key="a") is Result.MISMATCH


async def test_by_appointment_no_register_is_asked() -> None:
    maker: RealnameMaker = Appointment()

    assert maker.by_appointment
    assert not maker.is_fake
    with pytest.raises(ByAppointment):
        await maker.check("王雷", ID_NUMBER, key="a")
