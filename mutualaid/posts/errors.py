"""What can go wrong with a post, each with its stable code."""

from mutualaid.kit.errors import AidError
from mutualaid.kit.texts import N_


class PostNotOpen(AidError):
    kind = "conflict"
    code = "post_not_open"
    text = N_("This post has ended.")


class QuantityHeld(AidError):
    kind = "conflict"
    code = "quantity_held"
    text = N_("Part of this is promised already; it cannot be less than that.")


class QuantityGone(AidError):
    kind = "conflict"
    code = "quantity_gone"
    text = N_("There is not that much left.")


class AlreadyReported(AidError):
    kind = "conflict"
    code = "already_reported"
    text = N_("You have reported this already; a moderator will look at it.")


class OwnPost(AidError):
    kind = "conflict"
    code = "own_post"
    text = N_("This is your own post.")


class AgeNotAllowed(AidError):
    kind = "forbidden"
    code = "age_not_allowed"
    text = N_("Members under 18 may ask for medicine, but not offer it.")
