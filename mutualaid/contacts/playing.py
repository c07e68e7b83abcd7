"""A call that is only played, in dev: the real decision, the real records, and what each phone would show."""

from datetime import datetime

from mutualaid.contacts import calls, routing
from mutualaid.contacts.rules import Outcome
from mutualaid.contacts.wire import Connected
from mutualaid.kit.ids import new_id
from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers import CallRecord
from mutualaid.services import Services


async def play(
    services: Services,
    caller: Phone,
    dialled: str,
    digits: str | None = None,
    *,
    outcome: Outcome = "answered",
    seconds: int = 60,
    now: datetime,
) -> Connected:
    """Raises one of `routing.REFUSALS` where the call does not go through. `dialled`: E.164."""
    found = await routing.decide(services, caller, dialled, digits)
    maker, call_id = services.numbers.name, new_id()
    lasted = min(seconds, found.connect.max_seconds) if outcome == "answered" else 0
    record = CallRecord(call_id, caller, dialled, outcome, lasted, now, extension=digits)
    async with services.database.transaction() as session:
        await calls.begin(session, found, maker=maker, call_id=call_id, set_up_at=None)
        await calls.finish(session, services.ring, record, maker=maker, now=now)
    return Connected(call_id=call_id, caller_sees=dialled, callee_sees=found.connect.display, outcome=outcome)
