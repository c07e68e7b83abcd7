"""The configurations of Kamailio and rtpengine, from the templates beside this file.

`@NAME@` is a place to be filled: Kamailio's own language is full of dollars. One without a value is a KeyError.
"""

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from mutualaid.providers.numbers.kamailio.plan import REALM, Plan

NAMES: Final = ("kamailio.cfg", "rtpengine.conf")


_PLACE: Final = re.compile(r"@([A-Z_]+)@")


def render(plan: Plan, folder: Path, *, workers: int = 4, flood: int = 200) -> list[Path]:
    """Write both, readable by their owner only. `flood`: requests in two seconds after which an address is not heard."""
    values = _values(plan) | {"WORKERS": str(workers), "FLOOD": str(flood)}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for name in NAMES:
        template = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
        file = folder / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(_PLACE.sub(lambda place: values[place[1]], template))
        written.append(file)
    return written


def _values(plan: Plan) -> dict[str, str]:
    trusted = [f'is_in_subnet("$si", "{network}")' for network in plan.trusted]
    nowhere = 'sl_send_reply("480", "Temporarily Unavailable"); exit;'
    return {
        "LISTEN": str(plan.listen),
        "DOMAIN": plan.domain,
        "SWITCHBOARD": str(plan.switchboard),
        "SWITCHBOARD_HOST": plan.switchboard.host,
        "SWITCHBOARD_PORT": str(plan.switchboard.port),
        "TRUSTED": " || ".join(trusted) or "1 == 0",
        "TO_TRUNK": f'$ru = "sip:" + $rU + "@{plan.trunk}";' if plan.trunk else nowhere,
        "REALM": REALM,
        "SECRET": plan.secret,
        "NONCES": plan.nonces,
        "RELAY": str(plan.relay),
        "MEDIA_HOST": plan.media,
        "MEDIA_FIRST": str(plan.media_ports[0]),
        "MEDIA_LAST": str(plan.media_ports[1]),
    }
