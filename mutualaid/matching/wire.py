"""What the two sides of a match are answered."""

from typing import Literal

from pydantic import Field

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import cells, geo
from mutualaid.kit.fields import Moment, View
from mutualaid.kit.texts import Language
from mutualaid.matching import rules
from mutualaid.matching.reasons import Given, reasons
from mutualaid.matching.records import Match, MatchLine, Objection, State
from mutualaid.matching.rules import FailReason
from mutualaid.posts.cards import Card, LineCard
from mutualaid.posts.rules import Kind
from mutualaid.posts.wire import PostView, post_view

_FAILED: dict[str, FailReason] = {
    "no_show": "no_show",
    "unreachable": "unreachable",
    "changed_mind": "changed_mind",
    "wrong_goods": "wrong_goods",
}


class MatchLineView(View):
    """So much of this line of the offer for that line of the need; `item` is the one that is given."""

    need_line: str
    offer_line: str
    item: str
    name: str
    unit: str
    quantity: int
    completed: int
    objected: int | None = Field(description="in a dispute: what the other side says was handed over")


class MatchView(View):
    """A match as one of its two sides sees it. `side` is the reader's own, `counterpart` the other's card."""

    id: str
    state: State
    round: int
    side: Kind
    need: PostView
    offer: PostView
    counterpart: PostView
    lines: list[MatchLineView]
    distance_km: float
    accepted_by: list[Kind]
    pledged: bool
    proposed_at: Moment
    expires_at: Moment
    agreed_at: Moment | None
    closed_at: Moment | None
    closed_by: Kind | None
    reason: FailReason | None
    disputed: bool
    objection: Objection | None = Field(description="in a dispute: what the other side says")
    settled_at: Moment | None = Field(description="when a moderator had looked at the dispute")
    reasons: list[str]


class MatchList(View):
    items: list[MatchView]
    next_cursor: str | None


def match_view(
    match: Match, cards: dict[str, Card], catalogue: Catalogue, *, language: Language, reader: str
) -> MatchView:
    """The match with both cards, as this member sees it.

    The other's words and hours are theirs to see while the match is live and the post stands: whoever was declined or
    blocked does not go on reading what is written there afterwards.
    """
    need, offer = cards[match.need_post_id], cards[match.offer_post_id]
    metres = cells.between_m(need.cell, offer.cell)
    side = match.side_of(reader)
    theirs = offer if side == "need" else need
    told = match.live and theirs.state == "open"

    def card(of: Card, kind: Literal["need", "offer"]) -> PostView:
        if kind == side:
            return post_view(of, catalogue, language=language, reader=reader)
        view = post_view(of, catalogue, language=language, reader=reader, distance_m=metres)
        return view if told else view.model_copy(update={"note": None, "available": []})

    seen = {"need": card(need, "need"), "offer": card(offer, "offer")}
    return MatchView(
        id=match.id,
        state=match.state,
        round=match.round,
        side=side,
        need=seen["need"],
        offer=seen["offer"],
        counterpart=seen[rules.other(side)],
        lines=[_line(line, catalogue, language) for line in match.lines],
        distance_km=geo.distance_km(metres),
        accepted_by=match.accepted_by,
        pledged=match.pledged,
        proposed_at=match.proposed_at,
        expires_at=match.expires_at,
        agreed_at=match.agreed_at,
        closed_at=match.closed_at,
        closed_by=match.closed_by,
        reason=_FAILED.get(match.because or ""),
        disputed=match.disputed,
        objection=match.objection,
        settled_at=match.settled_at,
        reasons=_reasons(match, need, offer, catalogue, side=side, metres=metres, hours=told, language=language),
    )


def _line(line: MatchLine, catalogue: Catalogue, language: Language) -> MatchLineView:
    item = catalogue.get(line.item)
    return MatchLineView(
        need_line=line.need_line_id,
        offer_line=line.offer_line_id,
        item=line.item,
        name=item.title(language) if item else line.item,
        unit=item.counted_in(language) if item else "",
        quantity=line.quantity,
        completed=line.completed,
        objected=line.objected,
    )


def _reasons(
    match: Match,
    need: Card,
    offer: Card,
    catalogue: Catalogue,
    *,
    side: Kind,
    metres: int,
    hours: bool,
    language: Language,
) -> list[str]:
    wanted = {line.id: line for line in need.lines}
    packs = {line.id: line for line in offer.lines}
    given = [
        _given(line, wanted[line.need_line_id], packs[line.offer_line_id], match, catalogue, language)
        for line in match.lines
    ]
    timed = hours and bool(need.windows or offer.windows)
    meeting = rules.common_window(need, offer, now=match.proposed_at) if timed else None
    return reasons(given, distance_m=metres, meeting=meeting, reader=side, language=language)


def _given(
    line: MatchLine, wanted: LineCard, pack: LineCard, match: Match, catalogue: Catalogue, language: Language
) -> Given:
    def title(code: str) -> str:
        item = catalogue.get(code)
        return item.title(language) if item else code

    item = catalogue.get(line.item)
    return Given(
        name=title(line.item),
        unit=item.counted_in(language) if item else "",
        given=line.quantity,
        wanted=max(wanted.remaining if match.live else wanted.quantity, line.quantity),
        expires_on=pack.expires_on,
        instead_of=title(wanted.item) if wanted.item != line.item else None,
    )
