"""Our own way: what the worker thinks with, on posts in memory. Round one post `repairing`, every hour the engine."""

from collections import Counter
from collections.abc import Iterable

from mutualaid.matching import columns, compared, ground, repairing
from mutualaid.matching.columns import Numbers
from mutualaid.matching.ground import Ground, Proposal
from mutualaid.matching.market import Market
from mutualaid.matching.moving import Move
from mutualaid.matching.rules import NO_SHOWS_REST, PASSED_COUNTS, RESTS, WAITING, Share
from mutualaid.matching.simulation.city import Poster
from mutualaid.matching.simulation.columns import problem_of
from mutualaid.matching.simulation.house import OPEN, House, Match, Pair


class Ours:
    """Alternating paths round each post that changes, the whole market every hour."""

    reads_plaza = False

    def look(self, house: House, who: Poster) -> None:
        around = _around(house, who)
        for move in repairing.best_moves(around, house.city.catalogue, now=house.now):
            _make(house, move)

    def sweep(self, house: House) -> None:
        market = _market(house)
        if market.need_lines and market.offer_lines:
            for move in compared.sweep(market, house.city.catalogue).moves:
                _make(house, move)

    def visit(self, house: House, who: Poster, number: int) -> None:
        """Nobody does."""


def _make(house: House, move: Move) -> None:
    for pair in move.withdrawn:
        house.withdraw(house.live[pair])
    for pair in move.altered:
        house.alter(house.live[pair], 0)
    for pair, shares in move.altered.items():
        house.alter(house.live[pair], _sum(shares))
    for (need, offer), shares in move.made.items():
        house.propose(house.posters[need], house.posters[offer], _sum(shares))


def _sum(shares: Iterable[Share]) -> int:
    return sum(share.quantity for share in shares)


# ---- round one post, as `ground.around` reads it -----------------------------------------------------------------


def _around(house: House, who: Poster) -> Ground:
    around = Ground()
    _add(house, around, [who])
    proposals = _proposals(house, [who.id])
    if not proposals and house.free[who.id] <= 0:
        return around
    frontier, each = [who], ground.FIRST
    for _ in range(ground.STEPS):
        if not frontier:
            break
        found = {other for pair in proposals for other in pair}
        for one in frontier[: ground.FOLLOWED]:
            found |= _nearest(house, one, each)
        fresh = found - around.sides.keys()
        proposals |= _proposals(house, fresh)
        tied = {other for pair in proposals for other in pair} - around.sides.keys() - fresh
        read = [house.posters[post_id] for post_id in sorted(fresh | tied) if post_id in house.open]
        _add(house, around, read)
        frontier, each = [one for one in read if one.id in tied], ground.NEXT
    _complete(house, around, proposals)
    return around


def _add(house: House, around: Ground, these: Iterable[Poster]) -> None:
    around.add((each.kind, house.side(each)) for each in these)


def _nearest(house: House, who: Poster, most: int) -> set[str]:
    """As `finding.nearest` chooses, from all cells: with something to spare; some whatever they have; for an offer, some
    urgent ones."""
    near = list(house.counterparts(who))
    chosen = [each for each in near if house.free[each.id] > 0][:most] + near[: most // 3]
    if who.kind == "offer":
        chosen += [each for each in near if each.urgent][: most // 3]
    return {each.id for each in chosen}


def _proposals(house: House, post_ids: Iterable[str]) -> dict[Pair, Proposal]:
    """What nobody has accepted."""
    matches = (match for post_id in post_ids for match in house.of_post[post_id].values())
    return {match.pair: _proposal(match) for match in matches if match.state == "proposed"}


def _proposal(match: Match) -> Proposal:
    need, offer = match.pair
    return Proposal(f"{need} {offer}", (Share(need, offer, match.offer.item, match.quantity),))


def _complete(house: House, around: Ground, proposals: dict[Pair, Proposal]) -> None:
    sides = around.sides
    around.proposals = {pair: each for pair, each in proposals.items() if pair[0] in sides and pair[1] in sides}
    ground.give_back(around)
    needs = [side.id for side in around.of("need")]
    for need in needs:
        for offer in around.of("offer"):
            last = house.last.get((need, offer.id))
            if last is not None:
                around.rounds[last.pair] = last.turn
                if last.pair not in around.proposals and house.barred(last):
                    around.barred.add(last.pair)
    around.taken = _taken(house, needs, around.proposals)


def _taken(house: House, needs: Iterable[str], movable: Iterable[Pair]) -> Counter[str]:
    """Open proposals of these needs beside the movable ones."""
    taken = Counter({need: sum(m.state in OPEN for m in house.of_post[need].values()) for need in needs})
    taken.subtract(need for need, _ in movable)
    return taken


# ---- everything, as `market.read` reads it -----------------------------------------------------------------------


def _market(house: House) -> Market:
    here = [each for each in house.open.values() if house.no_shows[each.id] < NO_SHOWS_REST]
    needs = [each for each in here if each.kind == "need"]
    offers = [each for each in here if each.kind == "offer"]
    known = {each.id for each in here}
    every = (match.pair for match in house.live.values() if match.state == "proposed")
    proposals = {pair: _proposal(house.live[pair]) for pair in every if known.issuperset(pair)}
    kept: Counter[str] = Counter()
    for pair in proposals:
        kept.update(dict.fromkeys(pair, house.live[pair].quantity))
    barred = (
        pair
        for pair, last in house.last.items()
        if pair not in proposals and (house.barred(last) or _fresh(house, last))
    )
    problem = problem_of(
        house.city,
        columns.items(house.city.catalogue.items),
        needs,
        offers,
        quantity=lambda each: house.free[each.id] + kept[each.id],
        standing=lambda each: _standing(house, each),
        barred=barred,
        now=house.now,
    )
    need_lines, offer_lines = [each.id for each in needs], [each.id for each in offers]
    posts = Numbers()
    for post_id in (*need_lines, *offer_lines):
        posts.of(post_id)
    return Market(problem, need_lines, offer_lines, posts, proposals, _taken(house, need_lines, proposals))


def _fresh(house: House, last: Match) -> bool:
    """Whether it lapsed so lately that a look at everything leaves the pair to others."""
    return last.state == "lapsed" and last.closed is not None and last.closed > house.now - RESTS


def _standing(house: House, need: Poster) -> tuple[int, int]:
    waiting = sum(house.now - need.posted >= threshold for threshold in WAITING)
    return waiting, min(house.passed[need.id], PASSED_COUNTS) - house.no_shows[need.id]
