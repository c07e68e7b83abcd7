"""What a maker of masked numbers refuses, and what is refused of its pushes."""

from typing import ClassVar

from mutualaid.kit.errors import AidError
from mutualaid.kit.texts import N_


class NumbersRefused(Exception):
    """The maker understood and will not. Nothing is bound; `code` is kept with the contact that failed."""

    code: ClassVar[str] = "provider_refused"


class PoolExhausted(NumbersRefused):
    """This X carries as many pairs as it can."""

    code = "numbers_exhausted"


class PairConflict(NumbersRefused):
    """One of the two is bound on this X already, or the key names a binding on another X."""

    code = "numbers_exhausted"


class BindingGone(NumbersRefused):
    """There is no such binding (any more)."""


class ExpiryTooSoon(NumbersRefused):
    """The binding would end before the maker's shortest time."""


class BadNumber(NumbersRefused):
    """X is not ours, or a phone is none that the maker can reach."""


class NotReported(NumbersRefused):
    """The phone must be reported to the carrier (实名报备) first; calls would be intercepted."""


class NotAuthorised(NumbersRefused):
    """Our account may not do this there."""


class PushRefused(AidError):
    """A push that does not prove who sent it."""

    kind = "unauthenticated"
    code = "push_not_authentic"
    text = N_("This does not come from the provider of masked numbers.")


class PushReplayed(PushRefused):
    """Its proof was used before, or is too old."""

    code = "push_replayed"
    text = N_("This was sent before, or too long ago.")


class PushOfAnother(AidError):
    """It proves who sent it, and speaks of another account or application than ours."""

    kind = "forbidden"
    code = "push_of_another"
    text = N_("This is about another account than ours.")
