"""A switchboard for measuring: calls to numbers that begin with `STATIC` are let through without asking anybody."""

import asyncio
import os
import sys

import uvloop

from mutualaid.kit import logs
from mutualaid.kit.ring import hook_token
from mutualaid.kit.settings import load
from mutualaid.providers.numbers.kamailio.switchboard.authority import Authority, Permission
from mutualaid.providers.numbers.kamailio.switchboard.serving import serve, stop_on_signals
from mutualaid.telephony import plan

STATIC = "+8616900000"


class Half(Authority):
    """`callee`: whom a static route reaches."""

    callee = ""

    async def may(self, call_id: str, caller: str, dialled: str) -> Permission:
        if dialled.startswith(STATIC):
            return Permission(callee=self.callee, display=dialled, max_seconds=60)
        return await super().may(call_id, caller, dialled)


async def main(callee: str) -> None:
    settings = load(os.environ)
    token = hook_token(settings.keys_dir)
    half = Half(plan(settings).hooks, token)
    half.callee = callee
    await serve(plan(settings), settings.telephony_dir, token, stop_on_signals(), authority=half)


if __name__ == "__main__":
    logs.configure()
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main(sys.argv[1]))
