"""Job name → what is done, in this order: the only table of "when this happens, do that".

Every function may run again after a crash, so each is idempotent; a job's row goes when all of them are done.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from mutualaid.members import jobs as members
from mutualaid.posts import jobs as posts
from mutualaid.services import Services


class Handle(Protocol):
    """`payload` holds ids only; `now` is the moment the job is run."""

    def __call__(self, services: Services, payload: dict[str, str], /, *, now: datetime) -> Awaitable[None]: ...


JOBS: dict[str, tuple[Handle, ...]] = {
    "members.send_code": (members.send_code,),
    "members.appointment_asked": (),
    "post.published": (),
    "post.changed": (),
    "post.due": (posts.on_due,),
    "post.ended": (),
    "post.hidden": (),
    "post.reported": (),
    "house.daily": (members.sweep,),
}
