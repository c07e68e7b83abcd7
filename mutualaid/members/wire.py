"""What comes in and what goes out of the room's doors. Drafts hide their values: they are phones, codes and names."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from mutualaid.kit import phones
from mutualaid.kit.fields import Cursor, Draft, Id, Int, Limit, Moment, Query, Text, View, refuse
from mutualaid.kit.phones import PhoneRejected, RejectedBecause
from mutualaid.kit.texts import N_, Language
from mutualaid.members import rules
from mutualaid.members.consent_texts import ConsentText, Purpose
from mutualaid.members.records import Consent, Member, Principal, SessionRow
from mutualaid.members.rules import RealName, Role

PHONE_REFUSED: dict[RejectedBecause, str] = {
    "not_a_number": N_("This is not a phone number."),
    "too_short": N_("This phone number is too short."),
    "too_long": N_("This phone number is too long."),
    "landline": N_("This is a landline; please give a mobile phone."),
    "service_number": N_("This is a service number; please give a mobile phone."),
    "foreign": N_("Only phones of the Chinese mainland can be used here."),
    "unknown_range": N_("No mobile phone has this number."),
    "extension": N_("Please give a phone without an extension."),
}


def _mobile(typed: str) -> str:
    """What was typed as E.164."""
    try:
        return phones.parse(typed).e164
    except PhoneRejected as refusal:
        raise refuse(f"phone_{refusal.reason}", PHONE_REFUSED[refusal.reason]) from None


def _name(typed: str) -> str:
    name = " ".join(unicodedata.normalize("NFKC", typed).split())
    if not rules.could_be_a_name(name):
        raise refuse("not_a_name", N_("Please give the name as it stands on the ID card."))
    return name


Mobile = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_mobile)]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
WechatCode = Annotated[Text, Field(min_length=1, max_length=200)]


class AskCode(Draft):
    """A phone that a code is sent to."""

    phone: Mobile


class Answered(Draft):
    """The code that came, and which challenge it belongs to."""

    challenge: Id
    code: Code


class SignIn(Draft):
    """Exactly one: `challenge` with `code`, or `wechat_code`."""

    challenge: Id | None = None
    code: Code | None = None
    wechat_code: WechatCode | None = None


class NewPhone(Draft):
    """Exactly one: `challenge` with `code`, or `wechat_phone_code`."""

    challenge: Id | None = None
    code: Code | None = None
    wechat_phone_code: WechatCode | None = None


class ConsentDraft(Draft):
    """`version`: of the text that was read; left out, the present one is meant."""

    version: Int | None = None


class RealNameDraft(Draft):
    """As they stand on the document."""

    name: Annotated[Text, Field(min_length=1, max_length=64), AfterValidator(_name)]
    id_number: Annotated[str, Field(min_length=1, max_length=100)]


class PageQuery(Query):
    limit: Limit = 20
    cursor: Cursor | None = None


class Challenged(View):
    """A code is on its way to the phone, whoever has it."""

    challenge: str
    expires_in: int = Field(description="seconds")


class ConsentView(View):
    purpose: Purpose
    version: int
    given_at: Moment

    @classmethod
    def of(cls, consent: Consent) -> "ConsentView":
        purpose: Purpose = consent.purpose  # type: ignore[assignment] # only known purposes are shown
        return cls(purpose=purpose, version=consent.version, given_at=consent.given_at)


class ConsentTextView(View):
    """What consent is asked for, in the reader's language."""

    purpose: Purpose
    version: int
    title: str
    text: str

    @classmethod
    def of(cls, text: ConsentText, language: Language) -> "ConsentTextView":
        return cls(purpose=text.purpose, version=text.version, title=text.title[language], text=text.text[language])


class ConsentTextList(View):
    items: list[ConsentTextView]
    next_cursor: str | None = None


class MeView(View):
    id: str
    display_name: str
    phone_masked: str | None
    real_name: RealName
    role: Role
    consents: list[ConsentView]
    created_at: Moment

    @classmethod
    def of(cls, member: Member, consents: Sequence[Consent], *, phone_masked: str | None) -> "MeView":
        real_name: RealName = member.real_name  # type: ignore[assignment] # the column holds one of the three
        role: Role = member.role  # type: ignore[assignment] # the column holds one of the four
        return cls(
            id=member.id,
            display_name=member.display_name,
            phone_masked=phone_masked,
            real_name=real_name,
            role=role,
            consents=[ConsentView.of(consent) for consent in consents],
            created_at=member.created_at,
        )


class SignedInView(View):
    """The token is told here and never again."""

    token: str = Field(repr=False)
    expires_at: Moment = Field(description="unless it is used before")
    member: MeView


class SessionView(View):
    id: str
    current: bool
    channel: str = Field(description="phone or wechat")
    signed_in_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    stepped_up_until: Moment | None

    @classmethod
    def of(cls, row: SessionRow, caller: Principal) -> "SessionView":
        return cls(
            id=row.id,
            current=row.id == caller.session_id,
            channel=row.channel,
            signed_in_at=row.signed_in_at,
            last_seen_at=row.last_seen_at,
            expires_at=rules.session_ends(row.ends_at, row.last_seen_at),
            stepped_up_until=row.stepped_up_until,
        )


class SessionList(View):
    items: list[SessionView]
    next_cursor: str | None


class RealNameView(View):
    real_name: RealName
