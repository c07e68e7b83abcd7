"""A catalogue file: UTF-8 CSV read into lines, lines into items, every fault named by line and column. Pure."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from mutualaid.catalogue.rules import Item

COLUMNS = (
    "code",
    "name",
    "name_en",
    "kind",
    "group",
    "ingredient",
    "form",
    "unit",
    "need_max",
    "offer_max",
    "divisible",
    "nhc_listed",
    "policy",
    "reason_zh",
    "reason_en",
    "caution_zh",
    "caution_en",
    "aliases",
    "leaflet_zh",
    "expiry_required",
    "sealed_required",
    "course_days",
    "min_useful",
    "handover",
    "min_age",
    "substitute_group",
)
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = {"code": 64, "unit": 8, "reason_zh": 200, "reason_en": 200, "leaflet_zh": 500}
_LONGEST_ELSE = 120
_MOST_LINES = 5000


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the file as text: `number` is its line, 1 being the header."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the file; `column` is empty where the whole line is meant."""

    line: int
    column: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}{', ' + self.column if self.column else ''}: {self.why}"


class CatalogueRefused(Exception):
    """The file has faults, all of them listed, and nothing was changed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (fault.line, fault.column))
        super().__init__("\n".join(map(str, self.faults)))


def read(raw: bytes) -> list[Line]:
    """The lines of a CSV file (UTF-8, with or without a mark, any line ends). Raises `CatalogueRefused`."""
    try:
        reader = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        faults = [Fault(1, name, "this column is missing") for name in COLUMNS if name not in header]
        faults += [Fault(1, name, "this column is not known") for name in header if name not in COLUMNS]
        faults += [Fault(1, name, "this column stands twice") for name in {n for n in header if header.count(n) > 1}]
        if faults:
            raise CatalogueRefused(faults)
        lines = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                faults.append(Fault(reader.line_num, "", f"{len(cells)} cells where the header has {len(header)}"))
                continue
            lines.append(Line(reader.line_num, dict(zip(header, cells, strict=True))))
    except UnicodeDecodeError:
        raise CatalogueRefused([Fault(1, "", "the file is not UTF-8")]) from None
    except csv.Error as problem:
        raise CatalogueRefused([Fault(reader.line_num, "", str(problem))]) from None
    if not faults and not 0 < len(lines) <= _MOST_LINES:
        faults.append(Fault(1, "", f"a catalogue has 1 to {_MOST_LINES} items"))
    if faults:
        raise CatalogueRefused(faults)
    return lines


def items(lines: Iterable[Line]) -> list[Item]:
    """The items in their order. Raises `CatalogueRefused` with every bad cell of every line."""
    found, faults, seen = [], [], dict[str, int]()
    for line in lines:
        cells = _Cells(line)
        item = _item(cells)
        first = seen.setdefault(item.code, line.number)
        if item.code and first != line.number:
            cells.blame("code", f"stands on line {first} already")
        faults += cells.faults
        found.append(item)
    if faults:
        raise CatalogueRefused(faults)
    return found


class _Cells:
    """Takes cells as values; a bad one is blamed and a harmless value stands in for it until the line is refused."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.faults: list[Fault] = []

    def blame(self, column: str, why: str) -> None:
        if all(fault.column != column for fault in self.faults):
            self.faults.append(Fault(self._line.number, column, why))

    def bad(self, *columns: str) -> bool:
        return any(fault.column in columns for fault in self.faults)

    def maybe(self, column: str) -> str | None:
        text = unicodedata.normalize("NFC", self._line.cells.get(column, "")).strip()
        if len(text) > (longest := _LONGEST.get(column, _LONGEST_ELSE)):
            self.blame(column, f"at most {longest} characters")
        if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in text):
            self.blame(column, "control or hidden characters")
        return text or None

    def text(self, column: str) -> str:
        if (text := self.maybe(column)) is None:
            self.blame(column, "is empty")
        return text or ""

    def code(self, column: str) -> str:
        text = self.text(column)
        if text and not _CODE.fullmatch(text):
            self.blame(column, "lower-case letters, digits and single hyphens only")
        return text

    def maybe_number(self, column: str, least: int, most: int) -> int | None:
        if (text := self.maybe(column)) is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 6 and least <= int(text) <= most):
            self.blame(column, f"a whole number from {least} to {most}")
            return None
        return int(text)

    def number(self, column: str, least: int, most: int) -> int:
        number = self.maybe_number(column, least, most)
        if number is None:
            self.blame(column, f"a whole number from {least} to {most}")
        return least if number is None else number

    def word(self, column: str, *words: str) -> str:
        text = self.text(column)
        if text not in words:
            self.blame(column, "one of: " + ", ".join(words))
        return text

    def yes(self, column: str) -> bool:
        return self.word(column, "yes", "no") == "yes"


def _item(cells: _Cells) -> Item:
    item = Item(
        code=cells.code("code"),
        name=cells.text("name"),
        name_en=cells.text("name_en"),
        kind="medicine" if cells.word("kind", "medicine", "goods") == "medicine" else "goods",
        group=cells.text("group"),
        ingredient=cells.text("ingredient"),
        form=cells.text("form"),
        unit=cells.text("unit"),
        need_max=cells.number("need_max", 0, 9999),
        offer_max=cells.number("offer_max", 0, 9999),
        divisible=cells.yes("divisible"),
        nhc_listed=cells.yes("nhc_listed"),
        policy="refused" if cells.word("policy", "listable", "refused") == "refused" else "listable",
        reason_zh=cells.maybe("reason_zh"),
        reason_en=cells.maybe("reason_en"),
        caution_zh=cells.maybe("caution_zh"),
        caution_en=cells.maybe("caution_en"),
        aliases=tuple(alias.strip() for alias in (cells.maybe("aliases") or "").split("|") if alias.strip()),
        leaflet_zh=cells.maybe("leaflet_zh"),
        expiry_required=cells.yes("expiry_required"),
        sealed_required=cells.yes("sealed_required"),
        course_days=cells.maybe_number("course_days", 0, 365) or 0,
        min_useful=cells.number("min_useful", 1, 9999),
        handover="pickup" if cells.word("handover", "any", "pickup") == "pickup" else "any",
        min_age=cells.maybe_number("min_age", 0, 120),
        substitute_group=cells.code("substitute_group") if cells.maybe("substitute_group") else None,
    )
    _agree(item, cells)
    return item


def _agree(item: Item, cells: _Cells) -> None:
    """What the cells of one line say together."""
    if not cells.bad("policy"):
        if item.policy == "refused":
            for column in ("reason_zh", "reason_en"):
                if not cells.maybe(column):
                    cells.blame(column, "what is refused says why, in both languages")
        else:
            for column, most in (("need_max", item.need_max), ("offer_max", item.offer_max)):
                if most < 1:
                    cells.blame(column, "at least 1 for what may be listed")
            if item.min_useful > item.need_max and not cells.bad("need_max", "min_useful"):
                cells.blame("min_useful", "more than a need may ask for")
    if not cells.bad("kind") and item.is_medicine:
        for column, required in (("expiry_required", item.expiry_required), ("sealed_required", item.sealed_required)):
            if not required:
                cells.blame(column, "yes for every medicine")
    if (item.caution_zh is None) != (item.caution_en is None):
        missing = "caution_en" if item.caution_zh else "caution_zh"
        cells.blame(missing, "a caution is said in both languages or in neither")
