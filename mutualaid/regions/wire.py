"""What the doors of regions take and answer."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from mutualaid.kit.coordinates import Crs
from mutualaid.kit.fields import View
from mutualaid.regions.records import Region
from mutualaid.regions.rules import Level

Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", description="GB/T 2260", examples=["450103"])]


class RegionQuery(BaseModel):
    """Which regions are asked for: those right below `parent`, the provinces without it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: Code | None = None
    limit: int | None = Field(None, ge=1, le=50, description="the whole list where it is not given")
    cursor: str | None = Field(None, max_length=400)


class LocateQuery(BaseModel):
    """A point in degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lng: float = Field(ge=-180, le=180, allow_inf_nan=False)
    crs: Crs = "wgs84"


class RegionEntry(View):
    """One region of GB/T 2260. A city without districts is its own district: level `district`, parent the province."""

    code: Code
    name: str
    level: Level
    parent: Code | None

    @classmethod
    def of(cls, region: Region) -> Self:
        return cls(code=region.code, name=region.name, level=region.level, parent=region.parent)


class RegionList(View):
    """Regions of one parent, by code. No parent has more than fifty."""

    items: list[RegionEntry]
    next_cursor: str | None
