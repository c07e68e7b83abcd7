"""What members write about a match: the shapes that come in."""

from typing import Annotated

from pydantic import Field

from mutualaid.kit.fields import Draft, Id, Int
from mutualaid.matching.rules import FailReason

Amount = Annotated[Int, Field(ge=1, le=9999)]


class PledgedLine(Draft):
    """So much of this line of the offer for that line of the need."""

    need_line: Id
    offer_line: Id
    quantity: Amount


class PledgeDraft(Draft):
    """`post` is one's own, of the other kind than the one it is pledged to."""

    post: Id
    lines: Annotated[list[PledgedLine], Field(min_length=1, max_length=20)]


class HandedOver(Draft):
    """What changed hands; `offer_line` is needed only where one line of the need has two."""

    need_line: Id
    offer_line: Id | None = None
    quantity: Amount


class CompleteDraft(Draft):
    """What changed hands; a line that is not named did not."""

    lines: Annotated[list[HandedOver], Field(min_length=1, max_length=20)]


class FailDraft(Draft):
    """Nothing changed hands, and why."""

    reason: FailReason
