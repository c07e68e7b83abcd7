"""Why each near counterpart of a post is or is not proposed: for an operator, who sees ids and reasons, no names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.kit.database import Database
from mutualaid.kit.plain import plain_of
from mutualaid.matching import ground, repairing, rules, standing
from mutualaid.matching.finding import topics_of
from mutualaid.matching.ground import Ground
from mutualaid.matching.records import LIVE, Match
from mutualaid.matching.rules import Side
from mutualaid.posts.records import Post
from mutualaid.posts.rules import Kind

WORDS: Final = {
    "own_post": ("同一成员的帖子", "a post of the same member"),
    "not_open": ("帖子未开放", "not open"),
    "author_away": ("成员不可用", "its author is not active"),
    "author_rests": ("近期多次爽约,暂不推荐", "its author did not come several times lately"),
    "blocked": ("双方有一方拉黑", "one has blocked the other"),
    "too_far": ("超出距离", "out of reach"),
    "no_common_time": ("没有共同时间", "no common time"),
    "no_common_way": ("没有共同的交接方式", "no common way of handover"),
    "item_differs": ("物品不同", "another item"),
    "item_refused": ("物品不可发布", "the item may not be shared"),
    "too_young": ("年龄不符", "not for this age"),
    "way_not_allowed": ("该物品须当面交接", "may only be handed over in person"),
    "expires_too_soon": ("有效期不足", "expires too soon"),
    "cap_reached": ("七天内该物品已达上限", "has been promised all of this item that seven days allow"),
    "nothing_left": ("没有余量", "nothing left"),
    "no_substitutes": ("目录里没有可替代的物品", "the catalogue knows no substitute"),
    "too_little": ("数量太少", "too little to be of use"),
    "proposed": ("已推荐,待双方答复", "proposed, nobody has answered"),
    "accepted": ("一方已同意", "one side has accepted"),
    "agreed": ("双方已同意", "both have agreed"),
    "completed": ("已交接", "handed over"),
    "declined": ("已谢绝,不再推荐", "declined: never again"),
    "failed": ("未成功,不再推荐", "failed: never again"),
    "rests": ("两次无人答复,暂缓推荐", "left unanswered twice: rests for a while"),
    "would": ("将会推荐", "would be proposed now"),
    "elsewhere": ("可以,但另有更好的安排", "could, but others are better served this way"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One counterpart: so many metres away, and why it is or is not proposed (`WORDS`). `quantity`: what is proposed, or
    could be."""

    post_id: str
    metres: int
    why: tuple[str, ...]
    quantity: int


@dataclass(frozen=True, slots=True)
class Explained:
    """The counterparts, the nearest first; how far was looked, for which items, and what else is to be known of the post
    (`WORDS`): that nothing of it is left to be promised, or that no substitutes of its items are known."""

    counterparts: list[Reason]
    reach_km: int
    items: tuple[str, ...]
    besides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Last:
    """A pair's last match, and what was promised in it."""

    state: str
    barred: bool
    quantity: int


async def explain(database: Database, post_id: str, *, catalogue: Catalogue, now: datetime) -> Explained | None:
    """Why each near counterpart is or is not proposed to this post; None where it is not open."""
    async with database.reading() as session:
        around = await ground.around(session, post_id, catalogue=catalogue, now=now)
        if around is None:
            return None
        mine, kind = around.sides[post_id], around.kinds[post_id]
        last = await _last(session, mine, kind, now=now)
        met = {other for pair, each in last.items() if each.state in LIVE for other in pair} - around.sides.keys()
        tied = await standing.sides(await plain_of(session), met, now=now)
    would = {pair for move in repairing.best_moves(around, catalogue, now=now) for pair in (*move.made, *move.altered)}
    around.add(tied)  # whoever keeps all of it is no longer looked for, and yet is to be told
    found = [
        _reason(around, *((mine, other) if kind == "need" else (other, mine)), other.id, last, would, catalogue, now)
        for other in around.of(rules.other(kind))
    ]
    found.sort(key=lambda each: (each.metres, each.post_id))
    items = tuple(topics_of(mine, catalogue))
    return Explained(found, mine.reach_km, items, tuple(_besides(mine, catalogue)))


async def _last(session: AsyncSession, mine: Side, kind: Kind, *, now: datetime) -> dict[ground.Pair, _Last]:
    of_post = Match.need_post_id if kind == "need" else Match.offer_post_id
    query = select(Match, Post.urgency).join(Post, Post.id == Match.need_post_id)
    rows = await session.execute(query.where(of_post == mine.id).order_by(Match.round))
    return {(match.need_post_id, match.offer_post_id): _seen(match, urgency, now) for match, urgency in rows}


def _seen(match: Match, urgency: str, now: datetime) -> _Last:
    barred = rules.barred(
        match.state,
        round_=match.round,
        disputed=match.disputed,
        closed_at=match.closed_at,
        urgent=urgency == "urgent",
        now=now,
    )
    return _Last(match.state, barred, sum(line.quantity for line in match.lines))


def _besides(mine: Side, catalogue: Catalogue) -> Iterator[str]:
    if all(line.free <= 0 for line in mine.lines):
        yield "nothing_left"
    asked = [line.item for line in mine.lines if line.substitutes]
    if asked and not rules.substitutes_of(asked, catalogue.items):
        yield "no_substitutes"


def _reason(
    around: Ground,
    need: Side,
    offer: Side,
    other_id: str,
    last: Mapping[ground.Pair, _Last],
    would: set[ground.Pair],
    catalogue: Catalogue,
    now: datetime,
) -> Reason:
    pair = need.id, offer.id
    blocked = (need.author_id, offer.author_id) in around.apart
    verdict = rules.judge(need, offer, blocked=blocked, find=catalogue.get, now=now, day_of=clock.today)
    met = last.get(pair)
    if met is not None and met.barred:
        state = "rests" if met.state == "lapsed" else met.state
        return Reason(other_id, verdict.distance_m, (state,), met.quantity if met.state in LIVE else verdict.quantity)
    why = verdict.refusals or (("would",) if pair in would else ("elsewhere",))
    return Reason(other_id, verdict.distance_m, why, verdict.quantity)
