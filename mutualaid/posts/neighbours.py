"""PostgreSQL's nearest entries in one question: neighbours among the cells, and the first entries of each, until there are
enough.

PostgreSQL orders cells by its own floating distance. Their order in whole metres is computed here, so a stream that was
not told whole is known only as far as a little before the last cell that was told of it.
"""

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from sqlalchemy import Integer, String, TextualSelect, bindparam, text

from mutualaid.kit import cells, clock, spots
from mutualaid.kit.instants import Instant
from mutualaid.kit.prepared import Prepared
from mutualaid.kit.reads import Tables
from mutualaid.posts import streams
from mutualaid.posts.nearby import SLACK_M, metres
from mutualaid.posts.streams import Found, Stream

_LEAST_ASKED: Final = 8  # entries of a stream
_GROWS: Final = 4

_NEAREST: Final = f"""
    SELECT s.n - 1, near.post_id, near.cell, near.created_at
    FROM json_array_elements(CAST(:streams AS json)) WITH ORDINALITY AS s(value, n)
    CROSS JOIN LATERAL (
        SELECT e.post_id, e.cell, e.created_at FROM plaza_cells c CROSS JOIN LATERAL (
            SELECT x.post_id, x.cell, x.created_at FROM plaza_entries x
            WHERE x.topic = c.topic AND x.kind = c.kind AND x."real" = c."real" AND x.cell = c.cell
              AND x.until > {clock.NOW["postgresql"]}
            ORDER BY x.created_at DESC, x.post_id LIMIT :of_cell) e
        WHERE c.topic = CAST(s.value->>0 AS varchar) AND c.kind = CAST(s.value->>1 AS varchar)
          AND c."real" = CAST(s.value->>2 AS smallint)
        ORDER BY c.spot <-> cube(CAST(:here AS float8[])) LIMIT :most) near"""  # noqa: S608 — words of ours


def _nearest(_dialect: str, _prefix: str) -> TextualSelect:
    words = (bindparam(name, type_=String()) for name in ("streams", "here"))
    numbers = (bindparam(name, type_=Integer()) for name in ("most", "of_cell"))
    said = text(_NEAREST).bindparams(*words, *numbers, bindparam("now", type_=Instant()))
    return said.columns(stream=Integer, post_id=String, cell=String, created_at=Instant)


NEAREST: Final = Prepared(_nearest)


async def nearest(
    tables: Tables, chosen: Sequence[Stream], *, viewer: str, within_m: int | None, limit: int
) -> list[tuple[int, Found]]:
    """The first `limit` (`distance_m`, entry) of these streams by distance between shown cells, then newest, then id."""
    if not chosen:
        return []
    here = "{" + ",".join(map(repr, spots.on_sphere(cells.centre(viewer)))) + "}"
    told: dict[int, list[tuple[int, Found]]] = {}
    unsure, most = list(range(len(chosen))), max(_LEAST_ASKED, min(2 * limit, 4 * limit // len(chosen)))
    while True:
        asked = json.dumps([chosen[n][:3] for n in unsure])
        bounds = {"most": most, "of_cell": min(most, limit), "now": clock.file_time()}
        rows = await tables.fetch(NEAREST, streams=asked, here=here, **bounds)
        far = {cell: metres(viewer, cell) for cell in set(map(itemgetter(2), rows))}
        told |= {n: [] for n in unsure}
        for place, post_id, cell, created_at in rows:
            told[unsure[place]].append((far[cell], streams.found(post_id, cell, 0, created_at)))
        best = streams.nearest_first([one for of_one in told.values() for one in of_one], limit)
        best = [one for one in best if within_m is None or one[0] <= within_m]
        reaches = best[-1][0] if len(best) == limit else within_m
        full = [n for n in unsure if len(told[n]) == most]
        unsure = [n for n in full if reaches is None or max(map(itemgetter(0), told[n])) - SLACK_M <= reaches]
        if not unsure:
            return best
        most *= _GROWS
