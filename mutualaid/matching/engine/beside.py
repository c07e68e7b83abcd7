"""Which lines a line has edges to: those of the last sweep by node, and what came and went since by line."""

from typing import Final

import numpy as np

from mutualaid.matching.engine.nodes import Nodes
from mutualaid.matching.engine.problem import Column

_NONE: Final = np.empty(0, np.int64)


class Beside:
    """One side's edges. `of`: the node of each line here (-1: none); edges lead from node `here[k]` to node `there[k]`."""

    def __init__(self, of: Column, here: Column, there: Column, metres: Column, nodes: Nodes, lines: Nodes) -> None:
        order = np.argsort(here, kind="stable")
        self._begin = np.searchsorted(here[order], np.arange(len(nodes) + 1))
        self._there, self._metres = there[order], metres[order]
        self._lines = lines
        self._of: list[int] = of.tolist()
        self._known: dict[int, tuple[Column, Column]] = {}  # node: its edges
        self._new: dict[int, list[tuple[int, int]]] = {}  # line: (new line there, metres)
        self._own: dict[int, tuple[Column, Column]] = {}  # line: edges that are its alone

    def of_line(self, line: int) -> tuple[Column, Column]:
        """(lines there, metres)."""
        found = self._own.get(line)
        if found is None:
            node = self._of[line]
            found = self._known.get(node) or self._of_node(node)
        if line in self._new:
            new = np.array(self._new.pop(line), np.int64)
            found = self._own[line] = np.append(found[0], new[:, 0]), np.append(found[1], new[:, 1])
        return found

    def _of_node(self, node: int) -> tuple[Column, Column]:
        if node < 0:
            return _NONE, _NONE
        edges = slice(self._begin[node], self._begin[node + 1])
        there, begin = self._there[edges], self._lines.begin
        count = begin[there + 1] - begin[there]
        within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        lines = self._lines.lines[np.repeat(begin[there], count) + within]
        self._known[node] = lines, np.repeat(self._metres[edges], count)
        return self._known[node]

    def add_line(self, lines: Column, metres: Column) -> None:
        """A new line here, with edges of its own."""
        self._own[len(self._of)] = lines, metres
        self._of.append(-1)

    def add_edge(self, line: int, other: int, metres: int) -> None:
        """From a line here to a new line there."""
        self._new.setdefault(line, []).append((other, metres))

    def drop_edge(self, line: int, other: int) -> None:
        """Two lines that no longer are for each other: this line's edges are its own from now on."""
        lines, metres = self.of_line(line)
        rest = lines != other
        self._own[line] = lines[rest], metres[rest]
