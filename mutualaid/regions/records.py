"""Region: a row of GB/T 2260 with a point inside it, its bounds and, where it is a district, its packed shape."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.database import Base, Instant
from mutualaid.regions.rules import MICRO, Level


class RegionRow(Base):
    """As seeded. Coordinates are WGS-84 micro-degrees. `shape` is what `rules.pack` makes: districts have one, and so
    does the one province without districts (澳门), which is its own; points lie in these rows."""

    __tablename__ = "regions"

    code: Mapped[str] = mapped_column(String(6), primary_key=True)
    name: Mapped[str]
    level: Mapped[str]
    parent: Mapped[str | None] = mapped_column(String(6), index=True)
    path: Mapped[str]
    inner_lat: Mapped[int]
    inner_lng: Mapped[int]
    min_lat: Mapped[int]
    max_lat: Mapped[int]
    min_lng: Mapped[int]
    max_lng: Mapped[int]
    shape: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_regions_bounds", "min_lat", "max_lat", "min_lng", "max_lng", "code"),)


class RegionSource(Base):
    """The one row that says which source the table was made from."""

    __tablename__ = "region_sources"

    version: Mapped[str] = mapped_column(primary_key=True)
    seeded_at: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True, slots=True)
class Region:
    """One region as the other rooms see it. `path` is the names from the province down, joined by `/`.

    `is_district`: points lie in it. So it is for every district, and for the province that has none (澳门).
    """

    code: str
    name: str
    level: Level
    parent: str | None
    path: str
    inner_lat: int
    inner_lng: int
    is_district: bool

    @property
    def inner(self) -> tuple[float, float]:
        """(lat, lng) in WGS-84 degrees of a point inside."""
        return self.inner_lat / MICRO, self.inner_lng / MICRO
