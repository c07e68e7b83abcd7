"""Our own telephony: Kamailio at the door, the switchboard behind it, rtpengine for the sound.

Nothing is bound outside: the switchboard asks the service before each call (`/hooks/numbers/kamailio/route`), and tells it
afterwards what became of it (`…/events`). Only an end is told: then the switchboard asks again about the calls under way.

    plan          where each part listens, from the settings
    rendering     the configurations, from the templates
    switchboard/  connects two calls of its own
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import httpx2
from pydantic import Field

from mutualaid.kit.fields import Int, Moment, Text
from mutualaid.providers.numbers import (
    BadNumber,
    Binding,
    BindingRef,
    BindRequest,
    CallRecord,
    Caps,
    Cause,
    Close,
    Connect,
    NotAuthorised,
    Outcome,
    ProviderDown,
    Pushed,
    pushes,
)

_PATIENCE_S: Final = 2.0
_E164: Final = r"^\+[1-9][0-9]{6,14}$"


class _Push(pushes.Push):
    call_id: Annotated[Text, Field(min_length=1, max_length=100)]
    outcome: Outcome
    cause: Cause
    seconds: Annotated[Int, Field(ge=0, le=86_400)]
    started_at: Moment
    rang_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment


class KamailioNumbers:
    """`pool`: our numbers at the trunk. `control`: the switchboard's door, `http://127.0.0.1:5071`."""

    name = "kamailio"
    is_fake = False
    caps = Caps(
        modes=frozenset({"x"}),
        max_pairs_per_x=200,
        call_time_decision=True,
        max_ttl=timedelta(days=365),
        renewable=True,
    )

    def __init__(self, pool: Sequence[str], *, control: str, token: str) -> None:
        self.pool = tuple(pool)
        self._control = control
        self._token = token

    async def bind(self, request: BindRequest) -> Binding:
        if request.x not in self.pool or request.a == request.b:
            raise BadNumber
        if request.extension:
            raise NotAuthorised
        return Binding(request.key, request.key, request.x, None, request.expires_at)

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        return Binding(binding.key, binding.key, binding.x, None, expires_at)

    async def unbind(self, binding: BindingRef) -> None:
        """The service refuses already; a call that is under way ends when the switchboard has asked it again."""
        headers = {"authorization": f"Bearer {self._token}"}
        try:
            async with httpx2.AsyncClient(timeout=_PATIENCE_S, trust_env=False, headers=headers) as client:
                told = await client.post(f"{self._control}/look-again", json={"x": binding.x})
        except httpx2.HTTPError:
            raise ProviderDown("numbers") from None
        if told.status_code != 200:
            raise ProviderDown("numbers", retryable=told.status_code >= 500)

    async def query(self, binding: BindingRef) -> Binding | None:
        return None

    def parse_event(self, headers: Mapping[str, str], raw: bytes, *, query: Mapping[str, str]) -> Pushed:
        pushes.check_bearer(headers, self._token)
        return Pushed(tuple(_record(pushes.read(_Push, one)) for one in pushes.objects(raw)))

    def answer_route(self, decision: Connect | Close) -> dict[str, Any]:
        raise NotAuthorised  # the switchboard asks at its own door

    def answer_event(self, taken: int) -> dict[str, Any]:
        return {"taken": taken}


def _record(push: _Push) -> CallRecord:
    """The call was asked about before it began, so the service knows by its id who called whom."""
    return CallRecord(
        call_id=push.call_id,
        caller=None,
        x=None,
        outcome=push.outcome,
        seconds=push.seconds if push.outcome == "answered" else 0,
        ended_at=push.ended_at,
        started_at=push.started_at,
        rang_at=push.rang_at,
        answered_at=push.answered_at,
        cause=push.cause,
    )
