"""`/_simulate/…`: how a person or a test plays with a simulated vendor."""

from abc import ABC, abstractmethod
from typing import Annotated, TypeVar

import httpx2
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from mutualaid.providers.numbers.signing import Account
from mutualaid.providers.numbers.simulators.switchboard import CallMade, Ending, Fault, Switchboard

M = TypeVar("M", bound=BaseModel)
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", repr=False)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Faulty(_Asked):
    """What to do wrong, at the next `times` requests."""

    fault: Fault
    times: Annotated[int, Field(ge=1, le=1000)] = 1


class Report(_Asked):
    """Whether a caller is reported to the carrier (实名报备)."""

    number: E164
    reported: bool


class Play(_Asked):
    """A call to be made. `pushes`: how often its record is pushed; `hold`: only when `/_simulate/deliver` is asked."""

    caller: E164
    dialled: E164
    extension: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")] | None = None
    ending: Ending = "answered"
    seconds: Annotated[int, Field(ge=0, le=86_400)] = 60
    pushes: Annotated[int, Field(ge=0, le=10)] = 1
    hold: bool = False


class Vendor(ABC):
    """A simulated vendor. `account` is the one customer it knows."""

    name: str

    def __init__(self, board: Switchboard, account: Account) -> None:
        self.board = board
        self.account = account
        self._calls = 0

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The vendor's own addresses."""

    @abstractmethod
    def record(self, call: CallMade) -> httpx2.Request:
        """The push of a finished call."""

    async def call(self, asked: Play) -> tuple[CallMade, list[int]]:
        """Make a call: put it through, push its record; what became of it, and how the pushes were answered."""
        made = await self.connect(asked)
        sent = [await self.board.push(self.record(made), hold=asked.hold) for _ in range(asked.pushes)]
        return made, [status for statuses in sent for status in statuses]

    async def connect(self, asked: Play) -> CallMade:
        return self.board.put_through(
            self.next_id(), asked.caller, asked.dialled, asked.extension, asked.ending, asked.seconds
        )

    def next_id(self) -> str:
        self._calls += 1
        return f"call-{self._calls:06d}"

    def app(self) -> Starlette:
        ours = [
            Route("/_simulate/faults", self._faults, methods=["POST"]),
            Route("/_simulate/reported", self._reported, methods=["POST"]),
            Route("/_simulate/calls", self._play, methods=["POST"]),
            Route("/_simulate/deliver", self._deliver, methods=["POST"]),
            Route("/_simulate/bindings", self._bindings, methods=["GET"]),
        ]
        return Starlette(routes=[*ours, *self.routes()])

    async def _faults(self, request: Request) -> Response:
        asked = await _read(request, Faulty)
        if isinstance(asked, Response):
            return asked
        self.board.faults.extend([asked.fault] * asked.times)
        return answer({"faults": list(self.board.faults)})

    async def _reported(self, request: Request) -> Response:
        asked = await _read(request, Report)
        if isinstance(asked, Response):
            return asked
        (self.board.unreported.discard if asked.reported else self.board.unreported.add)(asked.number)
        return answer({"unreported": len(self.board.unreported)})

    async def _play(self, request: Request) -> Response:
        asked = await _read(request, Play)
        if isinstance(asked, Response):
            return asked
        try:
            made, statuses = await self.call(asked)
        except httpx2.TransportError:
            return _nobody_there()
        shown = made.x if made.callee else None
        return answer({"call_id": made.id, "ending": made.ending, "callee_sees": shown, "pushes": statuses})

    async def _deliver(self, _request: Request) -> Response:
        try:
            return answer({"pushes": await self.board.deliver()})
        except httpx2.TransportError:
            return _nobody_there()

    async def _bindings(self, _request: Request) -> Response:
        live = [{"ref": one.ref, "x": one.x, "extension": one.extension} for one in self.board.live()]
        return answer({"bindings": live})

    async def spoiled(self) -> Response | None:
        """What goes wrong before the vendor has looked at anything."""
        match self.board.fault("down", "html", "slow"):
            case "down":
                return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
            case "html":
                return HTMLResponse("<html><body>系统维护中</body></html>")
            case "slow":
                await self.board.hang()
        return None

    def twisted(self, told: object, *, missing: object, extra: object) -> Response:
        """What is answered once the deed is done; or nothing of it, too little, or more than is documented."""
        match self.board.fault("lost", "missing", "extra"):
            case "lost":
                return Response("", 504)
            case "missing":
                return answer(missing)
            case "extra":
                return answer(extra)
        return answer(told)


async def _read(request: Request, model: type[M]) -> M | Response:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as problem:
        return answer({"errors": problem.errors(include_input=False, include_url=False, include_context=False)}, 422)


def _nobody_there() -> Response:
    return answer(
        {"error": "平台没有应答:请先启动,或检查 --platform / the platform does not answer; see --platform"}, 502
    )


def answer(told: object, status: int = 200) -> Response:
    return Response(orjson.dumps(told), status, media_type="application/json")
