"""What the twin reads and answers, as pydantic models."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tests.bench.records import Member, Post

Kind = Literal["need", "offer"]


class LineIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    item: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Annotated[int, Field(ge=1, le=9999)]
    expires_on: date | None = None


class PlaceIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lat: Annotated[float, Field(ge=-90, le=90)]
    lng: Annotated[float, Field(ge=-180, le=180)]
    crs: Literal["wgs84"] = "wgs84"


class PostIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=10)]
    place: PlaceIn
    urgency: Literal["normal", "urgent"] = "normal"
    reach_km: Annotated[int, Field(ge=1, le=50)] = 10
    handover: list[Literal["pickup", "delivery", "courier"]] = ["pickup"]
    contact: Literal["anyone", "matches", "words"] = "anyone"
    note: Annotated[str, Field(max_length=500)] = ""


class LineOut(BaseModel):
    id: str
    item: str
    name: str
    unit: str
    quantity: int
    remaining: int
    held: int
    expires_on: date | None


class RegionOut(BaseModel):
    code: str
    name: str
    path: str


class PlaceOut(BaseModel):
    cell: str
    lat: float
    lng: float
    crs: str = "wgs84"


class AuthorOut(BaseModel):
    display_name: str
    real_name: bool
    real_name_how: str | None


class PostOut(BaseModel):
    id: str
    kind: Kind
    state: str
    lines: list[LineOut]
    region: RegionOut
    place: PlaceOut
    urgency: str
    reach_km: int
    handover: list[str]
    contact: str
    author: AuthorOut
    mine: bool
    note: str
    created_at: datetime
    confirmed_at: datetime
    until: datetime
    distance_m: int | None
    distance_km: float | None


class PostsOut(BaseModel):
    items: list[PostOut]


def shown(post: Post, reader: Member, metres: int | None = None) -> PostOut:
    how = None if post.author.real_name == "none" else post.author.real_name
    return PostOut(
        id=post.id,
        kind="need" if post.kind == "need" else "offer",
        state=post.state,
        lines=[
            LineOut(
                id=line.id,
                item=line.item,
                name=line.thing.name,
                unit=line.thing.unit,
                quantity=line.quantity,
                remaining=line.remaining,
                held=line.held,
                expires_on=line.expires_on,
            )
            for line in post.lines
        ],
        region=RegionOut(code=post.district.code, name=post.district.name, path=post.district.path),
        place=PlaceOut(cell=post.cell, lat=post.lat, lng=post.lng),
        urgency=post.urgency,
        reach_km=post.reach_km,
        handover=post.handover,
        contact=post.contact,
        author=AuthorOut(display_name=post.author.display_name, real_name=how is not None, real_name_how=how),
        mine=post.author_id == reader.id,
        note=post.note,
        created_at=post.created_at,
        confirmed_at=post.confirmed_at,
        until=post.until,
        distance_m=metres,
        distance_km=None if metres is None else round(metres / 1000, 1),
    )
