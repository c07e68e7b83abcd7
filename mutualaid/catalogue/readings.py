"""How characters are read: the table inside the package pypinyin, read as a file. The package itself is never imported:
it would keep 58 MB in memory for what a catalogue needs of it."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mutualaid.catalogue.spelling import Readings

_MODULE: Final = "pypinyin"
_FILE: Final = "pinyin_dict.json"
_ENTRY: Final = re.compile(rb'"(\d+)":\s*"([^"]*)"')  # code point, readings with tone marks between commas


@lru_cache(maxsize=2)  # of the catalogue that stands, and of the one before it
def readings_of(characters: frozenset[str]) -> Readings:
    """Every way in which each of these characters is read, without tones; `ü` is v or u, as people type it.

    What the table does not have is left out. Reading it takes some 20 ms and leaves only what was asked for.
    """
    wanted = {str(ord(character)).encode(): character for character in characters}
    return {
        wanted[entry[1]]: tuple(dict.fromkeys(_typed(entry[2].decode())))
        for entry in _ENTRY.finditer(_file().read_bytes())
        if entry[1] in wanted
    }


def _file() -> Path:
    spec = find_spec(_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {_MODULE} is not installed")
    return Path(spec.submodule_search_locations[0]) / _FILE


def _typed(readings: str) -> Iterator[str]:
    for reading in readings.split(","):
        letters = unicodedata.normalize("NFD", reading)
        for vowel in ("v", "u") if "u\u0308" in letters else ("",):
            plain = letters.replace("u\u0308", vowel)
            yield "".join(c for c in plain if c.isascii() and c.isalpha())
