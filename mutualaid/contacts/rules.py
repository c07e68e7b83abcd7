"""What holds for contacts, as arithmetic: how long, how many, when masked calls rest."""

from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

Channel = Literal["call", "words"]
State = Literal["asked", "granted", "released", "failed"]
Role = Literal["a", "b"]
EndedBecause = Literal[
    "expired",
    "by_member",
    "post_ended",
    "post_hidden",
    "match_ended",
    "blocked",
    "suspended",
    "erased",
    "consent_withdrawn",
    "phone_changed",
    "ruling",
    "unreachable",
]
ToldBecause = Literal["expired", "by_member", "post_ended", "post_hidden", "match_ended", "ruling", "unreachable"]
Outcome = Literal["answered", "busy", "no_answer"]

LIVE: Final[tuple[State, ...]] = ("asked", "granted")
LEASE: Final = timedelta(hours=24)
EXTENSION: Final = timedelta(hours=24)
EXTENSIONS: Final = 3
QUARANTINE: Final = timedelta(days=7)
LEAST_REST: Final = timedelta(hours=24)  # of a number for a person, where no other is free for a pair
A_POST: Final = 3
A_MEMBER: Final = 5
WARNED: Final = timedelta(hours=1)  # before a contact expires
PATIENCE_S: Final = 1.5  # how long a door waits for the provider
GIVEN_UP: Final = timedelta(minutes=2)  # how long the worker asks a provider that is down
UPGRADE_EVERY: Final = timedelta(minutes=10)
LONGEST_CALL_S: Final = 1_800
ASK_SOLVED_S: Final = 1  # seconds of talk from which a call counts as one
RETRY_EXHAUSTED_S: Final = 3_600
UNANSWERED: Final = 2  # calls to one of the two that nobody answered, and none that was: the contact ends
RATES_OVER: Final = timedelta(hours=1)
A_PAIR_CALLS: Final = 20  # of one lease, in either direction, in that time
A_CALLER_CALLS: Final = 40  # of one person, by all their leases
CALLS_KEPT: Final = timedelta(days=183)  # six months

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


def resting(quiet_hours: str, moment: datetime) -> bool:
    """Whether masked calls rest at this moment. `quiet_hours`: `22:00-07:00` in Shanghai, may cross midnight; empty is never."""
    if not quiet_hours:
        return False
    start, end = (time.fromisoformat(part) for part in quiet_hours.split("-"))
    local = moment.astimezone(_SHANGHAI).time()
    if start <= end:
        return start <= local < end
    return local >= start or local < end


def told_because(because: EndedBecause) -> ToldBecause:
    """What both are told. That somebody blocked the other, left, or has another phone is that somebody's own affair."""
    match because:
        case "blocked" | "erased" | "consent_withdrawn" | "phone_changed":
            return "by_member"
        case "suspended":
            return "ruling"
        case _:
            return because


def longest_call(expires_at: datetime, now: datetime) -> int:
    """Whole seconds that a call may last: no longer than the lease, at least one."""
    return max(1, min(LONGEST_CALL_S, int((expires_at - now).total_seconds())))


def shown_state(state: State, expires_at: datetime, now: datetime) -> State:
    """The state as a reader sees it: one whose time is over has ended, though the sweep has not come by yet."""
    return "released" if state in LIVE and expires_at <= now else state
