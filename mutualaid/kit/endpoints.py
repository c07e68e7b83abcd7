"""What a URL is, said once: method, path, handler, policy, what it takes, what it answers. OpenAPI is made from this."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import errors
from mutualaid.kit.errors import AidError
from mutualaid.kit.idempotency import IdempotencyMismatch
from mutualaid.kit.policies import Policy

Handler = Callable[[Request], Awaitable[Response]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One row of the table in `routes.py`.

    `body` and `query` are the models the handler reads with; a door without them takes none. `optional`: the body may be
    left out. `answers` maps each success status to its view (None: no content). `problems` are the errors particular to
    this door; what every door may answer is added by `all_problems`. `replayable`: takes an `Idempotency-Key`. `late`: its
    handler ends with `doors.at_once`, which finds the answer that was kept; else it is looked for only where the deed is
    refused. What it needs to know of the caller is read with the session where that will do. `limit` names a group of the
    rate limits.
    """

    method: Method
    path: str
    run: Handler
    policy: Policy[Any]
    answers: dict[int, type[BaseModel] | None]
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    problems: tuple[type[AidError], ...] = ()
    tag: str = ""
    optional: bool = False
    replayable: bool = False
    late: bool = False
    limit: str | None = None
    in_document: bool = True
    media: str = "application/json"
    params: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_names(self) -> list[str]:
        return [part[1:-1].split(":")[0] for part in self.path.split("/") if part.startswith("{")]

    def all_problems(self) -> list[type[AidError]]:
        """Every error this door may answer: its own, and those that follow from what it takes."""
        found: list[type[AidError]] = [errors.Overloaded, errors.Invalid, *self.problems]
        if self.policy.signed_in:
            found += [errors.NotSignedIn, errors.Forbidden]
        if self.body is not None or self.method != "GET":
            found += [errors.Malformed, errors.UnsupportedType, errors.TooLarge]
        if self.path_names:
            found.append(errors.NotFound)
        if self.replayable:
            found.append(IdempotencyMismatch)
        if self.limit or self.policy.signed_in:
            found.append(errors.TooMany)
        return list(dict.fromkeys(found))
