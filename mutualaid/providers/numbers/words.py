"""Honest without a vendor: there are no numbers, and members write to each other inside the platform."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mutualaid.providers.numbers import (
    Binding,
    BindingRef,
    BindRequest,
    Caps,
    Close,
    Connect,
    NotAuthorised,
    Pushed,
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

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        raise PushRefused

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        raise NotAuthorised

    def answer_event(self, taken: int) -> dict[str, Any]:
        raise NotAuthorised
