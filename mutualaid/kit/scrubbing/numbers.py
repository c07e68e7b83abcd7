"""What is found by its digits: phones, landlines, identity numbers, bank cards, QQ numbers.

Every pattern is of bounded length per starting point, so time stays linear in the text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Final

from mutualaid.kit.scrubbing.fold import BORROWED, Kind, Reading, Span, may_be_digit, readings

_GAP: Final = " {0,5}"  # between the digits of a disguised number
_NARROW: Final = " {0,2}"
_FEWEST: Final = 5  # digits of the shortest number that is looked for, a QQ number
_MORE: Final = rf"(?:{_GAP}\d)"

_MOBILE: Final = rf"(?:(?:0{_GAP}0{_GAP})?8{_GAP}6{_GAP}|0{_GAP})?1{_GAP}[3-9]{_MORE}{{9}}(?!\d)"
_ABROAD: Final = rf"(?:852|853|886){_GAP}[1-9]{_MORE}{{7,8}}(?!\d)"
_TWO_DIGIT_AREA: Final = rf"0{_GAP}(?:1{_GAP}0|2{_GAP}[0-57-9]){_GAP}[1-9]{_MORE}{{7}}"
_THREE_DIGIT_AREA: Final = rf"0{_GAP}[3-9]{_MORE}{{2}}{_GAP}[2-9]{_MORE}{{6,7}}"
_EXTENSION: Final = rf"(?:{_GAP}(?:转|轉|分机|ext){_GAP}\d{_MORE}{{0,4}})?"
_SERVICE: Final = rf"[48]{_NARROW}0{_NARROW}0(?:{_NARROW}\d){{7}}(?!\d)"
_MONTH: Final = rf"(?:0{_GAP}[1-9]|1{_GAP}[0-2])"
_DAY: Final = rf"(?:0{_GAP}[1-9]|[12]{_GAP}\d|3{_GAP}[01])"
_YEAR: Final = rf"(?:1{_GAP}[89]|2{_GAP}0){_MORE}{{2}}"
_ID_18: Final = rf"[1-9]{_MORE}{{5}}{_GAP}{_YEAR}{_GAP}{_MONTH}{_GAP}{_DAY}{_MORE}{{3}}{_GAP}[\dx](?!\d)"
_ID_15: Final = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5])\d{6}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?!\d)"

# Overlapping starts are all tried (the look-ahead consumes nothing): a stray digit in front must not shield a phone.
_SHAPES: Final[tuple[tuple[Kind, str], ...]] = (
    ("id_number", _ID_18),
    ("id_number", _ID_15),
    ("phone", _MOBILE),
    ("phone", _ABROAD),
    ("landline", rf"(?:{_TWO_DIGIT_AREA}|{_THREE_DIGIT_AREA})(?!\d){_EXTENSION}"),
    ("landline", _SERVICE),
)
_PLAIN: Final = tuple((kind, re.compile(rf"(?<!\d)(?=({shape}))")) for kind, shape in _SHAPES)
_NAMED: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("landline", re.compile(r"(?:电话|座机|固话|热线|tel|phone)(?:号码?|是|为| ){0,6}+([2-9](?: {0,2}\d){6,7})(?!\d)")),
    (
        "qq",
        re.compile(
            r"(?:(?<![a-z])q {0,3}q|扣扣|抠抠|叩叩|企鹅|球球|群号|[加进入]群)(?:号码?|群|是|为|加|我| ){0,8}+"
            r"([1-9](?: {0,2}\d){4,10})(?!\d)"
        ),
    ),
    ("qq", re.compile(r"(?<![a-z])q(?:号码?|群|是|为| ){0,4}+([1-9](?: {0,2}\d){5,10})(?!\d)")),
)
_INTERNATIONAL: Final = re.compile(rf"(?<!\d)(?=([1-9]{_MORE}{{7,14}}(?!\d)))")
_CARD: Final = re.compile(r"(?<!\d)(?=(?:62|60|4|5[1-5]|35|3[0678]|81|9558))")

# ---- what looks like a number and is a timetable ------------------------------------------------------------------

_CLOCK: Final = r"(?:[01]?\d|2[0-4])[:点时][0-5]\d分?"
_HOURS: Final = rf"{_CLOCK}(?:\s?[-~—–至到]\s?{_CLOCK})?"
_MONTH_DAY: Final = r"(?:1[0-2]|0?[1-9])[-/.月](?:3[01]|[12]\d|0?[1-9])[日号]?"
_DATE: Final = rf"(?:19|20)\d\d[-/.年]{_MONTH_DAY}"
_HEAT: Final = r"(?:3[4-9]|4[0-3])(?:\.\d)?\s?(?:°c|度)?"  # degrees of a body
_PAUSE: Final = r"[\s,;、。t]{1,3}"
_ENTRY: Final = (
    rf"(?>(?:(?:{_DATE}|{_MONTH_DAY}){_PAUSE})?{_HOURS}(?:{_PAUSE}{_HEAT})?"
    rf"|{_DATE}(?:{_PAUSE}{_HEAT})?|{_MONTH_DAY}{_PAUSE}{_HEAT})(?!\d)"
)
_QUANTITY: Final = r"\d{1,2}(?=\s?[盒片粒瓶包支个只袋板份套次天人])"
_TIMETABLE: Final = re.compile(rf"(?<![\d.]){_ENTRY}(?:{_PAUSE}(?:{_ENTRY}|{_QUANTITY}))*+")
_COUNTING: Final = re.compile(r"(?<![\d.])\d{1,3}(?:[、,/\s]{1,2}\d{1,3}){4,}+(?!\d)")
_DECIMAL: Final = re.compile(r"0\.\d{1,3}(?![\d.])")


def find(folded: str) -> Iterator[Span]:
    """Every number that must not stay, in any reading of the text."""
    if sum(map(may_be_digit, folded)) < _FEWEST:
        return
    innocent = _innocent(folded)
    for reading in readings(folded):
        for span in _in_reading(folded, reading):
            if not _covered(span, innocent) and not _borrowed(folded, reading, span):
                yield span


def _in_reading(folded: str, reading: Reading) -> Iterator[Span]:
    text = reading.text
    for kind, pattern in _PLAIN:
        for found in pattern.finditer(text):
            start, end = found.span(1)
            if kind == "landline" and _DECIMAL.match(folded, start):
                continue  # 0.25*24*2 is a strength
            yield Span(start - (start > 0 and folded[start - 1] == "+"), end, kind)
    for kind, pattern in _NAMED:
        for found in pattern.finditer(text):
            yield Span(*found.span(1), kind)
    for found in _INTERNATIONAL.finditer(text):
        start, end = found.span(1)
        if folded[start - 1 : start] == "+" and not folded[max(start - 2, 0) : start - 1].isdigit():
            yield Span(start - 1, end, "phone")
    yield from _cards(text)


def _cards(text: str) -> Iterator[Span]:
    """Bank cards: 16 to 19 digits with a right Luhn sum."""
    for found in _CARD.finditer(text):
        places = [found.start()]
        at = found.start() + 1
        while len(places) < 20 and at - places[-1] <= 3 and at < len(text):
            if text[at].isdigit():
                places.append(at)
            elif text[at] != " ":
                break
            at += 1
        for length in range(min(len(places), 19), 15, -1):
            end = places[length - 1] + 1
            if not text[end : end + 1].isdigit() and _luhn([int(text[place]) for place in places[:length]]):
                yield Span(places[0], end, "bank_card")
                break


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _borrowed(folded: str, reading: Reading, span: Span) -> bool:
    """In the reading of letters as digits: a word, not a number, or a number that goes on as a word to its left."""
    if not reading.letters:
        return False
    written = zip(reading.text[span.start : span.end], folded[span.start : span.end], strict=True)
    own_digits = sum(read.isdigit() and character not in BORROWED for read, character in written)
    before = folded[span.start - 1 : span.start]
    return own_digits < 3 or (before.isascii() and before.isalnum())


def _innocent(folded: str) -> list[tuple[int, int]]:
    """Stretches that are timetables (1-7 18:00 38.5, 22:00 39.1) or countings (1、3、5、7、9), in order of place."""
    stretches = [found.span() for found in _TIMETABLE.finditer(folded)]
    for found in _COUNTING.finditer(folded):
        written = re.findall(r"\d+", found[0])
        numbers = [int(number) for number in written]
        steps = [after - before for before, after in pairwise(numbers)]
        if all(1 <= step <= 3 for step in steps) and not any(number.startswith("0") for number in written):
            stretches.append(found.span())
    return sorted(stretches)


def _covered(span: Span, innocent: list[tuple[int, int]]) -> bool:
    nearest = bisect_right(innocent, span.start, key=itemgetter(0)) - 1
    return nearest >= 0 and span.end <= innocent[nearest][1]
