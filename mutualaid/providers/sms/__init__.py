"""The promise of text messages: one templated message to one phone, each key at most once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mutualaid.kit.outside import ProviderDown, Throttled
from mutualaid.kit.phones import Phone

__all__ = ["BadNumber", "Message", "ProviderDown", "SmsMaker", "Throttled"]


class BadNumber(Exception):
    """The network does not know this number, or never delivers to it. Asking again is of no use."""


@dataclass(frozen=True, slots=True)
class Message:
    """`template` names the sentence among ours; vendors map it to the one they approved and fill `params` in.

    `text` is the whole sentence as the member reads it. Neither `text` nor `params` (a code may be inside) is in the
    repr.
    """

    to: Phone
    template: str
    text: str = field(repr=False)
    params: Mapping[str, str] = field(repr=False)


class SmsMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool:
        """True where nothing leaves the machine; the pages then say 测试模式."""
        ...

    async def send(self, message: Message, *, key: str, at: datetime) -> None:
        """Hand the message over. Returning means accepted, not delivered.

        The same `key` again is a success that sends nothing: job rows arrive at least once. After an error the key is
        free. `at`: aware, when the platform decided to send. Raises BadNumber, Throttled, ProviderDown.
        """
        ...
