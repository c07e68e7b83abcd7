"""Job name → what is done, in this order: the only table of "when this happens, do that".

Every function may run again after a crash, so each is idempotent; a job's row goes when all of them are done.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from mutualaid.matching import jobs as matching
from mutualaid.members import jobs as members
from mutualaid.services import Services


class Handle(Protocol):
    """`payload` holds ids only; `now` is the moment the job is run."""

    def __call__(self, services: Services, payload: dict[str, str], /, *, now: datetime) -> Awaitable[None]: ...


JOBS: dict[str, tuple[Handle, ...]] = {
    "members.send_code": (members.send_code,),
    "members.appointment_asked": (),
    "member.blocked": (),
    "post.published": (matching.on_post_changed,),
    "post.changed": (matching.on_post_changed,),
    "post.due": (matching.on_post_due,),
    "post.ended": (matching.on_post_ended,),
    "post.hidden": (),
    "post.reported": (),
    "match.look": (matching.on_post_changed,),
    "match.proposed": (),
    "match.due": (matching.on_match_due,),
    "match.agreed": (),
    "match.ended": (),
    "match.disputed": (),
    "house.daily": (members.sweep,),
}
