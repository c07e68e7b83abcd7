"""An error tells its kind and a stable code. What HTTP makes of a kind is said once, in `trouble.py`."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from mutualaid.kit.texts import N_

Kind = Literal[
    "malformed",
    "unauthenticated",
    "forbidden",
    "missing",
    "not_allowed",
    "conflict",
    "ended",
    "too_large",
    "unsupported",
    "invalid",
    "needed",
    "too_many",
    "unavailable",
    "broken",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field. `field` is a path (`lines.0.quantity`), `text` an English msgid with `{names}` from `params`."""

    field: str
    code: str
    text: str
    params: dict[str, object] = dataclasses.field(default_factory=dict)


class AidError(Exception):
    """Base of everything that may be answered to a person. Subclasses name their kind, code and sentence."""

    kind: ClassVar[Kind]
    code: ClassVar[str]
    text: ClassVar[str]
    known: ClassVar[list[type["AidError"]]] = []

    def __init__(self, *, fields: Iterable[FieldError] = (), retry_after: int | None = None, **params: object) -> None:
        super().__init__(type(self).__name__)
        self.fields = list(fields)
        self.retry_after = retry_after
        self.params = params

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            AidError.known.append(cls)


class Malformed(AidError):
    kind = "malformed"
    code = "malformed"
    text = N_("The request could not be read.")


class NotSignedIn(AidError):
    kind = "unauthenticated"
    code = "not_signed_in"
    text = N_("Please sign in first.")


class Forbidden(AidError):
    kind = "forbidden"
    code = "forbidden"
    text = N_("You are not allowed to do this.")


class NotFound(AidError):
    kind = "missing"
    code = "not_found"
    text = N_("Nothing is here, or it is not yours.")


class MethodNotAllowed(AidError):
    kind = "not_allowed"
    code = "method_not_allowed"
    text = N_("This address does not take that method.")


class TooLarge(AidError):
    kind = "too_large"
    code = "too_large"
    text = N_("The request is too large.")


class UnsupportedType(AidError):
    kind = "unsupported"
    code = "unsupported_type"
    text = N_("Please send application/json in UTF-8.")


class Invalid(AidError):
    """Bad fields, every one of them at once."""

    kind = "invalid"
    code = "invalid"
    text = N_("Some fields need correcting.")

    def __init__(self, fields: Iterable[FieldError]) -> None:
        super().__init__(fields=fields)


class TooMany(AidError):
    kind = "too_many"
    code = "too_many_requests"
    text = N_("Too many requests; please wait a moment.")


class Overloaded(AidError):
    kind = "unavailable"
    code = "overloaded"
    text = N_("The service is busy; please try again in a moment.")


class ProviderUnavailable(AidError):
    kind = "unavailable"
    code = "provider_unavailable"
    text = N_("An outside service does not answer; please try again in a moment.")


class Broken(AidError):
    """A fault of ours. Never raised on purpose: `trouble.py` answers it for what nobody expected."""

    kind = "broken"
    code = "internal"
    text = N_("Something went wrong on our side; nothing was changed.")
