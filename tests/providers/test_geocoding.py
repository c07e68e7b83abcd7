from pathlib import Path

import pytest

from mutualaid.providers.geocoding import Place
from mutualaid.providers.geocoding.district import District
from mutualaid.providers.geocoding.fake import FakeGeocoding
from tests.providers.promise_geocoding import QINGXIU, GeocodingOutsidePromise, GeocodingPromise, GeocodingStage


class TestFake(GeocodingOutsidePromise):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> GeocodingStage:
        maker = FakeGeocoding(tmp_path)
        return GeocodingStage(maker, lambda told: maker.told.fail(told, times=1))

    async def test_an_address_with_a_wrong_sign_is_unknown(self, stage: GeocodingStage) -> None:
        assert await stage.place("错路1号") is None


class TestDistrict(GeocodingPromise):
    @pytest.fixture
    def stage(self) -> GeocodingStage:
        return GeocodingStage(District())

    async def test_the_place_says_that_it_stands_for_the_district(self, stage: GeocodingStage) -> None:
        assert await stage.place("错路1号") == Place(*QINGXIU, "wgs84", exact=False)
