"""What every maker of places keeps to. A maker's test class inherits the suite and sets its stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest

from mutualaid.providers.geocoding import Crs, GeocodingMaker, Place, ProviderDown, Throttled

QINGXIU = (22.8143, 108.3706)


@dataclass
class GeocodingStage:
    """A maker, and where it asks the outside, a way to make its next call fail."""

    maker: GeocodingMaker
    fail_next: Callable[[str], None] = lambda told: None

    async def place(self, address: str) -> Place | None:
        return await self.maker.geocode("450103", "广西壮族自治区/南宁市/青秀区", address, inner_point=QINGXIU)


class GeocodingPromise:
    @pytest.fixture
    def stage(self) -> GeocodingStage:
        raise NotImplementedError("each maker sets its own stage")

    async def test_an_address_has_one_place_in_its_district(self, stage: GeocodingStage) -> None:
        first, again = [await stage.place("民族大道1号") for _ in range(2)]

        assert first is not None
        assert first == again
        assert first.crs in get_args(Crs)
        assert abs(first.lat - QINGXIU[0]) < 0.5
        assert abs(first.lng - QINGXIU[1]) < 0.5

    async def test_a_place_does_not_show_itself(self, stage: GeocodingStage) -> None:
        place = await stage.place("民族大道1号")

        assert place is not None
        assert str(place.lat) not in repr(place)


class GeocodingOutsidePromise(GeocodingPromise):
    """For makers that ask somebody outside, who may be down."""

    @pytest.mark.parametrize(("told", "error"), [("down", ProviderDown), ("throttled", Throttled)])
    async def test_an_error_names_no_address(self, stage: GeocodingStage, told: str, error: type[Exception]) -> None:
        stage.fail_next(told)
        with pytest.raises(error) as caught:
            await stage.place("民族大道1号")

        assert "民族" not in f"{caught.value!r} {caught.value}"
