"""The right answers: every post that stands open, as arrays, filtered and sorted whole. Read from the tables that members
write, not from those that the plaza reads."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from benching.questions import Question
from mutualaid.kit import cells
from mutualaid.kit.instants import micros
from mutualaid.members.records import Member
from mutualaid.posts.records import Post, PostLine

Array = np.ndarray[Any, Any]

_EARTH_M: Final = 6_371_009
_SLACK_M: Final = 2.0  # between these floats and the whole metres of `cells.between_m`


@dataclass(frozen=True, slots=True)
class Truth:
    """One entry a post. `cell` counts in `cells`, `items` has a bit for each of `codes`."""

    ids: Array
    need: Array
    real: Array
    region: Array
    rank: Array
    created: Array
    items: Array
    cell: Array
    cells: list[str]
    codes: dict[str, int]
    places: Array  # (lat, lng) of each cell, radians

    @classmethod
    async def read(cls, session: AsyncSession) -> "Truth":
        columns = (
            *(Post.id, Post.kind, Member.real_name, Post.region, Post.urgency, Post.waiting, Post.contacted),
            *(Post.created_at, Post.cell),
        )
        standing = select(*columns).join(Member).where(Post.state == "open", Member.status == "active")
        rows = (await session.execute(standing.order_by(Post.id))).all()
        ids, kinds, reals, regions, urgencies, waiting, asked, created, where = zip(*rows, strict=True)
        codes: dict[str, int] = {}
        items = dict.fromkeys(ids, 0)
        there = select(PostLine.post_id, PostLine.item).where(PostLine.remaining > PostLine.held)
        for post_id, item in await session.execute(there):
            items[post_id] |= 1 << codes.setdefault(item, len(codes))
        numbered = {cell: n for n, cell in enumerate(dict.fromkeys(where))}
        ranks = np.where(np.array(urgencies) == "urgent", 0, 10_000) + (3 - np.array(waiting)) * 1_000
        return cls(
            ids=np.array(ids, dtype="S40"),
            need=np.array(kinds) == "need",
            real=np.array(reals) != "none",
            region=np.array(regions, dtype="S6"),
            rank=ranks + np.minimum(np.array(asked), 999),
            created=np.array([micros(moment) for moment in created]),
            items=np.array([items[post_id] for post_id in ids], dtype=np.uint64),
            cell=np.array([numbered[cell] for cell in where]),
            cells=list(numbered),
            codes=codes,
            places=np.radians([cells.centre(cell) for cell in numbered]),
        )

    def answer(self, question: Question, limit: int) -> list[str]:
        """The ids of the first page."""
        chosen = np.flatnonzero(self._mask(question))
        keys: tuple[Array, ...] = ()
        if question.order == "distance":
            chosen = _first(chosen, self._about_m(question.viewer)[self.cell[chosen]], limit, _SLACK_M)
            keys = (self._metres(question.viewer, chosen),)
        elif question.order == "urgent":
            chosen = _first(chosen, self.rank[chosen], limit)
            keys = (self.rank[chosen],)
        else:
            chosen = _first(chosen, -self.created[chosen], limit)
        order = np.lexsort((self.ids[chosen], -self.created[chosen], *keys))
        return [post_id.decode() for post_id in self.ids[chosen[order[:limit]]]]

    def _mask(self, question: Question) -> Array:
        filters = question.filters
        mask = (self.items > 0) & (self.need if filters.kind == "need" else ~self.need if filters.kind else True)
        if filters.items is not None:
            mask &= (self.items & np.uint64(sum(1 << self.codes[c] for c in filters.items if c in self.codes))) > 0
        if filters.real_name is not None:
            mask &= self.real == filters.real_name
        if filters.region is not None:
            lowest, highest = filters.region
            mask &= (self.region >= lowest.encode()) & (self.region <= highest.encode())
        within = filters.within[1] if filters.within else question.within_m
        if within is not None:
            mask &= self._within(question.viewer, within)[self.cell]
        return np.asarray(mask)

    def _about_m(self, viewer: str) -> Array:
        """Metres to each cell, as floats of this module's own arithmetic."""
        lat, lng = np.radians(cells.centre(viewer))
        up, aside = self.places[:, 0] - lat, self.places[:, 1] - lng
        half = np.sin(up / 2) ** 2 + np.cos(lat) * np.cos(self.places[:, 0]) * np.sin(aside / 2) ** 2
        return np.asarray(2 * _EARTH_M * np.arcsin(np.sqrt(half)))

    def _within(self, viewer: str, most: int) -> Array:
        """By the whole metres wherever the floats leave a doubt."""
        about = self._about_m(viewer)
        near = about <= most
        for n in np.flatnonzero(np.abs(about - most) <= _SLACK_M):
            near[n] = cells.between_m(viewer, self.cells[n]) <= most
        return np.asarray(near)

    def _metres(self, viewer: str, chosen: Array) -> Array:
        """Whole metres, by the one shared function."""
        numbers, back = np.unique(self.cell[chosen], return_inverse=True)
        found = np.array([cells.between_m(viewer, self.cells[n]) for n in numbers], dtype=int)
        return np.asarray(found[back])


def _first(chosen: Array, keys: Array, limit: int, slack: float = 0) -> Array:
    """Those that can be among the first by a key, all that are level with the last of them included."""
    if len(chosen) <= limit:
        return chosen
    return np.asarray(chosen[keys <= np.partition(keys, limit - 1)[limit - 1] + slack])
