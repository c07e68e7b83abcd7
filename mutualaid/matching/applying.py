"""Writes moves: withdraws, alters and makes proposals, everything judged again under the locks.

Several are written together, so that each statement serves them all; one that no longer stands is left out, and the others
are made. Nothing runs through the ORM here: a sweep writes thousands of rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import select

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock, metrics
from mutualaid.kit.database import Database
from mutualaid.kit.losses import Refused
from mutualaid.kit.plain import Plain, told
from mutualaid.kit.prepared import Prepared, among
from mutualaid.matching import ground, rules, standing, writing
from mutualaid.matching.ground import Ground, Pair, Proposal
from mutualaid.matching.moving import Move, Shares
from mutualaid.matching.rules import PROPOSALS_A_NEED
from mutualaid.matching.writing import Changed, Locked, WriteFailed
from mutualaid.posts.records import Post

log = structlog.get_logger()

TOGETHER: Final = 32  # pairs, about, that are written in one transaction: others wait for it


async def apply(
    database: Database, moves: Sequence[Move], current: Mapping[Pair, Proposal], *, catalogue: Catalogue, now: datetime
) -> bool:
    """Make these moves, each wholly or not at all; False where one no longer stands."""
    done = True
    for lot in lots(moves):
        done &= await apply_lot(database, lot, current, catalogue=catalogue, now=now)
    return done


def lots(moves: Iterable[Move]) -> Iterator[list[Move]]:
    """Moves that are written together."""
    lot: list[Move] = []
    for move in moves:
        if lot and sum(len(each.pairs) for each in lot) + len(move.pairs) > TOGETHER:
            yield lot
            lot = []
        lot.append(move)
    if lot:
        yield lot


async def apply_lot(
    database: Database, moves: Sequence[Move], current: Mapping[Pair, Proposal], *, catalogue: Catalogue, now: datetime
) -> bool:
    """The same in one transaction. Where the database refuses one, since its rows contradict each other, that one alone is
    given up, and told: trying it again would not help, and the others are made."""
    try:
        return await database.together(partial(_write, moves=moves, current=current, catalogue=catalogue, now=now))
    except (Refused, WriteFailed) as why:
        if len(moves) == 1:
            metrics.MATCHING_FALLBACKS.labels("move").inc()
            log.warning("move_refused", error=str(why) or type(why).__name__)
            return True
    done = [await apply_lot(database, [move], current, catalogue=catalogue, now=now) for move in moves]
    return all(done)


async def _write(
    plain: Plain, *, moves: Sequence[Move], current: Mapping[Pair, Proposal], catalogue: Catalogue, now: datetime
) -> bool:
    posts = {
        row[0]: Locked(*row) for row in await told(plain, _LOCK, posts=sorted({p for m in moves for p in m.posts}))
    }
    seen = await _read(plain, posts, moves, current, catalogue=catalogue, now=now)
    right = [move for move in moves if seen.takes(move)]
    changed = Changed(now=now)
    for move in right:
        _change(changed, move, seen)
    await writing.write(plain, changed)
    return len(right) == len(moves)


def _lock(dialect: str, prefix: str) -> Any:
    """In the order of their ids, so that two deeds never wait for each other in a circle."""
    posts = Post.__table__.c
    columns = (posts.id, posts.author_id, posts.state, posts.urgency, posts.until)
    return select(*columns).where(among(posts.id, "posts", dialect, prefix)).order_by(posts.id).with_for_update()


_LOCK: Final = Prepared(_lock)


# ---- whether a move still stands -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """How things are under the locks. `free`: of each line, with what the moves take back given back; moves that were found
    to stand take theirs from it, and from what a need may have in `there.taken`."""

    posts: Mapping[str, Locked]
    there: Ground
    standing: Mapping[Pair, Proposal]
    free: Counter[str]
    catalogue: Catalogue
    now: datetime

    def takes(self, move: Move) -> bool:
        """Whether nothing has changed that this move builds upon; then it counts for those that come after it."""
        if not all(pair in self.standing for pair in (*move.withdrawn, *move.altered)):
            return False
        wanted = {**move.altered, **move.made}
        if not all(self._allowed(pair, shares) for pair, shares in wanted.items()):
            return False
        givers = Counter(need_id for need_id, _ in wanted)
        if any(self.there.taken[need_id] + count > PROPOSALS_A_NEED for need_id, count in givers.items()):
            return False
        units = writing.units(wanted.values())
        if any(amount > self.free[line] for line, amount in units.items()):
            return False
        self.free.subtract(units)
        self.there.taken.update(givers)
        return True

    def _allowed(self, pair: Pair, shares: Shares) -> bool:
        need, offer = (self.there.sides.get(post_id) for post_id in pair)
        if need is None or offer is None or pair in self.there.barred:
            return False
        blocked = (need.author_id, offer.author_id) in self.there.apart
        find, now = self.catalogue.get, self.now
        allowed = rules.serving(need, offer, blocked=blocked, find=find, now=now, day_of=clock.today)
        return {(s.need_line, s.offer_line) for s in shares} <= {(wanted.id, given.id) for wanted, given in allowed}


async def _read(
    plain: Plain,
    posts: Mapping[str, Locked],
    moves: Sequence[Move],
    current: Mapping[Pair, Proposal],
    *,
    catalogue: Catalogue,
    now: datetime,
) -> _Seen:
    moved = [current[pair].match_id for move in moves for pair in (*move.withdrawn, *move.altered)]
    proposals = await ground.proposals_by_id(plain, moved)
    there = Ground()
    there.add(await standing.sides(plain, posts.keys(), now=now))
    await ground.complete(plain, there, proposals, catalogue=catalogue, now=now)
    free = Counter({line.id: line.free for side in there.sides.values() for line in side.lines})
    return _Seen(posts, there, proposals, free, catalogue, now)


# ---- what it changes -------------------------------------------------------------------------------------------------


def _change(changed: Changed, move: Move, seen: _Seen) -> None:
    for pair in move.withdrawn:
        changed.withdraw(seen.standing[pair], [seen.posts[post_id] for post_id in pair])
    for pair, shares in move.altered.items():
        changed.alter(seen.standing[pair], shares)
    for pair, shares in move.made.items():
        need, offer = (seen.posts[post_id] for post_id in pair)
        changed.make(need, offer, shares, round_=seen.there.rounds.get(pair, 0) + 1)
