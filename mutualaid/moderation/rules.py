"""Cases and rulings as values: why, by which deed, for how long a claim holds."""

from datetime import timedelta
from typing import Final, Literal, get_args

Reason = Literal[
    "scam",
    "selling",
    "prescription",
    "abuse",
    "wrong_number",
    "other",
    "contradiction",
    "urgent_review",
    "note_review",
    "real_name",
]
State = Literal["open", "claimed", "closed"]
Part = Literal["author", "reporter", "reported", "need", "offer", "applicant"]
PostDeed = Literal["close", "hide", "restore", "approve"]
MemberDeed = Literal["suspend", "restore", "vouch"]

POST_DEEDS: Final[tuple[PostDeed, ...]] = get_args(PostDeed)
MEMBER_DEEDS: Final[tuple[MemberDeed, ...]] = get_args(MemberDeed)
CLAIM: Final = timedelta(minutes=10)
REVIEWS: Final[dict[str, Reason]] = {"urgent_review": "urgent_review", "note_review": "note_review"}

# What a ruling on a member decides with it: the cases in which they play one of these parts. Cases about a post wait for
# the ruling on the post.
SETTLES: Final[dict[MemberDeed, frozenset[Part]]] = {
    "suspend": frozenset({"reported", "need", "offer"}),
    "restore": frozenset(),
    "vouch": frozenset({"applicant"}),
}
