import pytest

from mutualaid.kit.database import Database
from mutualaid.kit.errors import Invalid
from mutualaid.regions import store

KNOWN = [
    (22.8170, 108.3665, "450103", "青秀区"),
    (25.2736, 110.2900, "450304", "象山区"),
    (24.3264, 109.4281, "450202", "城中区"),
    (21.4811, 109.1201, "450502", "海城区"),
    (39.9087, 116.3975, "110101", "东城区"),
    (31.2304, 121.4737, "310101", "黄浦区"),
    (23.0207, 113.7518, "441900", "东莞市"),
    (18.7752, 109.5168, "469001", "五指山市"),
    (22.1987, 113.5439, "820000", "澳门特别行政区"),
]


@pytest.mark.parametrize(("lat", "lng", "code", "name"), KNOWN)
async def test_a_known_place_lies_in_its_district(
    database: Database, lat: float, lng: float, code: str, name: str
) -> None:
    async with database.reading() as session:
        region = await store.locate(session, lat, lng)

    assert region is not None
    assert (region.code, region.name) == (code, name)


@pytest.mark.parametrize(("lat", "lng"), [(35.68, 139.69), (21.03, 105.85), (0.0, 0.0), (19.5, 107.5), (-90.0, 180.0)])
async def test_a_place_abroad_or_far_out_at_sea_lies_in_none(database: Database, lat: float, lng: float) -> None:
    async with database.reading() as session:
        assert await store.locate(session, lat, lng) is None
        assert await store.locate_near(session, lat, lng) is None


async def test_a_point_just_off_the_coast_belongs_to_the_nearest_district(database: Database) -> None:
    async with database.reading() as session:
        off_beihai = (21.5043, 109.0680)  # in the sea west of the old harbour
        assert await store.locate(session, *off_beihai) is None
        near = await store.locate_near(session, *off_beihai)
        assert near is not None and near.code == "450502"
        assert await store.locate_near(session, *off_beihai, within_m=10) is None


async def test_a_point_inside_is_never_given_to_a_neighbour(database: Database) -> None:
    async with database.reading() as session:
        for lat, lng, code, _ in KNOWN:
            near = await store.locate_near(session, lat, lng)
            assert near is not None and near.code == code


async def test_the_provinces_stand_at_the_top_and_districts_at_the_bottom(database: Database) -> None:
    async with database.reading() as session:
        provinces = await store.children(session, None)
        cities = await store.children(session, "450000")
        districts = await store.children(session, "450100")
        municipality = await store.children(session, "110000")
        none = await store.children(session, "450103")

    assert len(provinces) == 34 and [p.code for p in provinces] == sorted(p.code for p in provinces)
    assert len(cities) == 14 and {c.level for c in cities} == {"city"}
    assert [d.name for d in districts][:3] == ["兴宁区", "青秀区", "江南区"]
    assert len(municipality) == 16 and {d.level for d in municipality} == {"district"}
    assert none == []


async def test_a_region_is_found_by_its_code_with_a_point_inside_it(database: Database) -> None:
    async with database.reading() as session:
        region = await store.get(session, "450103")
        assert region is not None and region.path == "广西壮族自治区/南宁市/青秀区"
        assert await store.locate(session, *region.inner) == region
        assert await store.get(session, "999999") is None


async def test_an_unknown_code_is_refused_at_its_field(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(Invalid) as refused:
            await store.require(session, "459999", field="region")

    assert [(e.field, e.code) for e in refused.value.fields] == [("region", "region_unknown")]


@pytest.mark.parametrize(
    ("lat", "lng", "code"),
    [(35.68, 139.69, "outside_china"), (48.0, 22.0, "outside_china"), (31.5, 30.2, "outside_china")],
)
async def test_a_place_outside_is_refused_at_its_field(database: Database, lat: float, lng: float, code: str) -> None:
    async with database.reading() as session:
        with pytest.raises(Invalid) as refused:
            await store.require_at(session, lat, lng, field="place.lat")

    assert [(e.field, e.code) for e in refused.value.fields] == [("place.lat", code)]


async def test_exchanged_coordinates_are_told_as_such(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(Invalid) as refused:
            await store.require_at(session, 87.6, 43.8, field="place.lat")  # 乌鲁木齐, the wrong way round

    assert [e.code for e in refused.value.fields] == ["lat_lng_swapped"]
