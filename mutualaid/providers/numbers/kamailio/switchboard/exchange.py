"""Every call under way: which message belongs to which, and what ends calls from outside."""

import asyncio
from typing import Final

import structlog

from mutualaid.providers.numbers.kamailio.switchboard import dialogs
from mutualaid.providers.numbers.kamailio.switchboard.calls import Call, Means
from mutualaid.providers.numbers.kamailio.switchboard.dialogs import Side
from mutualaid.providers.numbers.kamailio.switchboard.messages import Request, tag_of

_MOST: Final = 2_000  # calls at once; more are told to come again
log = structlog.get_logger()


class Exchange:
    """`means` is set before the first message comes."""

    means: Means

    def __init__(self) -> None:
        self._calls: dict[Call, asyncio.Task[None]] = {}
        self._by_tag: dict[str, tuple[Call, Side]] = {}  # ours, in either dialog
        self._by_branch: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def receive(self, request: Request) -> None:
        """A new request, from Kamailio only."""
        match request.method:
            case "INVITE" if not tag_of(request.first("to")):
                self._begin(request)
            case "CANCEL":
                self._cancel(request)
            case "OPTIONS":
                self._answer(request, 200)
            case "BYE" | "INVITE":
                self._within(request)
            case _:
                self._answer(request, 405)

    def _begin(self, invite: Request) -> None:
        if len(self._calls) >= _MOST:
            self._answer(invite, 503)
            return
        call = Call(self.means, invite)
        self._by_branch[invite.branch] = call
        for side, tag in call.tags.items():
            self._by_tag[tag] = call, side
        self._calls[call] = asyncio.create_task(call.run())
        self._calls[call].add_done_callback(lambda task: self._over(call, task))

    def _over(self, call: Call, task: asyncio.Task[None]) -> None:
        del self._calls[call], self._by_branch[call.invite.branch]
        for tag in call.tags.values():
            del self._by_tag[tag]
        if not task.cancelled() and (problem := task.exception()):
            log.error("switchboard.call_failed", exc_info=problem)

    def _cancel(self, request: Request) -> None:
        """It names the transaction of the INVITE that it takes back."""
        call = self._by_branch.get(request.branch)
        self._answer(request, 200 if call else 481)
        if call is not None:
            call.hang_up("caller")

    def _within(self, request: Request) -> None:
        call, side = self._by_tag.get(tag_of(request.first("to")), (None, None))
        dialog = call.sides.get(side) if call is not None and side is not None else None
        if call is None or side is None or dialog is None or not dialog.fits(request):
            self._answer(request, 481)
            return
        dialog.heard_cseq = request.cseq[0]
        if request.method == "BYE":
            self._answer(request, 200)
            call.hang_up(side)
        else:
            call.describe_again(side, request)

    def _answer(self, request: Request, status: int) -> None:
        self.means.line.answer(request, dialogs.reply(request, status))

    async def look_again(self, x: str) -> int:
        """The service says that something about X has ended: ask it about each call there. How many calls end."""
        return sum(await asyncio.gather(*(call.look_again() for call in self._calls if call.dialled == x)))

    async def close(self, patience_s: float = 3.0) -> None:
        """Hang up whatever is left, and wait for the records."""
        for call in self._calls:
            call.hang_up("switchboard")
        if self._calls:
            await asyncio.wait(set(self._calls.values()), timeout=patience_s)
