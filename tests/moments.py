"""The clock that tests set."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2023, 1, 7, 12, tzinfo=UTC)


class Clock:
    """Writes the clock file that `kit.clock` and every database statement follow."""

    def __init__(self, file: Path, start: datetime = START) -> None:
        self.file = file
        self.set(start)

    def set(self, moment: datetime) -> None:
        self.now = moment
        partial = self.file.with_suffix(".new")
        partial.write_text(moment.isoformat())
        partial.replace(self.file)

    def advance(self, **by: float) -> None:
        """`clock.advance(hours=2)`."""
        self.set(self.now + timedelta(**by))
