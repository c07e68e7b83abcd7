"""What a refusal says."""

from httpx2 import Response


def refused(answer: Response, status: int, code: str, *fields: str) -> None:
    """A problem of this status and code, naming exactly these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code and problem["status"] == status
    assert [error["field"] for error in problem["errors"]] == list(fields)
