"""Reading the catalogue's rows."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.records import CatalogueVersion, ItemRow


async def rows(session: AsyncSession) -> Sequence[ItemRow]:
    """Every item, the withdrawn ones included, in the order of the operator's file."""
    return (await session.scalars(select(ItemRow).order_by(ItemRow.rank, ItemRow.code))).all()


async def version(session: AsyncSession) -> int:
    """The number of the version that stands; 0 before the first."""
    return await session.scalar(select(func.max(CatalogueVersion.number))) or 0


async def latest(session: AsyncSession) -> CatalogueVersion | None:
    """The version that stands."""
    return await session.scalar(select(CatalogueVersion).order_by(CatalogueVersion.number.desc()).limit(1))
