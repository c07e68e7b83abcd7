"""What flows between nodes, as quantities between lines. Every way of doing it is equally good for all four tiers."""

import numpy as np

from mutualaid.matching.engine.nodes import Nodes
from mutualaid.matching.engine.problem import Column, Problem, distinct

Shares = tuple[Column, Column, Column]  # need lines, offer lines, quantities


def share_out(problem: Problem, needs: Nodes, offers: Nodes, n: Column, o: Column, x: Column) -> Shares:
    """Lay each node's lines end to end, and what flows along them likewise; where the ends meet, the quantities part.

    n, o, x: need node, offer node and units of each edge. A node's highest ranks come first. At most as many pairs come
    of it as there are edges and lines.
    """
    used = np.flatnonzero(x > 0)
    used = used[np.lexsort((n[used], o[used]))]
    n, o, x = n[used], o[used], x[used]
    edge, line_o, units = _overlay(x, o, problem.offers.quantity, offers)
    order = np.lexsort((np.arange(len(edge)), n[edge]))
    edge, line_o, units = edge[order], line_o[order], units[order]
    piece, line_n, units = _overlay(units, n[edge], problem.needs.quantity, needs)
    return line_n, line_o[piece], units


def _overlay(x: Column, node: Column, quantity: Column, nodes: Nodes) -> tuple[Column, Column, Column]:
    """(flow, line, units): flows x, sorted by node, cut where the node's lines end."""
    if not len(x):
        return x, x, x
    held = quantity[nodes.lines]
    line_end = np.cumsum(held)
    base = np.append(0, line_end)[nodes.begin]
    flow_end = np.cumsum(x)
    first = np.append(True, np.diff(node) != 0)
    before = (flow_end - x)[first][np.cumsum(first) - 1]
    begin = base[node] + (flow_end - x) - before
    end = begin + x
    cuts = distinct(np.concatenate((begin, end, line_end)))
    flow = np.searchsorted(begin, cuts[:-1], "right") - 1
    inside = (flow >= 0) & (cuts[:-1] < end[np.maximum(flow, 0)])
    flow, left, right = flow[inside], cuts[:-1][inside], cuts[1:][inside]
    line = np.searchsorted(line_end, left, "right")
    return flow, nodes.lines[line], right - left
