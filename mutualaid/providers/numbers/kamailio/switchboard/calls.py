"""One call from its first message to its record: permission, ringing, talk, the end. Two dialogs, nothing copied between
them but sound that was described anew.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from mutualaid.kit.phones import PhoneRejected, parse_dialled
from mutualaid.providers.numbers import Cause, Outcome
from mutualaid.providers.numbers.kamailio.switchboard import dialogs, sdp
from mutualaid.providers.numbers.kamailio.switchboard.authority import OVER, Authority, Permission, Refused
from mutualaid.providers.numbers.kamailio.switchboard.dialogs import SDP, Dialog, Side, fresh
from mutualaid.providers.numbers.kamailio.switchboard.line import Line
from mutualaid.providers.numbers.kamailio.switchboard.messages import Request, Response, tag_of, uri_of, user_of
from mutualaid.providers.numbers.kamailio.switchboard.relay import Relay, RelayDown
from mutualaid.providers.numbers.kamailio.switchboard.spool import EndedBy, Record, Spool, seconds_between

RINGS_S: Final = 60.0
_CANCELLED_S: Final = 8.0  # how long the callee's phone may take to hear that nobody calls any more
_OTHER: Final[dict[Side, Side]] = {"caller": "callee", "callee": "caller"}
_CAUSES: Final[dict[int, Cause]] = {
    486: "busy",
    600: "busy",
    403: "rejected",
    603: "rejected",
    404: "no_such_number",
    410: "no_such_number",
    484: "no_such_number",
    604: "no_such_number",
    480: "unreachable",
}
_TOLD: Final = {"busy": 486, "rejected": 603, "no_such_number": 480, "network": 503}  # else 480
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Means:
    """What every call is made with. `domain`: how this exchange names itself to phones; `hosts`: where its parts listen."""

    line: Line
    authority: Authority
    relay: Relay
    spool: Spool
    domain: str
    hosts: frozenset[str]


@dataclass(frozen=True, slots=True)
class HungUp:
    """A side hung up, or the service says that the call is over."""

    by: EndedBy


Event = Response | HungUp | None  # None: the callee's side never answered at all


@dataclass(slots=True, eq=False)
class Call:
    """`run` lives as long as the call; `hang_up`, `look_again` and `describe_again` are what happens to it meanwhile.

    `tags`: ours in either dialog; random, so that they name the call to whoever may know them.
    """

    means: Means
    invite: Request = field(repr=False)
    id: str = field(default_factory=fresh)
    dialled: str = field(default="", repr=False)
    tags: dict[Side, str] = field(default_factory=lambda: {"caller": fresh(), "callee": fresh()}, repr=False)
    sides: dict[Side, Dialog] = field(default_factory=dict, repr=False)
    _caller: str = field(default="", repr=False)
    _events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue, repr=False)
    _invitation: Request | None = field(default=None, repr=False)
    _heard: bool = False  # something came back from the callee's side
    _describing: asyncio.Task[None] | None = None
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _ringing: datetime | None = None
    _answered: datetime | None = None

    async def run(self) -> None:
        self.sides["caller"] = dialogs.of_caller(self.invite, self.tags["caller"])
        self.means.line.answer(self.invite, dialogs.reply(self.invite, 100))
        try:
            offer = sdp.clean(self.invite.body, ours=self.means.hosts)
            permission = await self._permitted()
        except sdp.Unusable:
            self._refuse(488)
        except Refused as refusal:
            self._refuse(refusal.status)
        else:
            await self._connect(permission, offer)

    async def _connect(self, permission: Permission, offer: sdp.Offer) -> None:
        try:
            sound = await self.means.relay.offer(self.id, offer.text, of="caller", to="callee")
            picked_up = await self._ring(permission, sound)
            if picked_up is not None and await self._join(picked_up, offer):
                await self._talk(permission.max_seconds)
        except RelayDown:
            log.error("switchboard.relay_down")
            self._failed("network")
        except Exception:
            log.exception("switchboard.call_failed")
            self._abandon()
        finally:
            with contextlib.suppress(RelayDown):
                await self.means.relay.end(self.id)

    def _abandon(self) -> None:
        """A fault of ours: nobody is left on the line."""
        if self._answered is not None:
            self._bye("caller")
            self._bye("callee")
        else:
            self._refuse(500)
            if self._invitation is not None:
                self._cancel()

    # ---- before the talk -------------------------------------------------------------------------------------------

    async def _permitted(self) -> Permission:
        """Who calls is what Kamailio says (P-Asserted-Identity), never what the phone says of itself."""
        try:
            self._caller = parse_dialled(user_of(uri_of(self.invite.first("p-asserted-identity")))).phone.e164
            self.dialled = parse_dialled(user_of(self.invite.uri)).phone.e164
        except PhoneRejected:
            raise Refused(403 if not self._caller else 404) from None
        return await self.means.authority.may(self.id, self._caller, self.dialled)

    async def _ring(self, permission: Permission, sound: str) -> Response | None:
        """The callee's phone rings. Its answer; None where there will be none, which the caller has been told."""
        means = self.means
        if not self._events.empty():  # the caller gave up while the service was asked
            self._refuse(487)
            self._keep("no_answer", "cancelled", "caller")
            return None
        dialog = dialogs.to_callee(permission.display, permission.callee, means.domain, self.tags["callee"])
        self.sides["callee"] = dialog
        self._invitation = dialogs.invitation(dialog, means.line, permission.display, means.domain, sound)
        means.line.ask(self._invitation, self._events.put_nowait)
        try:
            async with asyncio.timeout(RINGS_S):
                while True:
                    match event := await self._events.get():
                        case Response(status=status) if status < 200:
                            self._rings(event)
                        case Response(status=status) if status < 300:
                            return event
                        case Response(status=status):
                            self._failed(_CAUSES.get(status, "network" if 500 <= status < 600 else "no_answer"))
                            return None
                        case HungUp(by=by):
                            await self._give_up(487, by)
                            return None
                        case None:
                            self._failed("network")
                            return None
        except TimeoutError:
            await self._give_up(480, "switchboard")
            return None

    def _rings(self, told: Response) -> None:
        """Ringing is told without the other's sound: what is said before somebody picks up may name who it is."""
        self._heard = True
        if told.status > 100 and self._ringing is None:
            self._ringing = datetime.now(UTC)
            self._answer_caller(180)

    def _failed(self, cause: Cause) -> None:
        self._refuse(_TOLD.get(cause, 480))
        self._keep("busy" if cause in ("busy", "rejected") else "no_answer", cause, "callee")

    async def _give_up(self, status: int, by: EndedBy) -> None:
        """The callee's phone stops ringing; where it was picked up that very moment, it is put down again."""
        self._refuse(status)
        self._keep("no_answer", "cancelled" if by == "caller" else "no_answer", by)
        if self._heard:
            self._cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CANCELLED_S):
                while True:
                    match event := await self._events.get():
                        case Response(status=status) if status < 200:
                            if not self._heard:  # only what was taken up can be cancelled
                                self._heard = True
                                self._cancel()
                        case Response(status=status) if status < 300:
                            self._confirm(event)
                            self._bye("callee")
                            return
                        case Response() | None:
                            return

    def _cancel(self) -> None:
        assert self._invitation is not None
        self.means.line.ask(dialogs.cancellation(self._invitation), lambda _: None)

    async def _join(self, picked_up: Response, offer: sdp.Offer) -> bool:
        """Both are through to the relay. False where they cannot be; both have been told."""
        self._confirm(picked_up)
        try:
            answer = sdp.clean(picked_up.body, ours=self.means.hosts).text
            sound = await self.means.relay.answer(self.id, answer, of="callee", to="caller")
        except (sdp.Unusable, RelayDown):
            self._bye("callee")
            self._failed("network")
            return False
        self.sides["caller"].sound, self.sides["callee"].sound = offer.text, answer
        self._answered = datetime.now(UTC)
        self._answer_caller(200, offer.answered(sound))
        return True

    def _confirm(self, answered: Response) -> None:
        """ACK the callee's answer, each time that it comes: the last ACK may have been lost."""
        self._acknowledge(self.sides["callee"], answered)

    def _acknowledge(self, dialog: Dialog, answered: Response) -> None:
        dialogs.confirm(dialog, answered)
        self.means.line.acknowledge(dialog.request(self.means.line, "ACK", cseq=answered.cseq[0]))

    def _confirm_again(self, answered: Response) -> None:
        """The answer once more; or a second phone that picked up as well, and is put down."""
        callee = self.sides["callee"]
        if tag_of(answered.first("to")) == tag_of(callee.theirs):
            self._confirm(answered)
            return
        second = replace(callee)
        self._acknowledge(second, answered)
        self.means.line.ask(second.request(self.means.line, "BYE"), lambda _: None)

    def _answer_caller(self, status: int, sound: str = "") -> None:
        response = dialogs.reply(self.invite, status, to=self.sides["caller"].ours)
        response.headers.append(("contact", dialogs.contact(self.means.line)))
        if sound:
            response.headers.append(SDP)
            response.body = sound.encode()
        unacked = HungUp("switchboard")
        self.means.line.answer(self.invite, response, lambda: self._events.put_nowait(unacked))

    def _refuse(self, status: int) -> None:
        self.means.line.answer(self.invite, dialogs.reply(self.invite, status, to=self.sides["caller"].ours))

    # ---- the talk --------------------------------------------------------------------------------------------------

    async def _talk(self, max_seconds: int) -> None:
        by: EndedBy = "limit"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max_seconds):
                while True:
                    event = await self._events.get()
                    if isinstance(event, HungUp):
                        by = event.by
                        break
                    if isinstance(event, Response) and 200 <= event.status < 300:
                        self._confirm_again(event)
        for side in self.sides:
            if side != by:
                self._bye(side)
        self._keep("answered", "normal", by)

    def _bye(self, side: Side) -> None:
        self.means.line.ask(self.sides[side].request(self.means.line, "BYE"), lambda _: None)

    def _keep(self, outcome: Outcome, cause: Cause, by: EndedBy) -> None:
        ended = datetime.now(UTC)
        self.means.spool.keep(
            Record(
                call_id=self.id,
                outcome=outcome,
                cause=cause,
                seconds=seconds_between(self._answered, ended),
                started_at=self._started,
                rang_at=self._ringing,
                answered_at=self._answered,
                ended_at=ended,
                ended_by=by,
            )
        )

    # ---- what happens to it ----------------------------------------------------------------------------------------

    def hang_up(self, by: EndedBy) -> None:
        self._events.put_nowait(HungUp(by))

    async def look_again(self) -> bool:
        """Ask the service whether this call may go on. True where it may not, and ends; no answer ends nothing."""
        try:
            await self.means.authority.may(self.id, self._caller, self.dialled)
        except Refused as refusal:
            if refusal.code in OVER:
                self.hang_up("service")
                return True
        return False

    def describe_again(self, side: Side, request: Request) -> None:
        """A phone moved, or holds the line (re-INVITE): the relay is told, the other phone need not know."""
        if self._describing is not None and not self._describing.done():
            self.means.line.answer(request, dialogs.reply(request, 491))
            return
        self._describing = asyncio.create_task(self._describe(side, request))

    async def _describe(self, side: Side, request: Request) -> None:
        dialog, other = self.sides[side], self.sides[_OTHER[side]]
        dialog.descriptions += 1
        try:
            if self._answered is None:
                raise sdp.Unusable
            offer = sdp.clean(request.body, ours=self.means.hosts, version=dialog.descriptions + 1)
            if not sdp.formats(offer.text) & sdp.formats(other.sound):
                raise sdp.Unusable
            await self.means.relay.offer(self.id, offer.text, of=side, to=_OTHER[side], known=True)
            sound = await self.means.relay.answer(self.id, other.sound, of=_OTHER[side], to=side)
        except (sdp.Unusable, RelayDown):
            self.means.line.answer(request, dialogs.reply(request, 488))
            return
        dialog.sound = offer.text
        answer = sdp.again(offer.answered(sound), offer.text, version=dialog.descriptions + 1)
        response = dialogs.reply(request, 200)
        response.headers += [("contact", dialogs.contact(self.means.line)), SDP]
        response.body = answer.encode()
        dialog.target = uri_of(request.first("contact")) or dialog.target
        self.means.line.answer(request, response, lambda: self.hang_up("switchboard"))
