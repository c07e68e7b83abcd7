"""The catalogue's rows: the items as they stand, and one row for each version that was taken in."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Self

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.catalogue.rules import Item
from mutualaid.kit.database import Base, Instant


class ItemRow(Base):
    """An item, see `rules.Item`. `rank` is its place in the operator's file. Rows are never deleted."""

    __tablename__ = "catalogue_items"

    code: Mapped[str] = mapped_column(String(64), primary_key=True)
    rank: Mapped[int]
    name: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    group: Mapped[str]
    ingredient: Mapped[str]
    form: Mapped[str]
    unit: Mapped[str]
    need_max: Mapped[int]
    offer_max: Mapped[int]
    divisible: Mapped[bool]
    nhc_listed: Mapped[bool]
    policy: Mapped[str]
    reason_zh: Mapped[str | None]
    reason_en: Mapped[str | None]
    caution_zh: Mapped[str | None]
    caution_en: Mapped[str | None]
    aliases: Mapped[list[str]] = mapped_column(JSON)
    leaflet_zh: Mapped[str | None] = mapped_column(Text)
    expiry_required: Mapped[bool]
    sealed_required: Mapped[bool]
    course_days: Mapped[int]
    min_useful: Mapped[int]
    handover: Mapped[str]
    min_age: Mapped[int | None]
    substitute_group: Mapped[str | None]
    withdrawn: Mapped[bool]

    @classmethod
    def of(cls, item: Item, rank: int) -> Self:
        row = cls(rank=rank)
        row.take(item)
        return row

    def take(self, item: Item) -> None:
        """Stand as this item from now on."""
        for name, value in asdict(item).items():
            setattr(self, name, list(value) if isinstance(value, tuple) else value)

    def item(self) -> Item:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(Item)}
        return Item(**{**values, "aliases": tuple(self.aliases)})


class CatalogueVersion(Base):
    """A catalogue that was taken in: `packaged` tells the one that came with a release from an operator's own."""

    __tablename__ = "catalogue_versions"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    packaged: Mapped[bool]
    imported_at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str | None]
