"""`application/problem+json` (RFC 9457): how an error is said, in the reader's language."""

from typing import Final

from pydantic import Field

from mutualaid.kit.errors import AidError
from mutualaid.kit.fields import View
from mutualaid.kit.texts import Language, say

MOST_TOLD: Final = 100  # no form of ours has as many fields; who sends thousands that are unknown needs no list of them


class FieldProblem(View):
    """One bad field: a path such as `lines.0.quantity`, a stable code, a sentence."""

    field: str
    code: str
    message: str


class Problem(View):
    """Every 4xx and 5xx body."""

    type: str = Field(description="a URI reference that names the code")
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem]


def problem(error: AidError, status: int, language: Language) -> Problem:
    """The error as it is said to a reader."""
    sentence = say(error.text, language, **error.params)
    told = [
        FieldProblem(field=e.field, code=e.code, message=say(e.text, language, **e.params))
        for e in error.fields[:MOST_TOLD]
    ]
    return Problem(
        type=f"/api/docs#problem-{error.code}",
        title=sentence,
        status=status,
        code=error.code,
        detail=sentence,
        errors=told,
    )
