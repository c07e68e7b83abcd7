"""What members write: the shapes that come in by JSON or by form. What they mean is checked in `rules`."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, model_validator

from mutualaid.kit.coordinates import Crs
from mutualaid.kit.fields import Day, Draft, Float, FreeText, Int, Moment, Text, refuse
from mutualaid.kit.texts import N_
from mutualaid.posts import rules
from mutualaid.posts.rules import AgeBand, Contact, Handover, Kind, Outcome, ReportReason, Urgency

Note = Annotated[FreeText, Field(max_length=500)]
Amount = Annotated[Int, Field(ge=1, le=9999)]
Reach = Annotated[Int, Field(ge=1, le=50, description="km")]
Ways = Annotated[list[Handover], Field(min_length=1, max_length=3)]


def _listed(*usual: str) -> Any:
    """What a list is where it is left out; said by a function, since pydantic would copy a list through and through each time."""
    return Field(default_factory=lambda: list(usual), json_schema_extra={"default": list(usual)})


class LineDraft(Draft):
    """One item and how much of it. `expires_on` (Shanghai date) and `sealed` belong to offers, `substitutes` to needs."""

    item: Annotated[Text, Field(min_length=1, max_length=64)]
    quantity: Amount
    expires_on: Day | None = None
    sealed: bool | None = None
    substitutes: bool = False


class PlaceDraft(Draft):
    """A point in degrees, in the datum it was taken in. `placing` looks at the bounds: it knows what is merely exchanged."""

    lat: Annotated[Float, WithJsonSchema({"type": "number", "minimum": -90, "maximum": 90})]
    lng: Annotated[Float, WithJsonSchema({"type": "number", "minimum": -180, "maximum": 180})]
    crs: Crs = "wgs84"


class WindowDraft(Draft):
    """When the author is there."""

    from_: Annotated[Moment, Field(alias="from")]
    to: Moment

    @property
    def window(self) -> rules.Window:
        return rules.Window(self.from_, self.to)


class PostDraft(Draft):
    """A need or an offer. Only kind, lines and a place (or region with address) are required."""

    kind: Kind
    lines: Annotated[list[LineDraft], Field(min_length=1, max_length=10)]
    place: PlaceDraft | None = None
    region: Annotated[str, Field(pattern=r"^[0-9]{6}$")] | None = None
    address: Annotated[Text, Field(min_length=1, max_length=120)] | None = None
    urgency: Urgency = "normal"
    until: Moment | None = None
    available: Annotated[list[WindowDraft], Field(max_length=7)] = _listed()
    reach_km: Reach = 10
    handover: Ways = _listed("pickup")
    contact: Contact | None = None
    for_other: bool = False
    beneficiary_age_band: AgeBand | None = None
    keeps_enough: bool = False
    note: Note = ""


class LineAmendment(Draft):
    """A line of one's own post and its new amount."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Amount


class PostAmendment(Draft):
    """What may be changed; what is not named stays."""

    lines: Annotated[list[LineAmendment], Field(min_length=1, max_length=10)] | None = None
    urgency: Urgency | None = None
    until: Moment | None = None
    available: Annotated[list[WindowDraft], Field(max_length=7)] | None = None
    reach_km: Reach | None = None
    handover: Ways | None = None
    contact: Contact | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _something(self) -> "PostAmendment":
        if not self.model_fields_set:
            raise refuse("nothing_to_change", N_("Please name at least one field to change."))
        return self


class ResolveDraft(Draft):
    """已解决: how it came about."""

    outcome: Outcome


class ReportDraft(Draft):
    """Why a moderator should look."""

    reason: ReportReason
    note: Note = ""


Sort = Literal["distance", "newest", "urgent"]
