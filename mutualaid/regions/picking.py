"""Choosing a region step by step, as a form without scripts does: province, then city, then district."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.regions import store
from mutualaid.regions.records import Region


@dataclass(frozen=True, slots=True)
class Picked:
    """The lists to choose from and what was chosen; a choice that no longer fits its parent is empty again.

    `cities` holds the districts themselves where a province lists them directly.
    """

    provinces: Sequence[Region]
    cities: Sequence[Region]
    districts: Sequence[Region]
    province: str
    city: str
    district: str

    @property
    def code(self) -> str | None:
        """The finest region that was chosen."""
        return self.district or self.city or self.province or None

    @property
    def place(self) -> str | None:
        """The district that was chosen, or what is its own district; None before."""
        if self.districts:
            return self.district or None
        return (self.city or None) if self.cities else self.province or None

    @staticmethod
    def options(regions: Sequence[Region]) -> list[tuple[str, str]]:
        return [(region.code, region.name) for region in regions]


async def pick(session: AsyncSession, province: str, city: str, district: str) -> Picked:
    """The lists for these choices (codes, empty where nothing was chosen)."""
    provinces = await store.children(session, None)
    province, cities = await _below(session, provinces, province)
    city, districts = await _below(session, cities, city)
    district, _ = await _below(session, districts, district)
    return Picked(provinces, cities, districts, province, city, district)


async def line_of(session: AsyncSession, code: str) -> list[str]:
    """The choices that lead to this region, the widest first; none for a code that is none."""
    line: list[str] = []
    while code.isascii() and code.isdigit() and (region := await store.get(session, code)) is not None:
        line.insert(0, region.code)
        code = region.parent or ""
    return line


async def _below(session: AsyncSession, choices: Sequence[Region], chosen: str) -> tuple[str, Sequence[Region]]:
    if all(region.code != chosen for region in choices):
        return "", []
    return chosen, await store.children(session, chosen)
