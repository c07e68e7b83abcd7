"""What members are told of, and what of it is worth a text message."""

from typing import Final, Literal, NamedTuple

Kind = Literal[
    "proposed",
    "agreed",
    "match_ended",
    "disputed",
    "dispute_ruled",
    "unrecorded",
    "number_ready",
    "number_expiring",
    "number_ended",
    "solved",
    "words",
    "expiring",
    "unreachable",
    "ended",
    "hidden",
    "restored",
    "closed",
    "report_ruled",
    "suspended",
    "unsuspended",
    "vouched",
]
SubjectType = Literal["post", "match", "contact", "member"]

BY_SMS: Final[frozenset[Kind]] = frozenset({"agreed", "number_ready"})
ONE_UNREAD: Final[frozenset[Kind]] = frozenset({"words", "solved"})  # the next one is told once the last was read


class Subject(NamedTuple):
    """What a notice is about: the client opens it."""

    type: SubjectType
    id: str
