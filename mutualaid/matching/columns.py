"""Columns of the engine's problem while they are read or made: numbers for names, one row a line. Loads numpy."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

from mutualaid.catalogue.rules import Item
from mutualaid.kit.clock import SHANGHAI
from mutualaid.matching.engine.problem import NEVER, NO_GROUP, WAYS, Column, Items, no_pairs

_EPOCH: Final = date(1970, 1, 1)


@dataclass(slots=True)
class Numbers:
    """Whatever has a name gets a number, in the order in which it comes."""

    names: list[Any] = field(default_factory=list)
    _of: dict[Any, int] = field(default_factory=dict)

    def of(self, name: Hashable) -> int:
        number = self._of.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number

    def known(self, name: Hashable) -> int | None:
        return self._of.get(name)


class Rows:
    """The columns of one kind of lines while they grow."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.columns: dict[str, list[int]] = {}

    def add(self, line_id: str, **values: int) -> None:
        self.ids.append(line_id)
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)

    def less(self, amounts: Mapping[str, int]) -> None:
        """So much less of these lines, where they are among these."""
        for n, line_id in enumerate(self.ids if amounts else ()):
            self.columns["quantity"][n] -= amounts.get(line_id, 0)

    def column(self, name: str) -> Column:
        return column(self.columns.get(name, ()))

    def lines(self, kind: Any, flags: Collection[str] = ()) -> Any:
        """As `Needs` or `Offers`."""
        names = kind.__dataclass_fields__
        return kind(**{name: self.column(name).astype(np.bool_ if name in flags else np.int64) for name in names})


def column(values: Iterable[Any]) -> Column:
    return np.array(list(values), np.int64)


def pairs(found: Iterable[tuple[Any, Any]], number: Callable[[Any], int | None]) -> Column:
    """Those of the pairs whose ends both have a number."""
    rows = [(a, b) for one, other in found if (a := number(one)) is not None and (b := number(other)) is not None]
    return np.array(rows, np.int64).reshape(-1, 2) if rows else no_pairs()


def day(expires_on: date | None) -> int:
    return NEVER if expires_on is None else (expires_on - _EPOCH).days


def zone(now: datetime) -> int:
    """Microseconds that the calendar is ahead of UTC."""
    return (now.astimezone(SHANGHAI).utcoffset() or timedelta()) // timedelta(microseconds=1)


def items(catalogue: Sequence[Item]) -> Items:
    """The catalogue as the engine reads it."""
    groups = Numbers()
    any_way = sum(WAYS.values())

    def of(value: Callable[[Item], int]) -> Column:
        return column(value(item) for item in catalogue)

    return Items(
        listable=np.array([item.listable for item in catalogue], np.bool_),
        group=of(lambda item: groups.of(item.substitute_group) if item.substitute_group else NO_GROUP),
        ways=of(lambda item: any_way if item.handover == "any" else WAYS[item.handover]),
        least=of(lambda item: item.min_useful if item.divisible else 1),
        course=of(lambda item: item.course_days),
        min_age=of(lambda item: item.min_age or 0),
    )
