"""One statement of PostgreSQL for a lot: the same prepared statements, their values as arrays, a row of them for each who asks.

What a statement costs besides its rows (parsing its message, opening tables and indexes, the commit) is paid once for all. The
text is the same for any number of rows.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import JSON, Table, bindparam, select
from sqlalchemy.types import TypeEngine

from mutualaid.kit.prepared import DIALECTS, Prepared, Put, Text, Values
from mutualaid.kit.spots import Cube

_DIALECT: Final = DIALECTS["postgresql"]
_PLACE: Final = re.compile(r"\$(\d+)")


class Each:
    """A statement of parameters, made into one over rows `k`. What the caller gives differs from row to row and comes as arrays,
    of which `k` is made; what is the same for all (constants, the clock) stays a parameter."""

    __slots__ = ("_elements", "_text", "size")

    def __init__(self, text: Text) -> None:
        self._text = text
        self.size = len(text.types)
        self._elements = {at: _element(text.types[at]) for at in text.given}

    def said(self, first: int) -> str:
        """The statement; its parameters begin with this number."""

        def place(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            return f"k.p{at}" if at in self._elements else f"${first + at}"

        return _PLACE.sub(place, self._text.sql)

    def rows(self, first: int, *, numbered: bool = False) -> str:
        """The rows `k`."""
        arrays = ", ".join(f"${first + at}::{name}[]" for at, (name, _) in self._elements.items())
        names = ", ".join(f"p{at}" for at in self._elements)
        return f"unnest({arrays}) WITH ORDINALITY AS k({names}, n)" if numbered else f"unnest({arrays}) AS k({names})"

    def values(self, each: Sequence[Values]) -> list[Any]:
        """The parameters, for these rows."""
        found: list[Any] = list(zip(*map(self._text.values, each), strict=True))
        for at, column in enumerate(found):
            if at not in self._elements:
                found[at] = column[0]
            elif (spell := self._elements[at][1]) is not None:
                found[at] = list(map(spell, column))
        return found


def _element(type_: TypeEngine[Any]) -> tuple[str, Callable[[Any], Any] | None]:
    """What an array of such values is made of. An array of arrays would be taken apart to the end, so these go as texts."""
    impl = type_.dialect_impl(_DIALECT)
    held = getattr(impl, "impl_instance", impl)
    if isinstance(held, JSON):
        return "TEXT", None
    if isinstance(held, Cube):
        return "TEXT", lambda numbers: None if numbers is None else "{" + ",".join(map(repr, numbers)) + "}"
    return str(held.compile(dialect=_DIALECT)).partition("(")[0], None  # a cast to VARCHAR(n) would cut in silence


@lru_cache(maxsize=64)
def _asking(asked: Prepared) -> tuple[Each, str]:
    each = Each(asked.text("postgresql"))
    return each, f"SELECT q.*, k.n FROM {each.rows(1, numbered=True)}, LATERAL ({each.said(1)}) AS q"  # noqa: S608 — ours


def asking(asked: Prepared, lot: Sequence[Values]) -> tuple[str, list[Any]]:
    """A reading statement asked by each of a lot. Its rows end with the number of who asked, from one."""
    each, sql = _asking(asked)
    return sql, each.values(lot)


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Rows that are written alike: into which columns of what, from which statement, and what is told of it."""

    into: str
    each: Each
    told: str

    def insert(self, first: int) -> str:
        rows, said = self.each.rows(first), self.each.said(first)
        return f"INSERT INTO {self.into} SELECT q.* FROM {rows}, LATERAL ({said}) AS q{self.told}"  # noqa: S608 — ours


@lru_cache(maxsize=64)
def _kind_of_rows(table: Table, columns: tuple[str, ...]) -> _Kind:
    values = [bindparam(name, type_=table.c[name].type, required=True) for name in columns]
    return _Kind(_into(table, columns), Each(Text(select(*values), "postgresql")), "")


@lru_cache(maxsize=64)
def _kind_of_statement(prepared: Prepared) -> _Kind:
    """Of an INSERT from a SELECT."""
    statement = prepared.make("postgresql", "")
    told = ", ".join(column.name for column in statement.exported_columns)
    return _Kind(
        _into(statement.table, statement._select_names),
        Each(Text(statement.select, "postgresql")),
        f" RETURNING {told}" if told else "",
    )


def _into(table: Table, columns: Sequence[str]) -> str:
    quote = _DIALECT.identifier_preparer.quote
    return f"{quote(table.name)} ({', '.join(map(quote, columns))})"


@lru_cache(maxsize=256)
def _writing(kinds: tuple[_Kind, ...]) -> str:
    said, first = [], 1
    for kind in kinds:
        said.append(kind.insert(first))
        first += kind.each.size
    others = ", ".join(f"put_{n} AS ({each})" for n, each in enumerate(said[1:], 1))
    return f"WITH {others} {said[0]}" if others else said[0]


def writing(lot: Sequence[Sequence[Put]]) -> tuple[str, list[Any]]:
    """All that a lot writes, as one statement; the first put of each says what is told, a row for each in their order.

    None sees what another wrote; keys that refer to each other's rows are looked at in the end."""
    assert len({puts[0].prepared for puts in lot}) == 1, "what is told is told by one statement"
    rows: dict[_Kind, list[Values]] = {}
    for puts in lot:
        for put in puts:
            if put.rows is None:
                rows.setdefault(_kind_of_statement(put.prepared), []).append(put.values)
            else:
                rows.setdefault(_kind_of_rows(put.rows.table, put.rows.columns), []).extend(put.rows.each)
    values: list[Any] = []
    for kind, each in rows.items():
        values += kind.each.values(each)
    return _writing(tuple(rows)), values
