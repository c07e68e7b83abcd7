"""What comes in and what goes out of the room's doors."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

from mutualaid.contacts import rules
from mutualaid.contacts.records import Call, ContactReport, Lease
from mutualaid.contacts.rules import Channel, Outcome, State, ToldBecause
from mutualaid.kit import phones
from mutualaid.kit.fields import Cursor, Draft, FreeText, Int, Limit, Moment, Query, Text, View, refuse
from mutualaid.kit.phones import Phone, PhoneRejected
from mutualaid.kit.texts import N_
from mutualaid.posts.rules import ReportReason

LONGEST_MESSAGE = 500


def _dialled(typed: str) -> str:
    """A number as members or vendors write it: national ones become E.164."""
    try:
        return phones.parse(typed).e164
    except PhoneRejected:
        try:
            return Phone(typed).e164
        except ValueError:
            raise refuse("phone_not_a_number", N_("This is not a phone number.")) from None


E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", repr=False)]
Dialled = Annotated[str, Field(min_length=1, max_length=40, repr=False), AfterValidator(_dialled)]


def _something(text: str) -> str:
    if not text.strip():
        raise refuse("empty", N_("Please write something."))
    return text


class AskDraft(Draft):
    """How the two want to be in touch; left out, a call where there are masked numbers."""

    channel: Channel | None = None


class MessageDraft(Draft):
    text: Annotated[FreeText, Field(min_length=1, max_length=LONGEST_MESSAGE), AfterValidator(_something)]


class ContactReportDraft(Draft):
    """Why a moderator should look."""

    reason: ReportReason
    note: Annotated[FreeText, Field(max_length=500)] = ""


class PageQuery(Query):
    limit: Limit = 20
    cursor: Cursor | None = None


class ContactView(View):
    """A contact as one of the two sees it. `caller` is the reader's own number, masked: the phone to call from."""

    id: str
    state: State
    channel: Channel
    number: str | None = Field(description="what to dial; null unless the contact is a granted call")
    extension: str | None
    caller: str | None
    expires_at: Moment
    post: str
    match: str | None
    asked_by_me: bool
    counterpart: str = Field(description="the other's shown name")
    extensions_left: int
    created_at: Moment
    ended_at: Moment | None
    reason: ToldBecause | None = Field(description="why it ended, as far as it is both's to know")
    code: str | None = Field(description="why it failed")

    @classmethod
    def of(
        cls,
        lease: Lease,
        *,
        reader: str,
        caller: str | None,
        counterpart: str,
        over: datetime | None,
        now: datetime,
    ) -> "ContactView":
        """`over`: when a post of the contact ended, though the worker may not have written the contact's end yet."""
        live = lease.state in rules.LIVE
        state = rules.shown_state(lease.state, lease.expires_at, now)
        reason = lease.because and rules.told_because(lease.because)
        ended_at = lease.ended_at
        if live and over is not None:
            state, reason, ended_at = "released", "post_ended", over
        elif state != lease.state:
            reason, ended_at = "expired", lease.expires_at
        return cls(
            id=lease.id,
            state=state,
            channel=lease.channel,
            number=lease.x if state == "granted" and lease.channel == "call" else None,
            extension=lease.extension if state == "granted" and lease.channel == "call" else None,
            caller=caller,
            expires_at=lease.expires_at,
            post=lease.post_id,
            match=lease.match_id,
            asked_by_me=lease.asker_id == reader,
            counterpart=counterpart,
            extensions_left=rules.EXTENSIONS - lease.extensions if state == "granted" else 0,
            created_at=lease.asked_at,
            ended_at=ended_at,
            reason=reason,
            code=lease.failed,
        )


class ContactList(View):
    items: list[ContactView]
    next_cursor: str | None


class CallView(View):
    """One finished call. `by_me`: the reader rang."""

    at: Moment
    seconds: int
    outcome: Outcome
    by_me: bool

    @classmethod
    def of(cls, call: Call, lease: Lease, *, reader: str) -> "CallView":
        caller = lease.asker_id if call.by == "a" else lease.owner_id
        outcome: Outcome = call.outcome or "no_answer"
        return cls(at=call.at, seconds=call.seconds, outcome=outcome, by_me=caller == reader)


class CallList(View):
    items: list[CallView]
    next_cursor: str | None


class MessageView(View):
    """`text` is null where its author is erased. `scrubbed`: something in it was hidden."""

    id: str
    mine: bool
    text: str | None
    scrubbed: bool
    at: Moment


class MessageList(View):
    items: list[MessageView]
    next_cursor: str | None


class ReportedView(View):
    """A moderator will look."""

    id: str
    reason: ReportReason

    @classmethod
    def of(cls, report: ContactReport) -> "ReportedView":
        return cls(id=report.id, reason=report.reason)


class RouteDraft(BaseModel):
    """A call that wants to go through, as the telephone exchange asks. Fields that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    call_id: Annotated[Text, Field(min_length=1, max_length=100, repr=False)]
    caller: E164
    dialled: E164
    digits: Annotated[Text, Field(max_length=16)] | None = Field(None, repr=False)
    at: Moment | None = Field(None, description="kept, never decides")


class RouteView(View):
    """Connect to `callee`, show `display`, cut after `max_seconds`."""

    callee: str = Field(repr=False)
    display: str
    max_seconds: int


class PushDraft(RootModel[dict[str, Any] | list[Any]]):
    """Whatever the configured maker pushes, one record or many, in its own words; it is read by the maker."""


class PushTaken(View):
    """How many records of calls were new."""

    code: int = 0
    taken: int


class DevCallDraft(Draft):
    """A simulated call. Numbers may be national ones."""

    caller: Dialled
    dialled: Dialled
    extension: Annotated[Text, Field(max_length=16)] | None = None
    outcome: Outcome = "answered"
    seconds: Annotated[Int, Field(ge=0, le=86_400)] = 60


class Connected(View):
    call_id: str
    decision: Literal["connect"] = "connect"
    caller_sees: str
    callee_sees: str
    outcome: Outcome


class Refused(View):
    decision: Literal["refuse"] = "refuse"
    code: str


class Played(RootModel[Connected | Refused]):
    """What became of a simulated call."""
