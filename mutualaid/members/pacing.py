"""How often codes, sign-ins and identity checks may be tried. All fail closed: without the cache they are a 503.

Relaxed settings lift what is counted by number, address, block and session; what the house can bear in all stays.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from mutualaid.kit.errors import TooMany
from mutualaid.kit.limits import Ask, Rate
from mutualaid.kit.peers import Peer
from mutualaid.kit.phones import Phone
from mutualaid.members.errors import CodesTooOften
from mutualaid.members.rules import REAL_NAME_TRIES
from mutualaid.services import Services

_HOUR: Final = 3600
_PAUSE: Final = Rate(1, 60)
_BY_PHONE: Final = Rate(5, _HOUR)
_BY_SESSION: Final = Rate(10, _HOUR)
_BY_ADDRESS: Final = Rate(20, _HOUR)
_BY_PREFIX: Final = Rate(100, _HOUR)
_SIGN_INS_BY_ADDRESS: Final = Rate(60, _HOUR, burst=20)
_CHECKS_BY_MEMBER: Final = Rate(20, 24 * _HOUR)
_CHECKS_BY_ADDRESS: Final = Rate(20, _HOUR)
_NUMBER: Final = "identity.number"
# One comes back after a day only: of a number that is counted by the day there are never more than the burst.
_CHECKS_BY_NUMBER: Final = Rate(REAL_NAME_TRIES, REAL_NAME_TRIES * 24 * _HOUR)


async def for_code(services: Services, phone: Phone, *, peer: Peer, session_id: str | None) -> None:
    """Before a code is sent: `CodesTooOften` with its Retry-After. `session_id`: the asker's, if signed in."""
    house = [Ask("codes.all", "", Rate(services.settings.codes_global_hourly, _HOUR))]
    counted = [
        Ask("codes.pause", phone.e164, _PAUSE),
        Ask("codes.phone", phone.e164, _BY_PHONE),
        Ask("codes.address", peer.address, _BY_ADDRESS),
        Ask("codes.prefix", peer.prefix, _BY_PREFIX),
    ]
    if session_id is not None:
        counted.append(Ask("codes.session", session_id, _BY_SESSION))
    await _take(services, house, counted, CodesTooOften)


async def for_sign_in(services: Services, *, peer: Peer) -> None:
    """Before a code, ours or WeChat's, is compared."""
    house = [Ask("sign_ins.all", "", Rate(10 * services.settings.codes_global_hourly, _HOUR))]
    await _take(services, house, [Ask("sign_ins.address", peer.address, _SIGN_INS_BY_ADDRESS)], TooMany)


async def for_identity_check(services: Services, member_id: str, *, peer: Peer) -> None:
    """Before a real-name check; the five tries a day are counted elsewhere: a member's by rows."""
    member = [Ask("identity.member", member_id, _CHECKS_BY_MEMBER)]
    await _take(services, member, [Ask("identity.address", peer.address, _CHECKS_BY_ADDRESS)], TooMany)


async def for_identity_number(services: Services, number: str, *, today: date) -> bool:
    """Before the maker is asked about this ID number: whether it may be, `REAL_NAME_TRIES` times a day, whoever asks. The
    tries that stand in a member's row begin anew for who leaves and comes back. Only wrong guesses count in the end."""
    asked = _of_number(number, today)
    return (await services.limits.take(_NUMBER, asked, rate=_CHECKS_BY_NUMBER, on_loss="closed")).allowed


async def no_wrong_guess(services: Services, number: str, *, today: date) -> None:
    """The maker did not answer, or said that the name is right: that costs the number no try."""
    await services.limits.give_back(_NUMBER, _of_number(number, today), rate=_CHECKS_BY_NUMBER)


def _of_number(number: str, today: date) -> str:
    return f"{number}|{today.isoformat()}"


async def _take(
    services: Services, always: Sequence[Ask], when_strict: Sequence[Ask], refusal: type[CodesTooOften | TooMany]
) -> None:
    asks = [*always, *when_strict] if services.settings.limits == "strict" else always
    verdict = await services.limits.take_all(asks, on_loss="closed")
    if not verdict.allowed:
        raise refusal(retry_after=max(1, verdict.retry_after_s))
