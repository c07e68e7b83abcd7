"""Honest without a vendor: there are no numbers, and members write to each other inside the platform."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from mutualaid.providers.numbers import (
    Binding,
    BindingRef,
    BindRequest,
    CallRecord,
    Caps,
    Connect,
    NotAuthorised,
    PushRefused,
)


class WordsOnly:
    name = "words"
    is_fake = False
    caps = Caps(modes=frozenset())
    pool: Sequence[str] = ()

    async def bind(self, request: BindRequest) -> Binding:
        raise NotAuthorised

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        raise NotAuthorised

    async def unbind(self, binding: BindingRef) -> None:
        """Nothing was ever bound."""

    async def query(self, binding: BindingRef) -> Binding | None:
        return None

    def parse_event(self, headers: Mapping[str, str], raw: bytes) -> list[CallRecord]:
        raise PushRefused

    def answer_route(self, decision: Connect) -> dict[str, str | int]:
        raise NotAuthorised
