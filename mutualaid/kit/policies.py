"""Deny by default: every URL declares a policy, and one without does not start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mutualaid.kit.errors import Forbidden, NotSignedIn


class Principal(Protocol):
    """Who is asking, as far as a policy looks."""

    @property
    def id(self) -> str: ...

    @property
    def role(self) -> str: ...


P = TypeVar("P", bound=Principal)


@dataclass(frozen=True, slots=True)
class Policy(Generic[P]):
    """What a caller must be before a door's handler runs. `checks` raise; they see a signed-in caller only."""

    name: str
    signed_in: bool = True
    roles: frozenset[str] = frozenset()
    checks: tuple[Callable[[P], None], ...] = ()

    def admit(self, caller: P | None) -> None:
        """Return when the caller may enter; raise what the caller is told otherwise."""
        if not self.signed_in:
            return
        if caller is None:
            raise NotSignedIn
        if self.roles and caller.role not in self.roles:
            raise Forbidden
        for check in self.checks:
            check(caller)
