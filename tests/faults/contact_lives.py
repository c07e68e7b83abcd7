"""A process whose children live one contact each, from asking to its end, and are killed or stopped on the way.

`python -m tests.faults.contact_lives`, settings from the environment. One JSON object a line comes in, one goes out:

    {"asker", "post", "step", "how": "kill" | "stop"}  a child that does so to itself there  → {"pid", "end"}
    {"asker", "post", "after_ms"}                       a child that is killed so much later  → {"pid", "end"}
    {"resume": pid}                                     a stopped child goes on to its end    → {"pid", "end"}

`end`: "killed", "stopped", or the exit status. Children are forked, so that what they import is imported once.
"""

import asyncio
import json
import os
import signal
import sys
import time
from datetime import datetime
from typing import Any

from mutualaid.contacts import actions, asking, ending, granting, reconciling, store
from mutualaid.contacts.stock import Stock
from mutualaid.kit import clock
from mutualaid.kit.settings import load
from mutualaid.providers.numbers import Binding, BindingRef, BindRequest, NumbersMaker
from mutualaid.services import Services
from mutualaid.wiring import open_services
from tests.contacts.town import principal

STEPS = (
    "asked",
    "before bind",
    "after bind",
    "granted",
    "extended",
    "before renew",
    "after renew",
    "released",
    "before unbind",
    "after unbind",
    "unbound",
)


class Marked:
    """A maker that says when it is called, and when it has answered."""

    def __init__(self, maker: NumbersMaker, fate: "Fate") -> None:
        self._maker, self._fate = maker, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._maker, name)

    async def bind(self, request: BindRequest) -> Binding:
        self._fate.at("before bind")
        bound = await self._maker.bind(request)
        self._fate.at("after bind")
        return bound

    async def renew(self, binding: BindingRef, expires_at: datetime) -> Binding:
        self._fate.at("before renew")
        renewed = await self._maker.renew(binding, expires_at)
        self._fate.at("after renew")
        return renewed

    async def unbind(self, binding: BindingRef) -> None:
        self._fate.at("before unbind")
        await self._maker.unbind(binding)
        self._fate.at("after unbind")


class Fate:
    def __init__(self, step: str | None, how: str | None) -> None:
        self._step, self._how = step, how

    def at(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGSTOP if self._how == "stop" else signal.SIGKILL)


async def live(services: Services, fate: Fate, asker_id: str, post_id: str) -> None:
    """One contact: asked, granted, extended, released, forgotten by the provider; each as a door or a worker does it."""
    asker = principal(asker_id)
    prepared = await asking.prepare(services, post_id, "call", asker=asker)
    async with services.database.transaction() as session:
        stock = Stock.of(services)
        lease, _ = await asking.ask(session, prepared, asker=asker, stock=stock, now=clock.now())
    fate.at("asked")
    await granting.grant(services, lease.id, now=clock.now())
    fate.at("granted")
    async with services.database.transaction() as session:
        extended = await actions.extend(session, lease.id, by=asker_id, now=clock.now())
    fate.at("extended")
    await reconciling.renew(services, extended, now=clock.now())
    async with services.database.transaction() as session:
        await ending.release_one(session, lease.id, because="by_member", actor=asker_id, now=clock.now())
    fate.at("released")
    async with services.database.reading() as session:
        ended = await store.get(session, lease.id)
    assert ended is not None
    await reconciling.let_go(services, ended.id, granting.ref_of(ended), now=clock.now())
    fate.at("unbound")


async def child(asked: dict[str, Any]) -> None:
    fate = Fate(asked.get("step"), asked.get("how"))
    async with open_services(load(os.environ)) as services:
        object.__setattr__(services, "numbers", Marked(services.numbers, fate))
        await live(services, fate, asked["asker"], asked["post"])


def fork(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.dup2(2, 1)  # what goes out on the line is the parent's
    status = 1
    try:
        asyncio.run(child(asked))
        status = 0
    except Exception as problem:  # a refusal on the way is an end like another; what holds is judged from outside
        print(f"life ended: {type(problem).__name__}", file=sys.stderr)
    finally:
        os._exit(status)


def wait(pid: int) -> dict[str, Any]:
    _, status = os.waitpid(pid, os.WUNTRACED)
    end = "stopped" if os.WIFSTOPPED(status) else "killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"pid": pid, "end": end}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "resume" in asked:
            pid = asked["resume"]
            os.kill(pid, signal.SIGCONT)
        else:
            pid = fork(asked)
        if "after_ms" in asked:
            time.sleep(asked["after_ms"] / 1000)
            os.kill(pid, signal.SIGKILL)  # not yet waited for: the pid is still the child's
        print(json.dumps(wait(pid)), flush=True)


if __name__ == "__main__":
    main()
