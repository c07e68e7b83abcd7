"""A vendor behind the promise: idempotent by our key although the vendor knows none.

Before the vendor is asked, a row says that it will be; a lost answer leaves that row behind, and whoever comes next with the
key looks at the vendor for what may have been bound.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from mutualaid.kit.outside import ProviderDown, Throttled
from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers import (
    BadNumber,
    Binding,
    BindingGone,
    BindingRef,
    BindRequest,
    Caps,
    ExpiryTooSoon,
    NotAuthorised,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
)
from mutualaid.providers.numbers.ledger import Held, Ledger
from mutualaid.providers.numbers.wire import PROMISE

People = tuple[Phone, Phone]


class Keyed(ABC):
    """What a vendor's maker inherits. It says in its own words how to bind, find, move, let go."""

    name: str
    is_fake = False
    caps: Caps
    counts = False  # whether the same three bound again are the same binding once more: then no refusal hides one

    def __init__(self, pool: Sequence[str], ledger: Ledger) -> None:
        self.pool = tuple(pool)
        self._ours = frozenset(pool)
        self._ledger = ledger

    @abstractmethod
    async def _tell(self, request: BindRequest, held: Held) -> str:
        """Bind until `held.expires_at`; what the vendor calls it. Raises what the promise raises."""

    @abstractmethod
    async def _find(self, held: Held, people: People | None) -> str | None:
        """What the vendor calls a binding whose answer was lost, None where it has none. Raises ProviderDown, Throttled;
        ProviderDown too where the vendor cannot be asked without knowing the two.
        """

    @abstractmethod
    async def _holds(self, held: Held, ref: str) -> bool:
        """Whether the vendor has this binding still."""

    @abstractmethod
    async def _move(self, held: Held, ref: str, expires_at: datetime) -> None:
        """Move its end. Raises BindingGone."""

    @abstractmethod
    async def _let_go(self, held: Held, ref: str) -> None:
        """Unbind. Raises BindingGone."""

    async def bind(self, request: BindRequest) -> Binding:
        self._refuse_what_is_not_ours(request)
        held = await self._ledger.open(request, self.caps)
        if held.ref is not None:
            return held.binding(held.ref)
        try:
            ref = await self._told(request, held)
        except (NumbersRefused, Throttled):
            if held.fresh:  # of an earlier try nobody knows what became: its row stays
                await self._ledger.strike(held)
            raise
        return await self._ledger.answered(held, ref)

    async def _told(self, request: BindRequest, held: Held) -> str:
        try:
            return await self._tell(request, held)
        except (PairConflict, PoolExhausted):
            # It may only say that another try with this key, whose answer was lost or is awaited, did bind.
            found = None if self.counts else await self._found(held, (request.a, request.b))
            if found is None:
                raise
            return found

    async def _is_of(self, held: Held, ref: str) -> bool:
        """Whether no other key names this binding."""
        return (await self._ledger.claimed(held.x)).get(ref, set()) <= {held.key}

    def _refuse_what_is_not_ours(self, request: BindRequest) -> None:
        if request.mode not in self.caps.modes:
            raise NotAuthorised
        if request.x not in self._ours or request.a == request.b:
            raise BadNumber
        digits = request.extension or ""
        if request.mode != "axe":
            fits = request.extension is None
        else:
            fits = digits.isascii() and digits.isdecimal() and len(digits) <= self.caps.extension_digits
        if not fits:
            raise BadNumber

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        if not self.caps.renewable:
            raise NotAuthorised
        held, ref = await self._known(binding)
        if held is None or ref is None:
            raise BindingGone
        if expires_at <= held.now + self.caps.min_ttl:
            raise ExpiryTooSoon
        try:
            await self._move(held, ref, expires_at)
        except BindingGone:
            await self._ledger.strike(held)
            raise
        await self._ledger.extended(held, expires_at)
        return Binding(held.key, ref, held.x, held.extension, expires_at)

    async def unbind(self, binding: BindingRef) -> None:
        held = await self._ledger.get(binding.key)
        if held is None:
            return
        ref = held.ref or await self._found(held, binding.people)
        if ref is not None and await self._is_of(held, ref):  # else it is another key's as well, who needs it
            with suppress(BindingGone):
                await self._let_go(held, ref)
        if not held.settled and (ref is None or self.counts):
            raise ProviderDown(PROMISE, retry_after=60)  # what was asked may still be on its way: look again
        await self._ledger.strike(held)

    async def query(self, binding: BindingRef) -> Binding | None:
        held, ref = await self._known(binding)
        if held is None or ref is None:
            return None
        if not await self._holds(held, ref):
            await self._ledger.strike(held)
            return None
        return held.binding(ref)

    async def _known(self, binding: BindingRef) -> tuple[Held | None, str | None]:
        """The row, and what the vendor calls the binding, looked for where its answer was lost."""
        held = await self._ledger.get(binding.key)
        if held is None or held.ref is not None:
            return held, held.ref if held else None
        found = await self._found(held, binding.people)
        if found is None:
            return held, None
        await self._ledger.answered(held, found)
        return await self._ledger.get(binding.key), found

    async def _found(self, held: Held, people: People | None) -> str | None:
        """What `_find` finds, unless another key names it."""
        found = await self._find(held, people)
        return found if found is not None and await self._is_of(held, found) else None


def unknowable() -> ProviderDown:
    """To be raised: the vendor tells of no binding, and the two are not known any more. Its end is what is left."""
    return ProviderDown(PROMISE, retry_after=600)
