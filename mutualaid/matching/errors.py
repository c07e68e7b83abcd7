"""What can go wrong with a match, each with its stable code."""

from mutualaid.kit.errors import AidError
from mutualaid.kit.texts import N_


class PairEnded(AidError):
    kind = "conflict"
    code = "pair_ended"
    text = N_("These two posts were matched before, and it was declined or failed.")


class MatchNotOpen(AidError):
    kind = "conflict"
    code = "match_not_open"
    text = N_("This match is no longer open.")


class AlreadyAccepted(AidError):
    kind = "conflict"
    code = "already_accepted"
    text = N_("You have accepted this already.")


class AlreadyAgreed(AidError):
    kind = "conflict"
    code = "already_agreed"
    text = N_("You two have agreed already.")


class MatchNotAgreed(AidError):
    kind = "conflict"
    code = "match_not_agreed"
    text = N_("You two have not agreed yet.")


class MatchClosed(AidError):
    kind = "conflict"
    code = "match_closed"
    text = N_("This match is closed.")


class NeedCapReached(AidError):
    kind = "conflict"
    code = "need_cap_reached"
    text = N_(
        "This would be more of one item than the one who needs it can be given within seven days. "
        "It is their limit, not the giver's; later in the week it may go."
    )
