"""A new post: what is decided under its author's lock, and the rows that say so, written in one go.

This is the deed that is done most, so it runs on prepared statements and without the ORM; see docs/decisions/0016.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import audit, outbox
from mutualaid.kit.ids import row_id
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Put, rows_of
from mutualaid.kit.scrubbing import Scrubbed
from mutualaid.members.footing import Footing
from mutualaid.members.records import Principal
from mutualaid.posts import rules, store, word_store
from mutualaid.posts.drafts import LineDraft, PostDraft, WindowDraft
from mutualaid.posts.errors import AgeNotAllowed
from mutualaid.posts.needs import consents_for
from mutualaid.posts.records import HiddenBy, Post, PostLine

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a post stands for its readers: the cell, and the district of the cell's centre."""

    cell: str
    region: str


@dataclass(frozen=True, slots=True)
class Published:
    """The rows of a post and its lines, and all that is to be written: these among it."""

    post: Row
    lines: Sequence[Row]
    puts: tuple[Put, ...]


async def publish(
    plain: Plain,
    draft: PostDraft,
    *,
    author: Principal,
    member: Footing,
    where: Shown,
    cleaned: Scrubbed,
    doubtful: bool,
    catalogue: Catalogue,
    now: datetime,
) -> Published:
    """A new post, open, or hidden until a moderator has looked: a second urgent one in seven days, or a doubtful note.

    `member`: the author, locked; `cleaned`: the note, scrubbed. 403 `suspended`, 428 `consent_needed` where that came about
    since the door was passed.
    """
    member.may(consents_for(draft, catalogue))
    items = [catalogue.get(line.item) for line in draft.lines]
    if draft.kind == "offer" and author.age_band == "14_17" and any(item and item.is_medicine for item in items):
        raise AgeNotAllowed
    urgent = draft.urgency == "urgent"
    why = await under_review(plain, author.id, urgent=urgent, doubtful=doubtful, now=now)
    post = _post(draft, author.id, where, cleaned.text, why, now)
    post_id, until = post["id"], post["until"]
    lines = [_line(post_id, n, line) for n, line in enumerate(draft.lines)]
    noted = [
        audit.row(
            plain.ring, actor=author.id, deed="post.published", subject=post_id, now=now, facts={"kind": draft.kind}
        )
    ]
    if why:
        noted.append(audit.row(plain.ring, actor=None, deed="post.hidden", subject=post_id, now=now, facts={"by": why}))
        jobs = [outbox.job("post.hidden", {"post": post_id, "by": why}, at=now)]
    else:
        jobs = [look(post_id, now=now)]
    jobs += expiry(post_id, until, now=now)
    puts = (
        rows_of(Post, [post]),
        rows_of(PostLine, lines),
        word_store.put(post_id, cleaned.text, [line.item for line in draft.lines]),
        rows_of(audit.AuditRow, noted),
        outbox.put(plain, jobs),
    )
    return Published(post, lines, puts)


async def under_review(plain: Plain, author_id: str, *, urgent: bool, doubtful: bool, now: datetime) -> HiddenBy | None:
    """Why a moderator looks first. The author is locked by the caller."""
    if urgent and await store.urgent_since(plain, author_id, now):
        return "urgent_review"
    return "note_review" if doubtful else None


def look(post_id: str, *, now: datetime) -> Row:
    """The job `post.changed`: it is there, or more of it is free, or it asks for something else: look for counterparts.

    However often that happens meanwhile, it is one look, and one more if it happens during the look.
    """
    key = f"{post_id}:post.changed"
    return outbox.job("post.changed", {"post": post_id}, at=now, key=key, lane=outbox.SEEKING)


def expiry(post_id: str, until: datetime, *, now: datetime) -> list[Row]:
    """The jobs that end a post, and warn of it."""
    warned = until - rules.EXPIRY_WARNED
    moments = [("post.due", until)]
    if warned > now:  # nobody is warned of what they have just chosen
        moments.append(("post.expiring", warned))
    told = {"post": post_id}
    return [outbox.job(name, told, at=at, key=f"{post_id}:{name}:{until.isoformat()}") for name, at in moments]


def stored(windows: Sequence[WindowDraft]) -> list[list[str]]:
    """As the column `available` keeps them."""
    return [[w.from_.isoformat(), w.to.isoformat()] for w in windows]


def _post(draft: PostDraft, author_id: str, where: Shown, note: str, why: HiddenBy | None, now: datetime) -> Row:
    return {
        "id": row_id(),
        "author_id": author_id,
        "kind": draft.kind,
        "state": "hidden" if why else "open",
        "hidden_by": why,
        "hidden_at": now if why else None,
        "cell": where.cell,
        "spot": where.cell,
        "region": where.region,
        "urgency": draft.urgency,
        "urgent_at": now if draft.urgency == "urgent" else None,
        "reach_km": draft.reach_km,
        "handover": list(dict.fromkeys(draft.handover)),
        "contact": draft.contact or rules.default_contact(draft.kind),
        "for_other": draft.for_other,
        "beneficiary_age_band": draft.beneficiary_age_band,
        "keeps_enough": draft.keeps_enough,
        "available": stored(draft.available),
        "note": note,
        "scrubbed": note != draft.note,
        "note_approved": False,
        "created_at": now,
        "confirmed_at": now,
        "until": draft.until or now + rules.STAYS,
        "waiting": 0,
        "contacted": 0,
        "ended_at": None,
        "outcome": None,
    }


def _line(post_id: str, position: int, line: LineDraft) -> Row:
    return {
        "id": row_id(),
        "post_id": post_id,
        "position": position,
        "item": line.item,
        "quantity": line.quantity,
        "remaining": line.quantity,
        "held": 0,
        "proposed": 0,
        "expires_on": line.expires_on,
        "sealed": line.sealed is True,
        "substitutes": line.substitutes,
    }
