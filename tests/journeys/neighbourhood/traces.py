"""Every change that was seen, and the audit row that must have been written with it: (subject, deeds that tell of it)."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.journeys.neighbourhood.seen import Row, Rows, Seen

Change = tuple[str, frozenset[str]]  # one of these deeds must stand for this subject

_POST = {"open": "post.restored"}
_MEMBER = {
    "active": "member.restored",
    "suspended": "member.suspended",
    "erasing": "member.erased",
    "erased": "member.key_destroyed",
}
_CASE = {"open": "case.opened", "claimed": "case.claimed", "closed": "case.closed"}
# Deeds that happen once in the life of their subject, and the state they lead to.
ENDINGS = {
    **{f"post.{state}": state for state in ("resolved", "withdrawn", "expired", "closed")},
    **{f"match.{state}": state for state in ("completed", "declined", "lapsed", "withdrawn", "failed")},
    **{f"contact.{state}": state for state in ("released", "failed")},
    "case.closed": "closed",
}


def _change(subject: str, *deeds: str) -> Change:
    return subject, frozenset(deeds)


def changes(before: Seen, after: Seen) -> Iterator[Change]:
    """What changed from one moment to the other."""
    yield from _of_posts(before, after)
    yield from _of_matches(before, after)
    yield from _of_leases(before, after)
    yield from _of_members(before, after)
    for old, new in _both(before.cases, after.cases):
        if old is None:
            yield _change(new.id, "case.opened")
        elif old.state != new.state or old.claimed_by != new.claimed_by:
            yield _change(new.id, _CASE[new.state])
    for name, deed, subject in (
        ("reports", "post.reported", "post_id"),
        ("contact_reports", "contact.reported", "lease_id"),
        ("messages", "contact.written", "lease_id"),
    ):
        old_rows = before.tables()[name]
        for key, row in after.tables()[name].items():
            if key not in old_rows:
                yield _change(getattr(row, subject), deed)


def _both(before: Rows, after: Rows) -> Iterator[tuple[Row | None, Row]]:
    """(as it was, as it is) of every row that is new or another."""
    for key, row in after.items():
        old = before.get(key)
        if old != row:
            yield old, row


def _of_posts(before: Seen, after: Seen) -> Iterator[Change]:
    for old, new in _both(before.posts, after.posts):
        if old is None:
            yield _change(new.id, "post.published")
        if new.state == "hidden" and (old is None or (old.state, old.hidden_by) != (new.state, new.hidden_by)):
            yield _change(new.id, "post.hidden")
        elif old is not None and old.state != new.state:
            yield _change(new.id, _POST.get(new.state, f"post.{new.state}"))
        if old is not None and (old.contact, old.until, old.urgency) != (new.contact, new.until, new.urgency):
            yield _change(new.id, "post.amended")
    for old, new in _both(before.lines, after.lines):
        if old is not None and old.quantity != new.quantity:
            yield _change(new.post_id, "post.amended")


def _of_matches(before: Seen, after: Seen) -> Iterator[Change]:
    for old, new in _both(before.matches, after.matches):
        if old is None:
            yield _change(new.id, "match.proposed", "match.pledged")
        if new.state == "proposed":
            continue
        if new.state == "accepted":
            if old is None or (old.need_accepted, old.offer_accepted) != (new.need_accepted, new.offer_accepted):
                yield _change(new.id, "match.accepted", "match.pledged")
        elif old is None or old.state != new.state:
            yield _change(new.id, f"match.{new.state}")
        if old is not None and new.disputed and not old.disputed:
            yield _change(new.id, "match.disputed")
        if old is not None and new.answered and not old.answered:
            yield _change(new.id, "match.disputed", "match.confirmed")


def _of_leases(before: Seen, after: Seen) -> Iterator[Change]:
    for old, new in _both(before.leases, after.leases):
        if old is None:
            yield _change(new.id, "contact.asked")
        if new.state == "granted" and (old is None or (old.state, old.channel) != (new.state, new.channel)):
            yield _change(new.id, "contact.granted", "contact.words_for_now")
        elif old is not None and old.state != new.state:
            yield _change(new.id, f"contact.{new.state}")
        if old is None:
            continue
        if old.extensions != new.extensions:
            yield _change(new.id, "contact.extended")
        if old.match_id != new.match_id:
            yield _change(new.id, "contact.of_match")
        if old.x != new.x:
            yield _change(new.id, "contact.seated", "contact.words_for_now")
        if old.wants_call != new.wants_call:
            yield _change(new.id, "contact.call_wanted", "contact.of_match")
        if old.unbound_at != new.unbound_at:
            yield _change(new.id, "contact.unbound")


def _of_members(before: Seen, after: Seen) -> Iterator[Change]:
    for old, new in _both(before.members, after.members):
        if old is None:
            continue
        if old.status != new.status:
            yield _change(new.id, _MEMBER[new.status])
        if old.real_name != new.real_name:
            yield _change(new.id, "member.real_name_set")
        if old.phone != new.phone:
            yield _change(new.id, "member.phone_changed", "member.erased")
    for consent, new in _both(before.consents, after.consents):
        yield _change(new.id, "consent.given" if consent is None else "consent.withdrawn")
    for _, new in _both(before.blocks, after.blocks):
        yield _change(new.blocked_id, "member.blocked")


def untold(wanted: Iterable[Change], written: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Changes without a row among those `written` (subject, deed) since."""
    told: dict[str, set[str]] = {}
    for subject, deed in written:
        told.setdefault(subject, set()).add(deed)
    for subject, deeds in wanted:
        if not deeds & told.get(subject, set()):
            yield f"no audit row tells of {' or '.join(sorted(deeds))}"


def ends_told(seen: Seen, written: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Of every end exactly one row, and none of an end that was not."""
    told = Counter((subject, deed) for subject, deed in written if deed in ENDINGS)
    rows = {**seen.posts, **seen.matches, **seen.leases, **seen.cases}
    for (subject, deed), count in told.items():
        if subject in rows and (count != 1 or rows[subject].state != ENDINGS[deed]):
            yield f"{count} rows say {deed} of what is {rows[subject].state}"
    ended = set(ENDINGS.values())
    for subject, row in rows.items():
        if row.state in ended and not any(
            (subject, deed) in told for deed, state in ENDINGS.items() if state == row.state
        ):
            yield f"no row says that it is {row.state}"
