"""What moderators are refused, each with its stable code."""

from mutualaid.kit.errors import AidError
from mutualaid.kit.texts import N_


class CaseClaimed(AidError):
    kind = "conflict"
    code = "case_claimed"
    text = N_("Another moderator is on this case.")


class CaseClosed(AidError):
    kind = "conflict"
    code = "case_closed"
    text = N_("This case is closed.")


class OwnRuling(AidError):
    """Nobody rules on their own post, on themselves, on a case in which they are a party, or on whoever is in it with them."""

    kind = "forbidden"
    code = "own_ruling"
    text = N_("This is about yourself; another moderator must rule on it.")


class PostNotHidden(AidError):
    kind = "conflict"
    code = "post_not_hidden"
    text = N_("This post is not hidden.")


class AuthorSuspended(AidError):
    kind = "conflict"
    code = "author_suspended"
    text = N_("The author of this post is suspended; restore them first.")


class AlreadySuspended(AidError):
    kind = "conflict"
    code = "already_suspended"
    text = N_("This member is suspended already.")


class NotSuspended(AidError):
    kind = "conflict"
    code = "not_suspended"
    text = N_("This member is not suspended.")
