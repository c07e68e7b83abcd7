"""Our own telephony from the command line: its configurations, its phones' passwords, its switchboard."""

from pathlib import Path

from mutualaid.kit.ring import hook_token
from mutualaid.kit.settings import Settings
from mutualaid.providers.numbers.kamailio.plan import Plan
from mutualaid.providers.numbers.kamailio.rendering import render
from mutualaid.providers.numbers.kamailio.switchboard.serving import serve, stop_on_signals


def plan(settings: Settings) -> Plan:
    return Plan.of(settings, hook_token(settings.keys_dir))


def write(settings: Settings, folder: Path | None) -> list[Path]:
    """`kamailio.cfg` and `rtpengine.conf`, by default in DATA/telephony."""
    return render(plan(settings), folder or settings.telephony_dir)


async def run(settings: Settings) -> None:
    """The switchboard, until a signal stops it."""
    await serve(plan(settings), settings.telephony_dir, hook_token(settings.keys_dir), stop_on_signals())
