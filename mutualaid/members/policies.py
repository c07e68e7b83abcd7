"""Who may enter: every URL names one of these."""

from typing import Final

from mutualaid.kit.policies import Policy
from mutualaid.members.errors import RealNameNeeded, StepUpNeeded, Suspended
from mutualaid.members.needs import require_real_name
from mutualaid.members.records import Principal
from mutualaid.members.rules import STAFF as STAFF_ROLES


def _verified(caller: Principal) -> None:
    if not caller.may_post:
        raise RealNameNeeded


def _stepped_up(caller: Principal) -> None:
    if not caller.stepped_up:
        raise StepUpNeeded


def may_act(caller: Principal) -> None:
    """403 `suspended`. For publishing, pledging, accepting, reporting and contacts, once all else needed is there."""
    if caller.suspended:
        raise Suspended


PUBLIC: Final[Policy[Principal]] = Policy("public", signed_in=False)
SIGNED_IN: Final[Policy[Principal]] = Policy("signed_in")
VERIFIED: Final[Policy[Principal]] = Policy("verified", checks=(_verified,))
REAL_NAME: Final[Policy[Principal]] = Policy("real_name", checks=(require_real_name,))
OWN_DANGER: Final[Policy[Principal]] = Policy("own_danger", checks=(_stepped_up,))
STAFF: Final[Policy[Principal]] = Policy("staff", roles=STAFF_ROLES, checks=(may_act,))
STAFF_DEED: Final[Policy[Principal]] = Policy("staff_deed", roles=STAFF_ROLES, checks=(may_act, _stepped_up))
ADMIN: Final[Policy[Principal]] = Policy("admin", roles=frozenset(["admin"]))
ADMIN_DEED: Final[Policy[Principal]] = Policy("admin_deed", roles=frozenset(["admin"]), checks=(_stepped_up,))
VENDOR: Final[Policy[Principal]] = Policy("vendor", roles=frozenset(["vendor"]))
