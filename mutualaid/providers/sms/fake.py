"""Appends to `OUTBOX/sms.jsonl` what would have been sent: `{"to","template","text","params","at"}` and the key, `to`
in E.164.
"""

from datetime import datetime
from pathlib import Path

from mutualaid.kit.letterbox import Letter, Letterbox, stamp
from mutualaid.kit.phones import Phone
from mutualaid.kit.told import Told
from mutualaid.providers.sms import BadNumber, Message


class FakeSms:
    """`told` knows `bad_number` besides what every fake knows."""

    name = "fake"
    is_fake = True

    def __init__(self, outbox: Path) -> None:
        self.told = Told("sms", outbox, {"bad_number": BadNumber})
        self._letters = Letterbox(outbox / "sms.jsonl")

    async def send(self, message: Message, *, key: str, at: datetime) -> None:
        self.told.obey()
        letter = Letter(message.to.e164, message.template, message.text, dict(message.params), stamp(at))
        await self._letters.post(letter, key=key)

    async def recent(self, to: Phone, *, limit: int = 5) -> list[Letter]:
        """The last messages to one phone, newest first: for pages in test mode."""
        return await self._letters.recent(to.e164, limit=limit)
