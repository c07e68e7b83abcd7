"""The twin's tables, as one would declare them with the ORM."""

import uuid
from datetime import date, datetime

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


def new_id() -> str:
    return uuid.uuid4().hex


class Region(Base):
    __tablename__ = "regions"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    path: Mapped[str]


class Item(Base):
    __tablename__ = "catalogue_items"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    unit: Mapped[str]
    need_max: Mapped[int]
    offer_max: Mapped[int]


class Member(Base):
    __tablename__ = "members"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    status: Mapped[str] = mapped_column(default="active")
    display_name: Mapped[str]
    real_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SessionRow(Base):
    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    member: Mapped[Member] = relationship()


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    author_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")
    cell: Mapped[str]
    lat: Mapped[float]
    lng: Mapped[float]
    x: Mapped[float]  # on the unit sphere
    y: Mapped[float]
    z: Mapped[float]
    region: Mapped[str] = mapped_column(ForeignKey("regions.code"))
    urgency: Mapped[str]
    reach_km: Mapped[int]
    handover: Mapped[list[str]] = mapped_column(JSON)
    contact: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    confirmed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    until: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    author: Mapped[Member] = relationship()
    district: Mapped[Region] = relationship()
    lines: Mapped[list["PostLine"]] = relationship(order_by="PostLine.position")

    __table_args__ = (Index("ix_posts_kind_lat_lng", "kind", "lat", "lng"),)


class PostLine(Base):
    __tablename__ = "post_lines"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id"), index=True)
    position: Mapped[int]
    item: Mapped[str] = mapped_column(ForeignKey("catalogue_items.code"))
    quantity: Mapped[int]
    remaining: Mapped[int]
    held: Mapped[int] = mapped_column(default=0)
    expires_on: Mapped[date | None]

    thing: Mapped[Item] = relationship()


class AuditRow(Base):
    __tablename__ = "audit_rows"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor: Mapped[str]
    deed: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)


class Job(Base):
    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    payload: Mapped[dict[str, str]] = mapped_column(JSON)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class Kept(Base):
    """An answer under its Idempotency-Key."""

    __tablename__ = "idempotency_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"))
    key: Mapped[str]
    answer: Mapped[str | None]

    __table_args__ = (UniqueConstraint("member_id", "key"),)


# PostgreSQL finds neighbours by an index over earthdistance's points; SQLite has the index above.
EXTENSIONS = ("cube", "earthdistance", "btree_gist")
Index("ix_posts_near", Post.kind, func.ll_to_earth(Post.lat, Post.lng), postgresql_using="gist").ddl_if(
    dialect="postgresql"
)
