"""Field types of the doors: strict as JSON is, clear in what they refuse. Used by the drafts that rooms declare."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from mutualaid.kit.scrubbing import refused_characters
from mutualaid.kit.texts import N_

# Python reads more writings of ISO 8601 than the contract names: week dates, no seconds, no dashes.
_CALENDAR_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Draft(BaseModel):
    """What comes in: unknown fields refused, nothing coerced. Not shown in logs or tracebacks: it is what people wrote."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


class View(BaseModel):
    """What goes out."""

    model_config = ConfigDict(frozen=True)


def refuse(code: str, text: str, **params: Any) -> PydanticCustomError:
    """A field's refusal with a stable code and an English msgid, which travels in the error's context untranslated."""
    return PydanticCustomError(code, "refused", {"msgid": text, **params})


def _integer(value: Any) -> Any:
    # JSON Schema's "integer" admits 1.0
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _no_controls(text: str) -> str:
    if not text.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise refuse("control_characters", N_("Control characters are not allowed."))
    return text


def _free(text: str) -> str:
    if reasons := refused_characters(text):
        raise refuse(reasons[0], N_("Hidden or direction-changing characters are not allowed."))
    return text


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    try:
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse("not_a_time", N_("Please give a time such as 2023-01-08T12:00:00Z.")) from None


def _day(value: Any) -> Any:
    if type(value) is date:
        return value
    try:
        if not isinstance(value, str) or not _CALENDAR_DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise refuse("not_a_date", N_("Please give a date such as 2023-06-30.")) from None


def rfc3339(moment: datetime) -> str:
    """A moment as every answer writes it: UTC, microseconds only where there are any, `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


Int = Annotated[int, BeforeValidator(_integer)]
Float = Annotated[
    float, Field(strict=True, allow_inf_nan=False)
]  # strict floats take JSON integers too, but no strings
Text = Annotated[str, AfterValidator(_no_controls)]
FreeText = Annotated[str, AfterValidator(_free)]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    PlainSerializer(lambda d: d.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


class Query(BaseModel):
    """What comes in a query string: texts that must read as what they stand for; unknown names refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _digits(value: Any) -> Any:
    if isinstance(value, str) and (
        value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() and len(value) < 12
    ):
        return int(value)
    if isinstance(value, int):
        return value
    raise refuse("not_an_integer", N_("Please give a whole number."))


def _decimal(value: Any) -> Any:
    try:
        return float(value) if not isinstance(value, str) or set(value) <= set("0123456789.-+eE") else float("nan")
    except ValueError:
        return float("nan")


def _flag(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise refuse("not_true_or_false", N_("Please give true or false."))


QueryInt = Annotated[int, BeforeValidator(_digits)]
QueryFloat = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_decimal)]
QueryBool = Annotated[bool, BeforeValidator(_flag)]
Limit = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=50)]
Cursor = Annotated[str, Field(min_length=1, max_length=400)]
