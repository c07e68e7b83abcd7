"""Cards in one statement of text, read by the driver alone: for the plaza's hot path. `cards.py` says the same by SQLAlchemy.

A test holds the two to the same cards, on both databases.
"""

import json
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import String, TextClause, bindparam, text

from mutualaid.kit.instants import given
from mutualaid.kit.prepared import Prepared
from mutualaid.posts.cards import Card, LineCard
from mutualaid.posts.rules import Window

_OF_POST: Final = (
    *("id", "author_id", "kind", "state", "hidden_by", "cell", "region", "urgency", "reach_km", "handover", "contact"),
    *("for_other", "beneficiary_age_band", "keeps_enough", "note", "scrubbed", "outcome", "available"),
    *("created_at", "confirmed_at", "until", "ended_at"),
)
_OF_LINE: Final = ("id", "item", "quantity", "remaining", "held", "expires_on", "substitutes")


def _said(listed: str, array: str, together: str) -> str:
    post = ", ".join(f"p.{name}" for name in _OF_POST)
    line = ", ".join(f"l.{name}" for name in _OF_LINE)
    return f"""SELECT {post}, m.display_name, m.real_name, r.name, r.path,
        (SELECT {together}({array}({line})) FROM (SELECT * FROM post_lines WHERE post_id = p.id ORDER BY position) l)
        FROM {listed} JOIN members m ON m.id = p.author_id JOIN regions r ON r.code = p.region"""  # noqa: S608 — words of ours


_SAID: Final = {
    "sqlite": _said("json_each(:ids) j JOIN posts p ON p.id = j.value", "json_array", "json_group_array"),
    "postgresql": _said(
        "json_array_elements_text(CAST(:ids AS json)) j JOIN posts p ON p.id = j", "json_build_array", "json_agg"
    ),
}


def _cards(dialect: str, _prefix: str) -> TextClause:
    return text(_SAID[dialect]).bindparams(bindparam("ids", type_=String()))


CARDS: Final = Prepared(_cards)
"""The rows of posts by their ids, `ids` a JSON list of them; for `card`."""


def card(row: Any) -> Card:
    """A row of either database as a card."""
    post = dict(zip(_OF_POST, row, strict=False))
    author_name, real_name, region_name, region_path, lines = tuple(row)[len(_OF_POST) :]
    for name in ("created_at", "confirmed_at", "until", "ended_at"):
        post[name] = given(post[name])
    for name in ("for_other", "keeps_enough", "scrubbed"):
        post[name] = bool(post[name])
    post["handover"] = _parsed(post["handover"])
    windows = [Window(*map(datetime.fromisoformat, each)) for each in _parsed(post.pop("available"))]
    return Card(
        **post,
        windows=windows,
        author_name=author_name,
        author_real_name=real_name,
        region_name=region_name,
        region_path=region_path,
        lines=tuple(map(_line, _parsed(lines) or ())),
    )


def _line(values: list[Any]) -> LineCard:
    line_id, item, quantity, remaining, held, expires_on, substitutes = values
    good_to = date.fromisoformat(expires_on) if expires_on else None
    return LineCard(line_id, item, quantity, remaining, held, good_to, bool(substitutes))


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
