"""How a post stands on the plaza, as the feed tells it. No arrays here: a small plaza never loads them."""

from dataclasses import dataclass

from mutualaid.posts.rules import Kind


@dataclass(frozen=True, slots=True)
class Row:
    """A post as it stands on the plaza. Moments in microseconds since 1970; `real`: 1 for a real-name author."""

    id: str
    kind: Kind
    real: int
    cell: str
    region: int
    rank: int
    created: int
    until: int
    topics: tuple[str, ...]
