"""What the shape of a draft cannot say: asked by the API's doors and by the pages alike."""

from collections.abc import Sequence
from datetime import date

from mutualaid.kit.doors import Check
from mutualaid.kit.errors import FieldError
from mutualaid.kit.phones import Phone
from mutualaid.kit.texts import N_
from mutualaid.members import identity, own_phone
from mutualaid.members.identity import IdentityReason, IdentityRejected
from mutualaid.members.wire import AskCode, NewPhone, RealNameDraft, SignIn
from mutualaid.providers.numbers import NumbersMaker

OURS = N_("This is a number of this platform; please give your own phone.")
_REQUIRED = N_("Please fill this in.")
_EITHER = N_("Please give either a challenge with its code, or a WeChat code.")
_ID_REFUSED: dict[IdentityReason, str] = {
    "malformed": N_("An ID number has 17 digits and then a digit or X."),
    "wrong_length": N_("An ID number has 18 characters."),
    "obsolete": N_("ID numbers of 15 digits are no longer valid; please give the one with 18."),
    "unknown_region": N_("No ID number begins like this."),
    "no_such_birthday": N_("The birthday in this ID number does not exist."),
    "born_in_the_future": N_("The birthday in this ID number is yet to come."),
    "too_old": N_("The birthday in this ID number is too long ago."),
    "wrong_check_digit": N_("The last character does not fit this ID number; please look again."),
}


def own_phone_of(numbers: NumbersMaker) -> Check[AskCode]:
    """Nobody signs in with a number that we hand out."""

    async def check(draft: AskCode) -> Sequence[FieldError]:
        typed: str | None = draft.phone  # None where it was no phone at all
        ours = typed is not None and own_phone.is_ours(Phone(typed), numbers)
        return [FieldError("phone", "phone_ours", OURS)] if ours else []

    return check


async def one_proof(draft: SignIn | NewPhone) -> Sequence[FieldError]:
    """Either a challenge with its code or a WeChat code, never both."""
    field = "wechat_code" if isinstance(draft, SignIn) else "wechat_phone_code"
    by_code = {"challenge": draft.challenge, "code": draft.code}
    if getattr(draft, field) is None:
        return [FieldError(name, "required", _REQUIRED) for name, value in by_code.items() if value is None]
    if any(value is not None for value in by_code.values()):
        return [FieldError(field, "either_or", _EITHER)]
    return []


def identity_number(today: date) -> Check[RealNameDraft]:
    """Whether the ID number is well formed, and says what is not, before anybody is asked. `today`: in Shanghai."""

    async def check(draft: RealNameDraft) -> Sequence[FieldError]:
        try:
            if draft.id_number is not None:
                identity.check(draft.id_number, today=today)
        except IdentityRejected as refusal:
            return [FieldError("id_number", f"id_{refusal.reason}", _ID_REFUSED[refusal.reason])]
        return []

    return check
