"""From what is proposed to what is best: which proposals are withdrawn, altered, made. Pure.

Nobody is moved for nothing: what hangs together changes together, and only where more is met, or the way becomes a good
deal shorter. What the rules no longer allow is withdrawn in any case.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Final

from mutualaid.matching.assigning import Amounts, Edge, apart, tiers
from mutualaid.matching.rules import PROPOSALS_A_NEED, Share

Pair = tuple[str, str]  # the posts: need, offer
Shares = tuple[Share, ...]

_SHORTER: Final = 4  # a move for the way alone saves one part of so many, at least


@dataclass(slots=True)
class Move:
    """What changes together: pairs whose proposal is withdrawn, and for the others the shares that they are to have."""

    withdrawn: list[Pair] = field(default_factory=list)
    altered: dict[Pair, Shares] = field(default_factory=dict)
    made: dict[Pair, Shares] = field(default_factory=dict)

    @property
    def pairs(self) -> list[Pair]:
        return [*self.withdrawn, *self.altered, *self.made]

    @property
    def posts(self) -> set[str]:
        return {post_id for pair in self.pairs for post_id in pair}


def few_givers(
    planned: Mapping[Pair, Shares], taken: Mapping[str, int], *, standing: Collection[Pair] = ()
) -> dict[Pair, Shares]:
    """No more proposals a need than it may have, `taken` counted: the smallest are left out, new ones before others."""
    kept: dict[Pair, Shares] = {}
    count = Counter(taken)

    def order(pair: Pair) -> tuple[int, bool, Pair]:
        return -sum(share.quantity for share in planned[pair]), pair not in standing, pair

    for pair in sorted(planned, key=order):
        if count[pair[0]] < PROPOSALS_A_NEED:
            count[pair[0]] += 1
            kept[pair] = planned[pair]
    return kept


def within(
    edges: Mapping[tuple[str, str], Edge], current: Mapping[Pair, Shares], wanted: Mapping[str, int]
) -> dict[tuple[str, str], Edge]:
    """The edges that may go on to carry what they do: not those to a need's line that was proposed more than it may have."""
    kept: Counter[str] = Counter()
    for shares in current.values():
        for share in shares:
            kept[share.need_line] += share.quantity
    over = {line for line, units in kept.items() if units > wanted.get(line, units)}
    return {lines: edge for lines, edge in edges.items() if lines[0] not in over}


def moves(
    current: Mapping[Pair, Shares], planned: Mapping[Pair, Shares], edges: Mapping[tuple[str, str], Edge]
) -> list[Move]:
    """What to change. Where something is withdrawn or altered, what hangs together changes together, and no other move touches
    its posts. `edges`: by lines, all that the rules allow among these posts."""
    different = [pair for pair in sorted({*current, *planned}) if _amounts(current, pair) != _amounts(planned, pair)]
    found = []
    for together in apart(different, itemgetter(0), itemgetter(1)):
        if _worth_it(together, current, planned, edges):
            if any(pair in current for pair in together):
                found.append(_move(together, current, planned))
            else:  # nothing is taken from anybody, so each need's proposals stand by themselves
                found += [_move(list(each), current, planned) for _, each in groupby(together, key=itemgetter(0))]
    return found


def _move(pairs: Sequence[Pair], current: Mapping[Pair, Shares], planned: Mapping[Pair, Shares]) -> Move:
    move = Move()
    for pair in pairs:
        if pair not in planned:
            move.withdrawn.append(pair)
        elif pair in current:
            move.altered[pair] = planned[pair]
        else:
            move.made[pair] = planned[pair]
    return move


def _amounts(shares: Mapping[Pair, Shares], pair: Pair) -> Amounts:
    return {(share.need_line, share.offer_line): share.quantity for share in shares.get(pair, ())}


def _worth_it(
    pairs: Sequence[Pair],
    current: Mapping[Pair, Shares],
    planned: Mapping[Pair, Shares],
    edges: Mapping[tuple[str, str], Edge],
) -> bool:
    before: Amounts = {}
    after: Amounts = {}
    for pair in pairs:
        before |= _amounts(current, pair)
        after |= _amounts(planned, pair)
    if any(lines not in edges for lines in before):  # no longer allowed
        return True
    was, will = tiers(edges, before), tiers(edges, after)
    if was.worth[:3] != will.worth[:3]:
        return will.worth > was.worth
    return (was.metres - will.metres) * _SHORTER > was.metres
