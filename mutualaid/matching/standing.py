"""Posts as the rules see them, and what else decides: a few statements, whatever their number.

Round one post they are asked for by ids, prepared, since their making would cost more than their rows do; the sweep asks the
same of everybody.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.kit import cells
from mutualaid.kit.instants import Instant
from mutualaid.kit.plain import Plain, told
from mutualaid.kit.prepared import Prepared, among, one_of
from mutualaid.matching.records import OPEN, Match, MatchLine, counted
from mutualaid.matching.rules import CAP_COUNTS, NO_SHOW_COUNTS, REACH_MOST_M, Line, Side
from mutualaid.members.records import Member, Status
from mutualaid.posts.records import Post, PostLine, windows_of
from mutualaid.posts.rules import Handover, Kind, Window

_HANDOVERS: Final = frozenset(get_args(Handover))

Promised = Counter[tuple[str, str]]  # (member, item) → units

_posts, _lines, _members, _matches, _shares = (
    record.__table__.c for record in (Post, PostLine, Member, Match, MatchLine)
)  # columns of tables: the ORM's entities cost as much again as the statement


# ---- posts -------------------------------------------------------------------------------------------------------


class Inconsistent(ValueError):
    """A row that makes no sense; its text says why, as the engine's report does."""


async def sides(
    plain: Plain, post_ids: Collection[str], *, now: datetime, skipped: dict[str, str] | None = None
) -> list[tuple[Kind, Side]]:
    """Those of these posts that are open and whose authors are here. What a line has free is what nothing keeps; `passed`
    and `no_shows` are left to `passed_over` and `no_shows`. Posts that make no sense are left out, and told in `skipped`
    with the reason: one bad row stops nobody's help."""
    if not post_ids:
        return []
    wanted = sorted(post_ids)
    rows = await told(plain, _SIDES, posts=wanted, now=now)
    lines: dict[str, list[Line]] = {row[0]: [] for row in rows}
    for post_id, *values in await told(plain, _LINES, posts=wanted):
        if post_id in lines:
            lines[post_id].append(Line(*values))
    found: list[tuple[Kind, Side]] = []
    for post_id, kind, *values in rows:
        try:
            found.append((kind, _side(post_id, *values, lines=lines[post_id])))
        except Inconsistent as why:
            if skipped is not None:
                skipped[post_id] = str(why)
    return found


def _sides(dialect: str, prefix: str) -> Any:
    now = bindparam(f"{prefix}now", type_=Instant(), required=True)
    here = (_posts.state == literal("open"), _posts.until > now, _members.status == literal(Status.ACTIVE.value))
    columns: tuple[Any, ...] = (
        _posts.id,
        _posts.kind,
        _posts.author_id,
        _members.age_band,
        _posts.cell,
        _posts.reach_km,
        _posts.handover,
        _posts.available,
        _posts.until,
        _posts.urgency,
        _posts.created_at,
        _posts.for_other,
        _posts.beneficiary_age_band,
        _members.identity_lookup,
    )
    joined = Post.__table__.join(Member.__table__, _members.id == _posts.author_id)
    return select(*columns).select_from(joined).where(among(_posts.id, "posts", dialect, prefix), *here)


def _of_lines(dialect: str, prefix: str) -> Any:
    spare = _lines.remaining - _lines.held - _lines.proposed
    columns: tuple[Any, ...] = (_lines.post_id, _lines.id, _lines.item, spare, _lines.expires_on, _lines.substitutes)
    wanted = among(_lines.post_id, "posts", dialect, prefix)
    return select(*columns).where(wanted).order_by(_lines.post_id, _lines.position)


_SIDES: Final = Prepared(_sides)
_LINES: Final = Prepared(_of_lines)


def _side(
    post_id: str,
    author_id: str,
    author_age_band: str | None,
    cell: str,
    reach_km: int,
    handover: list[Any],
    available: list[Any],
    until: datetime,
    urgency: str,
    created_at: datetime,
    for_other: bool,
    age_band: str | None,
    person: bytes | None,
    *,
    lines: Sequence[Line],
) -> Side:
    if not cells.is_cell(cell):
        raise Inconsistent("place_missing")
    if not 0 <= reach_km * 1000 <= REACH_MOST_M:
        raise Inconsistent("reach_out_of_range")
    if any(line.free < 0 for line in lines):
        raise Inconsistent("negative_quantity")
    return Side(
        id=post_id,
        author_id=author_id,
        author_here=True,
        author_age_band=author_age_band,
        open=True,
        cell=cell,
        reach_km=reach_km,
        ways=_ways(handover),
        windows=_windows(available),
        until=until,
        urgent=urgency == "urgent",
        since=created_at,
        for_other=for_other,
        age_band=age_band,
        lines=tuple(lines),
        person=person,
    )


def _ways(handover: Any) -> frozenset[Handover]:
    if not isinstance(handover, list) or not set(map(str, handover)) <= _HANDOVERS:
        raise Inconsistent("ways_unknown")
    return frozenset(handover)


def _windows(available: Any) -> tuple[Window, ...]:
    try:
        windows = tuple(windows_of(available))
    except (TypeError, ValueError):
        raise Inconsistent("schedule_unknown") from None
    if any(moment.tzinfo is None for window in windows for moment in (window.start, window.end)):
        raise Inconsistent("schedule_unknown")
    return windows


# ---- proposals that came to nothing --------------------------------------------------------------------------------


async def passed_over(plain: Plain, need_ids: Sequence[str]) -> Counter[str]:
    """How many proposals to each of these needs were declined by the offer's side, or lapsed without its yes: where only
    the need was silent, nobody has passed it over."""
    return Counter(dict(await plain.fetch(_PASSED, needs=need_ids)))


async def all_passed_over(session: AsyncSession) -> Counter[str]:
    """The same of every need."""
    return Counter({need_id: count for need_id, count in await session.execute(_passed_over())})


def _passed_over(*which: ColumnElement[bool]) -> Any:
    declined = and_(_matches.state == literal("declined"), _matches.closed_by == literal("offer"))
    lapsed = and_(_matches.state == literal("lapsed"), _matches.offer_accepted.is_(False))
    through_others = or_(lapsed, declined)
    query = select(_matches.need_post_id, func.count()).where(through_others, _matches.pledged.is_(False), *which)
    return query.group_by(_matches.need_post_id)


_PASSED: Final = Prepared(lambda dialect, prefix: _passed_over(among(_matches.need_post_id, "needs", dialect, prefix)))


# ---- who did not come ----------------------------------------------------------------------------------------------


async def no_shows(plain: Plain, member_ids: Collection[str], *, now: datetime) -> Counter[str]:
    """How many others each of these let down lately, as they said and nobody disputed. One member counts once, or a single
    liar could silence anybody."""
    rows = await plain.fetch(_MISSED, members=sorted(member_ids), since=now - NO_SHOW_COUNTS)
    return Counter(member_id for member_id, _ in rows)


async def all_no_shows(session: AsyncSession, *, now: datetime) -> Counter[str]:
    """The same of every member."""
    rows = await session.execute(_no_shows(literal(now - NO_SHOW_COUNTS, Instant())))
    return Counter(member_id for member_id, _ in rows)


def _no_shows(since: ColumnElement[datetime], dialect: str = "", prefix: str = "") -> Any:
    said = (_matches.state == literal("failed"), _matches.because == literal("no_show"), _matches.disputed.is_(False))
    queries = []
    both = (_matches.need_author_id, _matches.offer_author_id)
    for who, other, by in ((*both, "offer"), (*reversed(both), "need")):
        which = [among(who, "members", dialect, prefix)] if dialect else []
        query = select(who, other).where(*which, _matches.closed_by == literal(by), *said)
        queries.append(query.where(_matches.closed_at > since))
    return union(*queries)


_MISSED: Final = Prepared(
    lambda dialect, prefix: _no_shows(bindparam(f"{prefix}since", type_=Instant(), required=True), dialect, prefix)
)


# ---- what was promised -----------------------------------------------------------------------------------------------


async def promised(plain: Plain, member_ids: Collection[str], *, now: datetime) -> Promised:
    """How much of each item each of these was promised or given in the last seven days, and what is kept for them in
    proposals."""
    rows = await plain.fetch(_PROMISED, members=sorted(member_ids), since=now - CAP_COUNTS)
    return Counter({(member_id, item): int(units) for member_id, item, units in rows})


async def all_promised(session: AsyncSession, codes: Collection[str] | None, *, now: datetime) -> Promised:
    """The same of every member and these items (None: of all)."""
    which = [] if codes is None else [_shares.item.in_(sorted(codes))]
    rows = await session.execute(_promised(literal(now - CAP_COUNTS, Instant()), *which))
    return Counter({(member_id, item): int(units) for member_id, item, units in rows})


def _promised(since: ColumnElement[datetime], *which: ColumnElement[bool]) -> Any:
    lately = and_(one_of(_matches.state, ("agreed", "completed")), _matches.agreed_at > since)
    kept = and_(one_of(_matches.state, OPEN), _matches.reserved)
    units = func.sum(counted())
    joined = Match.__table__.join(MatchLine.__table__, _shares.match_id == _matches.id)
    query = select(_matches.need_author_id, _shares.item, units).select_from(joined).where(or_(lately, kept), *which)
    return query.group_by(_matches.need_author_id, _shares.item)


def _promised_to(dialect: str, prefix: str) -> Any:
    since = bindparam(f"{prefix}since", type_=Instant(), required=True)
    return _promised(since, among(_matches.need_author_id, "members", dialect, prefix))


_PROMISED: Final = Prepared(_promised_to)
