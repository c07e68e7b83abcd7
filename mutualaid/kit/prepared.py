"""Statements that are compiled once and then run by the driver alone: for the deed that is done most.

A statement is written with SQLAlchemy, from the same tables and types as all others; what it costs each time (making it,
finding its compiled form, an object for every step) is paid once for each dialect. `Prepared` is such a statement, `Put`
one that writes, with its values; `plain.Plain` runs them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    Dialect,
    Executable,
    Insert,
    String,
    Table,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as aiosqlite_dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from mutualaid.kit.instants import Instant, micros

DIALECTS: Final[dict[str, Dialect]] = {"sqlite": aiosqlite_dialect(), "postgresql": asyncpg_dialect()}  # type: ignore[no-untyped-call] # theirs

Make = Callable[[str, str], Any]  # (name of the dialect, what its parameters' names begin with) → a statement
Values = Mapping[str, Any]


class Prepared:
    """`make` says the statement for a dialect; its parameters are `bindparam`s named by their prefix and a name; a
    list in it is a list of such, or of literals. `shared`: many ask it at once, and on PostgreSQL in one question."""

    def __init__(self, make: Make, *, shared: bool = False) -> None:
        self.make = make
        self.shared = shared
        self._texts: dict[str, Text] = {}

    def text(self, dialect: str) -> "Text":
        found = self._texts.get(dialect)
        if found is None:
            found = self._texts[dialect] = Text(self.make(dialect, ""), dialect)
        return found


@dataclass(frozen=True, slots=True)
class Put:
    """A statement that writes, and its values, or the `rows` of a table that it writes. `ahead`: the same where nothing is
    locked yet, which writes only where `still_so` says so of the parameters `seen_of` and `seen_mark`, and fails where
    another has the key."""

    prepared: Prepared
    values: Values = field(default_factory=dict, repr=False)
    ahead: Prepared | None = field(default=None, repr=False)
    rows: "Rows | None" = field(default=None, repr=False)

    def named(self) -> Values:
        """The values by the names of the statement's parameters."""
        if self.rows is None:
            return self.values
        names, each = _numbered(self.rows.columns, len(self.rows.each)), self.rows.each
        return dict(zip(names, chain.from_iterable(row.values() for row in each), strict=True))

    def text_values(self, dialect: str) -> tuple[str, list[Any]]:
        """What the driver is told."""
        text = self.prepared.text(dialect)
        return text.sql, text.values(self.values) if self.rows is None else text.values_of_rows(self.rows.each)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table, all with the same columns in one order."""

    table: Table
    columns: tuple[str, ...]
    each: Sequence[Values] = field(repr=False)


class Text:
    """The compiled form: `sql`, and how the driver is given its values."""

    __slots__ = ("_made", "_named", "_names", "_processed", "_row", "_told", "given", "sql", "types")

    def __init__(self, statement: Executable, dialect: str) -> None:
        compiled: Any = statement.compile(dialect=DIALECTS[dialect])  # type: ignore[attr-defined] # it is a ClauseElement
        if getattr(compiled, "insert_prefetch", None):
            raise ValueError("every column of a prepared row is given by its writer")
        self.sql: str = compiled.string
        self.types: list[TypeEngine[Any]] = [compiled.binds[name].type for name in compiled.positiontup]
        takes = [(at, *_take(compiled, name)) for at, name in enumerate(compiled.positiontup)]
        self._names: list[str | None] = [name if call is None else None for _, name, call, _ in takes]
        self.given = [at for at, name in enumerate(self._names) if name is not None]  # by the caller
        self._named = [name for name in self._names if name is not None]
        self._row: Callable[[Values], tuple[Any, ...]] | None = None
        self._made = [(at, call) for at, _, call, _ in takes if call is not None]
        self._processed = [(at, process) for at, _, _, process in takes if process is not None]
        processes = (each.type._cached_result_processor(DIALECTS[dialect], None) for each in compiled._result_columns)
        self._told = [(at, process) for at, process in enumerate(processes) if process is not None]

    def told(self, rows: Sequence[Any]) -> list[list[Any]]:
        """The driver's rows, in Python's types: moments, dates, what was kept as JSON."""
        found = [list(row) for row in rows]
        for row in found:
            for at, process in self._told:
                row[at] = process(row[at])
        return found

    def values(self, given: Values) -> list[Any]:
        """In the driver's order and types."""
        if self._made:
            found = [None if name is None else given[name] for name in self._names]
            for at, call in self._made:
                found[at] = call()
        else:
            found = [given[name] for name in self._named]
        for at, process in self._processed:
            found[at] = process(found[at])
        return found

    def values_of_rows(self, rows: Sequence[Values]) -> list[Any]:
        """The same of a statement that `_rows` made, which names its parameters row by row."""
        if self._row is None:
            in_order = [name.partition("_")[2] for name in self._named[: len(rows[0])]]
            self._row = itemgetter(*in_order) if len(in_order) > 1 else lambda row: (row[in_order[0]],)
        found = list(chain.from_iterable(map(self._row, rows)))
        for at, process in self._processed:
            found[at] = process(found[at])
        return found


def _take(compiled: Any, name: str) -> tuple[str, Callable[[], Any] | None, Callable[[Any], Any] | None]:
    """(name, what gives the value where the caller does not, what makes it the driver's)."""
    bound = compiled.binds[name]
    process = _quick(bound.type, compiled.dialect) or compiled._bind_processors.get(name)
    if bound.callable is not None:
        return name, bound.callable, process
    if bound.required:
        return name, None, process
    return name, lambda: bound.value, process


class Listed(TypeDecorator[Sequence[Any]]):
    """Values of one type as one parameter: an array of PostgreSQL, JSON for SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, of: TypeEngine[Any] | None = None) -> None:
        super().__init__()
        self.of = of or String()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(self.of))

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        found = list(value or ())
        return json.dumps(found) if dialect.name == "sqlite" else found


def among(of: ColumnElement[str], name: str, dialect: str, prefix: str) -> ColumnElement[bool]:
    """Whether a column is one of the strings that are given under this name, however many those are."""
    given = bindparam(f"{prefix}{name}", type_=Listed(), required=True)
    if dialect == "postgresql":
        return of == func.any(given)
    return of.in_(select(column("value")).select_from(func.json_each(given)))


def one_of(of: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of these, which are always the same."""
    return of.in_([literal(value) for value in values])


def _quick(type_: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """The same as SQLAlchemy's own processor of the type, with fewer calls between."""
    if type(type_) is JSON:
        return _json
    if isinstance(type_, Instant):
        return (lambda moment: None if moment is None else micros(moment)) if dialect.name == "sqlite" else None
    return None


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def rows_of(table: Any, rows: Sequence[Values]) -> Put:
    """Rows of one table (or its mapped class), all with the same columns in one order and every column that has no default in the
    database."""
    columns, table = tuple(rows[0]), getattr(table, "__table__", table)
    return Put(_rows(table, columns, len(rows)), rows=Rows(table, columns, rows))


@lru_cache(maxsize=256)
def _numbered(columns: tuple[str, ...], count: int) -> list[str]:
    return [f"{n}_{name}" for n in range(count) for name in columns]


@lru_cache(maxsize=1024)
def _prefixed(names: tuple[str, ...], n: int) -> list[str]:
    return [f"{n}_{name}" for name in names]


@lru_cache(maxsize=256)
def _rows(table: Table, columns: tuple[str, ...], count: int) -> Prepared:
    def make(_dialect: str, prefix: str) -> Insert:
        return insert(table).values(
            [
                {name: bindparam(f"{prefix}{n}_{name}", type_=table.c[name].type, required=True) for name in columns}
                for n in range(count)
            ]
        )

    return Prepared(make)


@lru_cache(maxsize=256)
def together(first: Prepared, *others: Prepared) -> Text:
    """Several that write as one statement of PostgreSQL, which answers what `first` returns. None sees what another
    wrote; keys that refer to each other's rows are looked at in the end."""
    statement = first.make("postgresql", "0_")
    for n, other in enumerate(others, 1):
        statement = statement.add_cte(other.make("postgresql", f"{n}_").cte(f"put_{n}"))
    return Text(statement, "postgresql")


def values_together(puts: Sequence[Put]) -> dict[str, Any]:
    """The values of them all, named as `together` names them."""
    found: dict[str, Any] = {}
    for n, put in enumerate(puts):
        named = put.named()
        found.update(zip(_prefixed(tuple(named), n), named.values(), strict=True))
    return found
