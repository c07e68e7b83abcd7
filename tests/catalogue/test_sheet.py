import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.catalogue import sheet
from mutualaid.catalogue.sheet import CatalogueRefused
from tests.catalogue.sheets import PACKAGED, cells, file_of, lines, packaged_items


def _faults(*rows: dict[str, str]) -> list[tuple[int, str]]:
    with pytest.raises(CatalogueRefused) as refused:
        sheet.items(lines(*rows))
    return [(fault.line, fault.column) for fault in refused.value.faults]


def test_the_packaged_catalogue_is_whole_and_every_cell_is_taken() -> None:
    raw = list(csv.DictReader(io.StringIO(PACKAGED.decode())))
    items = packaged_items()

    assert len(items) == len(raw) > 50
    for row, item in zip(raw, items, strict=True):
        assert (item.code, item.name, item.name_en) == (row["code"], row["name"], row["name_en"])
        assert (str(item.need_max), str(item.offer_max)) == (row["need_max"], row["offer_max"])
        assert (item.course_days, item.policy) == (int(row["course_days"] or 0), row["policy"])
        assert "|".join(item.aliases) == row["aliases"]
        assert (item.leaflet or "") == row["leaflet_zh"]
        assert item.min_age == (int(row["min_age"]) if row["min_age"] else None)


def test_controlled_medicines_of_the_official_table_are_refused() -> None:
    by_code = {item.code: item for item in packaged_items()}

    for code in ("dextromethorphan", "pholcodine", "compound-liquorice"):
        assert not by_code[code].listable
    assert by_code["dextromethorphan"].nhc_listed


def test_columns_may_stand_in_any_order_and_empty_lines_are_passed_over() -> None:
    row = dict(reversed(cells().items()))

    read = sheet.read(b"\xef\xbb\xbf" + file_of(row) + b",,,\r\n\r\n")

    assert [line.number for line in read] == [2]
    assert sheet.items(read)[0].aliases == ("泰诺林", "必理通")


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"code": ""}, ["code"]),
        ({"code": "Para cetamol"}, ["code"]),
        ({"name": "  "}, ["name"]),
        ({"name_en": "x" * 121}, ["name_en"]),
        ({"name": "对乙酰\u202e氨基酚"}, ["name"]),
        ({"kind": "drug"}, ["kind"]),
        ({"need_max": "six"}, ["need_max"]),
        ({"need_max": "６"}, ["need_max"]),
        ({"need_max": "-1"}, ["need_max"]),
        ({"need_max": "0"}, ["need_max"]),
        ({"offer_max": ""}, ["offer_max"]),
        ({"divisible": "true"}, ["divisible"]),
        ({"policy": "maybe"}, ["policy"]),
        ({"policy": "refused"}, ["reason_en", "reason_zh"]),
        ({"caution_zh": "易燃"}, ["caution_en"]),
        ({"expiry_required": "no"}, ["expiry_required"]),
        ({"sealed_required": "no"}, ["sealed_required"]),
        ({"course_days": "366"}, ["course_days"]),
        ({"min_useful": "7"}, ["min_useful"]),
        ({"min_useful": "0"}, ["min_useful"]),
        ({"handover": "drone"}, ["handover"]),
        ({"min_age": "121"}, ["min_age"]),
        ({"substitute_group": "發熱"}, ["substitute_group"]),
        ({"code": "", "unit": "", "min_age": "x"}, ["code", "min_age", "unit"]),
    ],
)
def test_every_bad_cell_of_a_line_is_named(changes: dict[str, str], columns: list[str]) -> None:
    assert _faults(cells(), cells(**{"code": "other", **changes})) == [(3, column) for column in columns]


def test_faults_of_all_lines_come_at_once_and_a_code_stands_once() -> None:
    assert _faults(cells(unit=""), cells(), cells(need_max="x")) == [
        (2, "unit"),
        (3, "code"),
        (4, "code"),
        (4, "need_max"),
    ]


def _without(column: str) -> bytes:
    row = cells()
    del row[column]
    return file_of(row)


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b"", 1, "code"),
        (_without("policy"), 1, "policy"),
        (file_of({**cells(), "price": "1"}), 1, "price"),
        (file_of(cells()).split(b"\r\n")[0], 1, ""),
        (file_of(cells()) + b"one,two\r\n", 3, ""),
        (file_of(cells()) + b'"never closed', 3, ""),
        ("名称".encode("gb18030"), 1, ""),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(raw: bytes, line: int, column: str) -> None:
    with pytest.raises(CatalogueRefused) as refused:
        sheet.read(raw)

    assert (line, column) in [(fault.line, fault.column) for fault in refused.value.faults]
    assert f"line {line}" in str(refused.value)


@given(st.binary(max_size=300), st.dictionaries(st.sampled_from(sheet.COLUMNS), st.text(max_size=30)))
def test_whatever_a_file_holds_it_is_read_or_refused(raw: bytes, changes: dict[str, str]) -> None:
    for attempt in (lambda: sheet.read(raw), lambda: sheet.items(lines(cells(**changes)))):
        try:
            attempt()
        except CatalogueRefused as refused:
            assert refused.faults
