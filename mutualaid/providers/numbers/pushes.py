"""What vendors push, read with care: JSON, a proof of who sent it, fields that are there, their numbers and times."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mutualaid.kit import fields, phones
from mutualaid.kit.errors import FieldError, Invalid, Malformed
from mutualaid.kit.field_errors import field_errors
from mutualaid.kit.fields import refuse
from mutualaid.kit.phones import Phone, PhoneRejected
from mutualaid.kit.texts import N_
from mutualaid.providers.numbers import BadNumber, Cause, Outcome, PushRefused

M = TypeVar("M", bound=BaseModel)

# The vendors' own time. `kit.clock` has it too, and would bring the database along, into the switchboard.
_BEIJING = ZoneInfo("Asia/Shanghai")
_WRITTEN = "%Y-%m-%d %H:%M:%S"


class Push(BaseModel):
    """One object that was pushed: unknown fields are ignored, and nothing of it is repeated."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


def address_token(hook_token: str, maker: str) -> str:
    """What makes the address that a vendor without signatures pushes to unguessable. It opens no other door."""
    made = hmac.new(hook_token.encode(), f"push.{maker}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def check_address(query: Mapping[str, str], token: str) -> None:
    """Raises PushRefused where the address is not the one that the vendor was told."""
    if not hmac.compare_digest(query.get("token", "").encode(errors="surrogateescape"), token.encode()):
        raise PushRefused


def check_bearer(headers: Mapping[str, str], token: str) -> None:
    """Raises PushRefused where the token was not shown as it is to be."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), token.encode())
    if scheme.lower() != "bearer" or not fits:
        raise PushRefused


def objects(raw: bytes) -> list[Any]:
    """The JSON object or objects of a push."""
    told = decoded(raw)
    return told if isinstance(told, list) else [told]


def decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Malformed from None


def read(model: type[M], told: Any) -> M:
    try:
        return model.model_validate(told)
    except ValidationError as problem:
        raise Invalid(field_errors(problem)) from None


def over(raw: bytes, model: type[M], ends: Set[str]) -> list[M]:
    """The calls of a push that are over. `ends`: the fields that say so; news without any of them is of nothing kept here."""
    return [read(model, one) for one in objects(raw) if not isinstance(one, dict) or ends & one.keys()]


def missing(name: str) -> Invalid:
    """To be raised for a field that must be there."""
    return Invalid([FieldError(name, "required", N_("Please fill this in."))])


def home(phone: Phone) -> str:
    """As one dials it in China: `13800138000`, `07715881234`. Raises BadNumber for a number of elsewhere."""
    if not phone.e164.startswith("+86"):
        raise BadNumber
    digits = phones.national(phone.e164)
    return digits if digits.startswith("1") and len(digits) == 11 else f"0{digits}"


def beijing(moment: datetime) -> str:
    """A time as vendors write it: `2023-01-08 20:00:00`."""
    return moment.astimezone(_BEIJING).strftime(_WRITTEN)


def _phone(value: Any) -> Any:
    try:
        return phones.parse_dialled(str(value)).phone
    except PhoneRejected:
        raise refuse("phone_not_a_number", N_("This is not a phone number.")) from None


def _moment(value: Any, zone: Any) -> Any:
    try:
        return datetime.strptime(str(value), _WRITTEN).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse("not_a_time", N_("Please give a time such as 2023-01-08T12:00:00Z.")) from None


def _empty_is_none(value: Any) -> Any:
    return None if value in ("", "0") else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Somebody = Annotated[Phone, BeforeValidator(_phone)]
MaybeSomebody = Annotated[Somebody | None, BeforeValidator(_empty_is_none)]
Text = Annotated[fields.Text, BeforeValidator(_text), Field(min_length=1, max_length=100)]
Beijing = Annotated[datetime, BeforeValidator(lambda value: _moment(value, _BEIJING))]
Universal = Annotated[datetime, BeforeValidator(lambda value: _moment(value, UTC))]
MaybeBeijing = Annotated[Beijing | None, BeforeValidator(_empty_is_none)]
MaybeUniversal = Annotated[Universal | None, BeforeValidator(_empty_is_none)]

_A_DAY_S = 86_400
_Q850: dict[int, Cause] = {
    1: "no_such_number",
    16: "cancelled",
    17: "busy",
    18: "no_answer",
    19: "no_answer",
    20: "unreachable",
    21: "rejected",
    27: "unreachable",
    28: "no_such_number",
    31: "cancelled",
}


def talked(begun: datetime | None, ended: datetime) -> int:
    """Seconds of talk between two times of the vendor's: none where it never began, and a day where they are absurd."""
    return min(max(0, int((ended - begun).total_seconds())), _A_DAY_S) if begun else 0


def unanswered(q850: int | None) -> Cause:
    """Why a call was not answered, by the telephone network's own number for it (Q.850)."""
    return _Q850.get(q850 or 0, "network" if q850 else "no_answer")


def outcome_of(cause: Cause) -> Outcome:
    match cause:
        case "normal":
            return "answered"
        case "busy" | "rejected":
            return "busy"
        case _:
            return "no_answer"
