"""One post is new, or has changed: the proposals round it are put right, those that nobody has accepted re-routed.

Read without locks, thought through, then written under locks as one move or not at all: where something has changed in
between, it is read anew.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Final

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, clock
from mutualaid.kit.database import Database
from mutualaid.matching import applying, assigning, ground, moving, rules
from mutualaid.matching.assigning import Edge
from mutualaid.matching.ground import Ground, Pair
from mutualaid.matching.moving import Move, Shares
from mutualaid.matching.rules import Line, Share, Side
from mutualaid.posts import actions as posts

_EDGES_A_NEED: Final = 12  # the nearest offers that each need of the ground is thought through with
_ROUND_M: Final = 100_000  # a pair that let a proposal lapse stands behind every other, whatever the way
_TOLD_M: Final = 3_000  # what two were told of already is kept, unless the way becomes so much shorter
_TRIES: Final = 3


async def repair(database: Database, post_id: str, *, catalogue: Catalogue, now: datetime) -> None:
    """Put right what is proposed round this post."""
    for _ in range(_TRIES):
        async with database.reading() as session:
            around = await ground.around(session, post_id, catalogue=catalogue, now=now)
        if around is None:
            return
        moves = await thought_through(around, catalogue, now=now)
        if await applying.apply(database, moves, around.proposals, catalogue=catalogue, now=now):
            return
    async with database.transaction() as session:  # much is going on here: once more, behind what waits
        await posts.look_again(session, post_id, now=now)


async def thought_through(around: Ground, catalogue: Catalogue, *, now: datetime) -> list[Move]:
    """`best_moves` in a thread: posts of ten lines in one hot cell take a second, and nobody served here waits for it."""
    return await asyncio.to_thread(best_moves, around, catalogue, now=now)


def best_moves(around: Ground, catalogue: Catalogue, *, now: datetime) -> list[Move]:
    """From what is proposed on this ground to what is best there."""
    legal = {(edge.need_line, edge.offer_line): edge for edge in edges(around, catalogue, now=now)}
    lines = {line.id: (side.id, line) for side in around.sides.values() for line in side.lines}
    wanted = {line_id: line.free for line_id, (_, line) in lines.items()}
    best = assigning.assign(_nearest(legal, around), wanted, wanted)
    current = {pair: proposal.shares for pair, proposal in around.proposals.items()}
    planned = moving.few_givers(_by_pair(best, lines), around.taken, standing=current)
    return moving.moves(current, planned, moving.within(legal, current, wanted))


def edges(around: Ground, catalogue: Catalogue, *, now: datetime) -> Iterator[Edge]:
    """Every line of an offer that may serve a line of a need here."""
    having: dict[str, list[Side]] = {}
    offers = around.of("offer")
    for offer in offers:
        for item in {line.item for line in offer.lines}:
            having.setdefault(item, []).append(offer)
    order = {offer.id: n for n, offer in enumerate(offers)}
    instead = cache(lambda item: rules.substitutes_of([item], catalogue.items))
    for need in around.of("need"):
        turn = rules.turn(need, now)
        asked = {line.item for line in need.lines}.union(
            *(instead(line.item) for line in need.lines if line.substitutes)
        )
        able = {offer.id: offer for item in asked for offer in having.get(item, ())}
        for offer in sorted(able.values(), key=lambda offer: order[offer.id]):
            pair = need.id, offer.id
            if pair in around.barred:
                continue
            metres = cells.between_m(need.cell, offer.cell)
            if metres > min(need.reach_km, offer.reach_km) * 1000:  # most of them; `rules.serving` would say so too
                continue
            blocked = (need.author_id, offer.author_id) in around.apart
            rounds = 0 if pair in around.proposals else around.rounds.get(pair, 0)
            told = 0 if pair in around.proposals else _TOLD_M
            way = metres + rounds * _ROUND_M + told
            serving = rules.serving(need, offer, blocked=blocked, find=catalogue.get, now=now, day_of=clock.today)
            for wanted, given in serving:
                stands = pair in around.proposals
                if stands or rules.useful(wanted, given, catalogue.get):
                    yield Edge(wanted.id, given.id, need.urgent, turn, way, stands)


def _nearest(legal: dict[tuple[str, str], Edge], around: Ground) -> list[Edge]:
    """The nearest of each need's line, and what is proposed already."""
    kept = {(share.need_line, share.offer_line) for proposal in around.proposals.values() for share in proposal.shares}
    by_need: dict[str, list[Edge]] = {}
    for edge in legal.values():
        by_need.setdefault(edge.need_line, []).append(edge)
    chosen = []
    for each in by_need.values():
        ordered = sorted(each, key=lambda edge: (edge.metres, edge.offer_line))
        chosen += ordered[:_EDGES_A_NEED]
        chosen += [edge for edge in ordered[_EDGES_A_NEED:] if (edge.need_line, edge.offer_line) in kept]
    return chosen


def _by_pair(amounts: assigning.Amounts, lines: dict[str, tuple[str, Line]]) -> dict[Pair, Shares]:
    found: dict[Pair, list[Share]] = {}
    for (need_line, offer_line), quantity in sorted(amounts.items()):
        need_id, _ = lines[need_line]
        offer_id, given = lines[offer_line]
        found.setdefault((need_id, offer_id), []).append(Share(need_line, offer_line, given.item, quantity))
    return {pair: tuple(shares) for pair, shares in found.items()}
