"""The engine's plan beside what is proposed: which proposals to withdraw, alter, make. In the sweep's own process."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.matching import moving
from mutualaid.matching.assigning import Edge, Tiers, tiers
from mutualaid.matching.engine import distances, legal
from mutualaid.matching.engine.legal import Bars
from mutualaid.matching.engine.plan import Part, Plan
from mutualaid.matching.engine.problem import NO_ITEM, NOWHERE
from mutualaid.matching.engine.sweep import sweep as whole
from mutualaid.matching.ground import Pair
from mutualaid.matching.market import Market
from mutualaid.matching.moving import Move, Shares
from mutualaid.matching.planning import Planned
from mutualaid.matching.rules import Share


def sweep(market: Market, catalogue: Catalogue) -> Planned:
    """Run the engine; what its plan would change."""
    plan = whole(market.problem)
    rows_of = (
        {line: n for n, line in enumerate(market.need_lines)},
        {line: n for n, line in enumerate(market.offer_lines)},
    )
    current, beside = _told_apart(market, *rows_of)
    planned = _by_pair(market, plan, catalogue)
    taken = market.taken + Counter(need_id for need_id, _ in beside)
    fresh = {pair: shares for pair, shares in planned.items() if pair not in beside}
    kept = moving.few_givers(fresh, taken, standing=current) | {p: planned[p] for p in planned if p in beside}
    edges = dict(_edges(market, plan, current, *rows_of))
    wanted = dict(zip(market.need_lines, market.problem.needs.quantity.tolist(), strict=True))
    found = moving.moves(current, kept, moving.within(edges, current, wanted))
    moves = [_with_the_rest(move, beside) for move in found]
    return Planned(moves, market.proposals, _report(market, plan, moves, current, edges))


def _told_apart(
    market: Market, need_rows: dict[str, int], offer_rows: dict[str, int]
) -> tuple[dict[Pair, Shares], dict[Pair, Shares]]:
    """What stands proposed of this market, and what the same two posts are proposed of others, which is not its to move."""
    here: dict[Pair, Shares] = {}
    beside: dict[Pair, Shares] = {}
    for pair, proposal in market.proposals.items():
        for share in proposal.shares:
            known = share.need_line in need_rows or share.offer_line in offer_rows
            which = here if known else beside
            which[pair] = (*which.get(pair, ()), share)
    return here, beside


def _with_the_rest(move: Move, beside: Mapping[Pair, Shares]) -> Move:
    """The move with what its pairs are proposed of other markets: two posts have one proposal, whatever is in it."""
    wanted = move.altered | {pair: () for pair in move.withdrawn} | move.made
    standing = {*move.altered, *move.withdrawn}
    found = Move()
    for pair, shares in wanted.items():
        both = (*beside.get(pair, ()), *shares)
        if not both:
            found.withdrawn.append(pair)
        elif pair in standing or pair in beside:
            found.altered[pair] = both
        else:
            found.made[pair] = both
    return found


def _by_pair(market: Market, plan: Plan, catalogue: Catalogue) -> dict[Pair, Shares]:
    needs, offers, posts = market.problem.needs, market.problem.offers, market.posts.names
    found: dict[Pair, list[Share]] = {}
    for n, o, units in zip(plan.need.tolist(), plan.offer.tolist(), plan.quantity.tolist(), strict=True):
        item = catalogue.items[int(offers.item[o])].code
        share = Share(market.need_lines[n], market.offer_lines[o], item, units)
        found.setdefault((posts[int(needs.post[n])], posts[int(offers.post[o])]), []).append(share)
    return {pair: tuple(shares) for pair, shares in found.items()}


def _edges(
    market: Market, plan: Plan, current: dict[Pair, Shares], need_rows: dict[str, int], offer_rows: dict[str, int]
) -> Iterator[tuple[tuple[str, str], Edge]]:
    """Everything that is planned, and what is proposed as far as the rules still allow it."""
    standing = [
        (need_rows[share.need_line], offer_rows[share.offer_line])
        for shares in current.values()
        for share in shares
        if share.need_line in need_rows and share.offer_line in offer_rows
    ]
    n, o = (np.array([pair[side] for pair in standing], np.int64) for side in (0, 1))
    needs, offers = market.problem.needs, market.problem.offers
    known = (needs.item[n] != NO_ITEM) & (offers.item[o] != NO_ITEM)
    known &= (needs.lat[n] != NOWHERE) & (offers.lat[o] != NOWHERE)
    n, o = n[known], o[known]
    metres = distances.metres(needs.lat[n], needs.lng[n], offers.lat[o], offers.lng[o])
    fine = legal.allowed(market.problem, Bars(market.problem), n, o, metres)
    rank = needs.standing()
    for rows, far in (((plan.need, plan.offer), plan.metres), ((n[fine], o[fine]), metres[fine])):
        for need, offer, way in zip(rows[0].tolist(), rows[1].tolist(), far.tolist(), strict=True):
            lines = market.need_lines[need], market.offer_lines[offer]
            yield lines, Edge(*lines, bool(needs.urgent[need]), int(rank[need]), way)


def _report(
    market: Market,
    plan: Plan,
    moves: list[Move],
    current: dict[Pair, Shares],
    edges: dict[tuple[str, str], Edge],
) -> dict[str, Any]:
    found = plan.report
    before = {
        (share.need_line, share.offer_line): share.quantity
        for shares in current.values()
        for share in shares
        if (share.need_line, share.offer_line) in edges
    }
    return {
        "needs": len(market.need_lines),
        "offers": len(market.offer_lines),
        "skipped": found.skipped,
        "skipped_needs": {market.need_lines[row]: why for row, why in found.skipped_needs.items()},
        "skipped_offers": {market.offer_lines[row]: why for row, why in found.skipped_offers.items()},
        "fallbacks": [_told_part(part) for part in found.fallbacks],
        "certified": found.certified,
        "before": _told(tiers(edges, before)),
        "best": dict(zip(Tiers._fields, plan.tiers, strict=True)),
        "withdrawn": sum(len(move.withdrawn) for move in moves),
        "altered": sum(len(move.altered) for move in moves),
        "made": sum(len(move.made) for move in moves),
        "seconds": found.seconds,
    }


def _told(found: Tiers) -> dict[str, int]:
    return found._asdict()


def _told_part(part: Part) -> dict[str, Any]:
    """As plain values: the report travels as JSON."""
    gap = max(0, part.bound.quantity - part.reached.quantity)
    return asdict(part) | {"reached": part.reached._asdict(), "bound": part.bound._asdict(), "gap": gap}
