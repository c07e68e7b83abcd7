"""The nearest counterparts of each node, found by a k-d tree on the unit sphere. `pricing` adds what these leave out."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from mutualaid.matching.engine import distances, legal
from mutualaid.matching.engine.legal import Bars
from mutualaid.matching.engine.nodes import Levels, Nodes
from mutualaid.matching.engine.problem import Column, Floats, Problem, distinct

NEAREST: Final = 16  # of each node, both ways: a sweep adds the pairs that it finds wanting
NEAREST_OF_BOOK: Final = (
    32  # a book adds none between lines that were there before: with 16 its ways were up to 0.26 % longer
)
Edges = tuple[Column, Column, Column]  # need nodes, offer nodes, metres
_ALIKE: Final = 8  # of so many neighbours one may be alike: 16 have room for two of a kind, 32 for four
_APART: Final = 8.0  # markets along the fourth axis: farther than any two points of the sphere


@dataclass(frozen=True, slots=True)
class Task:
    """A batch as it travels to the process that solves it. `problem`: one line of each node, in the order of the nodes."""

    problem: Problem
    market_need: Column
    market_offer: Column
    alike_need: Column
    alike_offer: Column
    supply: Column
    levels: Levels
    weight: int
    near: int = NEAREST

    @classmethod
    def of(
        cls,
        problem: Problem,
        needs: Nodes,
        offers: Nodes,
        levels: Levels,
        n: Column,
        o: Column,
        weight: int,
        near: int = NEAREST,
    ) -> "Task":
        """Of these need nodes and offer nodes. `levels`: of all nodes of needs; `weight`: see `network`; `near`: so many
        counterparts are looked for first."""
        of_needs, of_offers = problem.needs.take(needs.first[n]), problem.offers.take(offers.first[o])
        posts, members = problem.barred_posts, problem.barred_members
        here = np.concatenate((of_needs.member, of_offers.member))
        own = replace(
            problem,
            needs=of_needs,
            offers=of_offers,
            barred_posts=posts[np.isin(posts[:, 0], of_needs.post)],
            barred_members=members[np.isin(members[:, 0], here) & np.isin(members[:, 1], here)],
        )
        return cls(
            own,
            needs.market[n],
            offers.market[o],
            needs.alike[n],
            offers.alike[o],
            offers.quantity[o],
            levels.take(n),
            weight,
            near,
        )


class Ground:
    """A batch: its nodes, numbered from 0, and where they are (x, y, z, market)."""

    def __init__(self, task: Task) -> None:
        problem = task.problem
        needs, offers = problem.needs, problem.offers
        self._problem = problem
        self._bars = Bars(problem)
        market = np.unique(np.concatenate((task.market_need, task.market_offer)), return_inverse=True)[1] * _APART
        self.at_need = np.column_stack((distances.on_sphere(needs.lat, needs.lng), market[: len(needs)]))
        self.at_offer = np.column_stack((distances.on_sphere(offers.lat, offers.lng), market[len(needs) :]))
        self.alike_need, self.alike_offer = task.alike_need, task.alike_offer
        self.reach = min(int(needs.reach.max()), int(offers.reach.max()))  # metres that no pair exceeds

    def metres(self, n: Column, o: Column) -> Column:
        needs, offers = self._problem.needs, self._problem.offers
        return distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o])

    def lawful(self, n: Column, o: Column) -> Edges:
        """Those of the pairs that no rule bars."""
        metres = self.metres(n, o)
        fine = legal.allowed(self._problem, self._bars, n, o, metres)
        return n[fine], o[fine], metres[fine]


def nearest(ground: Ground, k: int) -> Edges:
    """The pairs that no rule bars, among each node's k nearest of the other kind, both ways. Of nodes that are alike few stand
    for all: the hundred at one spot would leave no room for anything beyond it."""
    width = len(ground.at_need)
    few = max(k // _ALIKE, 1)
    n_near, o_near = _found(ground.at_need, ground.at_offer, few_of_each(ground.alike_offer, few), k, ground.reach)
    o_back, n_back = _found(ground.at_offer, ground.at_need, few_of_each(ground.alike_need, few), k, ground.reach)
    keys = distinct(np.concatenate((o_near * width + n_near, o_back * width + n_back)))
    return ground.lawful(keys % width, keys // width)


def _found(these: Floats, those: Floats, first: Column, k: int, reach: int) -> tuple[Column, Column]:
    """(place among these, place among those) of every pair of neighbours within reach, the first of those alone."""
    bound = float(distances.chord(reach)) * (1 + 1e-9) + 1e-12
    k = min(k, len(first))
    _, at = cKDTree(those[first]).query(these, k=[*range(1, k + 1)], distance_upper_bound=bound)
    here = np.repeat(np.arange(len(these)), k)
    there = at.reshape(-1).astype(np.int64)
    within = there < len(first)
    return here[within], first[there[within]]


def few_of_each(alike: Column, most: int) -> Column:
    """At most so many nodes of each number, the first: where one may meet all, it is the first."""
    order = np.argsort(alike, kind="stable")
    begin = np.flatnonzero(np.diff(alike[order], prepend=-1))
    within = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
    return order[within < most]
