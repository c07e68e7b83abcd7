"""The running service, the only one who knows whether a call may go through. Whatever goes wrong, it may not."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mutualaid.providers.numbers.kamailio.switchboard.posting import Poster, Unreachable

_PATIENCE_S: Final = 1.0
_BREAK_S: Final = 2.0  # after no answer, nobody waits for the next one
_STATUSES: Final = {403: 403, 404: 404, 410: 410, 429: 480}  # of the service: what the phone is told
_E164: Final = r"^\+[1-9][0-9]{6,14}$"
OVER: Final = frozenset({"number_unknown", "not_a_party", "lease_ended"})  # refusals that end a call under way


class Permission(BaseModel):
    """The call may go through: to whom, which number shows there, for how long."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    callee: Annotated[str, Field(pattern=_E164, repr=False)]
    display: Annotated[str, Field(pattern=_E164, repr=False)]
    max_seconds: Annotated[int, Field(ge=1, le=86_400)]


class Refused(Exception):
    """`status`: what the caller's phone is told. `code`: the service's reason; None where it gave no answer of its own."""

    def __init__(self, status: int, code: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.code = code


class Authority:
    """`hooks`: the service's address up to and with the maker's name: `http://127.0.0.1:8000/hooks/numbers/kamailio`."""

    def __init__(self, hooks: str, token: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hooks = Poster(hooks, {"Authorization": f"Bearer {token}"}, patience_s=_PATIENCE_S)
        self._monotonic = monotonic
        self._closed_until = 0.0

    def close(self) -> None:
        self._hooks.close()

    async def may(self, call_id: str, caller: str, dialled: str) -> Permission:
        """Raises `Refused`. A refusal counts as one only with the service's own code: any 404 is not "no such number"."""
        if self._monotonic() < self._closed_until:
            raise Refused(503)
        asked = {"call_id": call_id, "caller": caller, "dialled": dialled, "at": datetime.now(UTC)}
        try:
            status, said = await self._hooks.post("/route", orjson.dumps(asked))
        except Unreachable:
            self._closed_until = self._monotonic() + _BREAK_S
            raise Refused(503) from None
        if status == 200:
            try:
                return Permission.model_validate_json(said)
            except ValidationError:
                raise Refused(503) from None
        code = _code(said)
        told_phone = _STATUSES.get(status)
        raise Refused(told_phone, code) if code and told_phone else Refused(503)

    async def take(self, record: bytes) -> int:
        """Hand over a call's record; the status of the answer, 0 where there was none."""
        try:
            status, _ = await self._hooks.post("/events", record)
        except Unreachable:
            return 0
        return status


def _code(raw: bytes) -> str | None:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, str) else None
