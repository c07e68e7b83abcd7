"""What may come one time only: a mark is taken in the transaction of the effect it stands for, so both are kept or neither.

For proofs that can be shown again by whoever overheard them, as long as they are not too old.
"""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mutualaid.kit.clock import sql_now
from mutualaid.kit.database import Base, Instant


class Mark(Base):
    """A mark that was taken. `until`: from then on whatever carries it is too old anyhow."""

    __tablename__ = "once_marks"

    scope: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime] = mapped_column(Instant, index=True)


async def take(session: AsyncSession, scope: str, mark: str, *, until: datetime) -> bool:
    """False where somebody has taken it. Two at once: the second waits for the first one's commit."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"scope": scope, "mark": mark, "until": until}
    taken = await session.execute(insert(Mark).values(row).on_conflict_do_nothing().returning(Mark.mark))
    return taken.first() is not None


async def sweep(session: AsyncSession) -> None:
    """Forget the marks of what is too old."""
    await session.execute(delete(Mark).where(Mark.until <= sql_now()))
