"""Job name → what is done, in this order: the only table of "when this happens, do that".

Every function may run again after a crash, so each is idempotent; a job's row goes when all of them are done.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from mutualaid import housekeeping
from mutualaid.account import jobs as account
from mutualaid.contacts import jobs as contacts
from mutualaid.contacts import telling as contacts_telling
from mutualaid.matching import jobs as matching
from mutualaid.matching import telling as matching_telling
from mutualaid.members import jobs as members
from mutualaid.moderation import jobs as moderation
from mutualaid.notices import jobs as notices
from mutualaid.posts import jobs as posts
from mutualaid.posts import telling as posts_telling
from mutualaid.services import Services


class Handle(Protocol):
    """`payload` holds ids only; `now` is the moment the job is run."""

    def __call__(self, services: Services, payload: dict[str, str], /, *, now: datetime) -> Awaitable[None]: ...


JOBS: dict[str, tuple[Handle, ...]] = {
    "members.send_code": (members.send_code,),
    "members.appointment_asked": (moderation.on_appointment_asked,),
    "member.blocked": (contacts.on_blocked,),
    "post.changed": (matching.on_post_changed, posts.sort_words),
    "post.due": (matching.on_post_due,),
    "post.expiring": (posts_telling.on_expiring,),
    "post.ended": (contacts.on_post_ended, matching.on_post_ended, posts_telling.on_ended),
    "post.unreachable": (posts_telling.on_unreachable,),
    "post.hidden": (
        contacts.on_post_hidden,
        matching.on_post_hidden,
        moderation.on_post_hidden,
        posts_telling.on_hidden,
    ),
    "post.reported": (moderation.on_post_reported,),
    "match.proposed": (matching_telling.on_proposed,),
    "match.due": (matching.on_match_due,),
    "match.sweep": (matching.on_sweep,),
    "match.agreed": (contacts.on_match_agreed, matching_telling.on_agreed),
    "match.ended": (contacts.on_match_ended, matching_telling.on_ended),
    "match.unrecorded": (matching_telling.on_unrecorded,),
    "match.disputed": (moderation.on_match_disputed,),
    "contacts.grant": (contacts.grant,),
    "contacts.issue": (contacts.on_match_agreed,),
    "contacts.upgrade": (contacts.upgrade,),
    "contacts.renew": (contacts.renew,),
    "contacts.release": (contacts.let_go,),
    "contacts.reconcile": (contacts.reconcile,),
    "contacts.warn": (contacts.warn,),
    "contacts.expire": (contacts.expire,),
    "contacts.cut_hidden": (contacts.on_post_hidden,),
    "contacts.call_ended": (contacts.call_ended,),
    "contacts.unanswered": (contacts.unanswered,),
    "contact.ready": (contacts_telling.on_ready,),
    "contact.expiring": (contacts_telling.on_expiring,),
    "contact.ended": (contacts_telling.on_ended,),
    "contact.words": (contacts_telling.on_words,),
    "contact.ask_solved": (contacts_telling.on_ask_solved,),
    "contact.reported": (moderation.on_contact_reported,),
    "notice.sms": (notices.send_sms,),
    "member.key_destroy": (account.on_key_destroy,),
    "house.hourly": (posts.wait, posts.forget_changes, posts.sort_words, matching.announce_sweeps),
    "house.daily": (
        housekeeping.sweep,
        members.sweep,
        account.sweep,
        contacts.daily,
        posts.sweep,
    ),
}
