"""Catalogue files to test with."""

import csv
import io
from importlib.resources import files

from mutualaid.catalogue import sheet
from mutualaid.catalogue.rules import Item
from mutualaid.catalogue.sheet import Line

PACKAGED = (files("mutualaid.catalogue") / "catalogue.csv").read_bytes()


def packaged_items() -> list[Item]:
    return sheet.items(sheet.read(PACKAGED))


def cells(**changes: str) -> dict[str, str]:
    """The cells of a listable medicine, changed as asked."""
    tablet = {
        "code": "paracetamol-tablet",
        "name": "对乙酰氨基酚片",
        "name_en": "Paracetamol tablet",
        "kind": "medicine",
        "group": "发热",
        "ingredient": "paracetamol",
        "form": "tablet",
        "unit": "片",
        "need_max": "6",
        "offer_max": "36",
        "divisible": "yes",
        "nhc_listed": "yes",
        "policy": "listable",
        "aliases": "泰诺林|必理通",
        "expiry_required": "yes",
        "sealed_required": "yes",
        "course_days": "3",
        "min_useful": "2",
        "handover": "any",
    }
    return {**dict.fromkeys(sheet.COLUMNS, ""), **tablet, **changes}


def lines(*rows: dict[str, str]) -> list[Line]:
    return [Line(number, row) for number, row in enumerate(rows, start=2)]


def file_of(*rows: dict[str, str]) -> bytes:
    """The rows as a CSV file, in any column order of their own."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
