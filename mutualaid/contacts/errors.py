"""What can go wrong with a contact or a call, each with its stable code."""

from mutualaid.kit.errors import AidError, FieldError, Invalid
from mutualaid.kit.texts import N_


class ContactNotOffered(AidError):
    """The author does not want to be asked for a number this way, or cannot be reached by it."""

    kind = "forbidden"
    code = "contact_not_offered"
    text = N_("This member does not offer this kind of contact.")


class ChannelNotAvailable(Invalid):
    code = "channel_not_available"
    text = N_("There are no masked calls here; please use in-app words.")

    def __init__(self) -> None:
        super().__init__([FieldError("channel", self.code, self.text)])


class ContactQueueFull(AidError):
    kind = "conflict"
    code = "contact_queue_full"
    text = N_("Enough people are in touch about this post already; please try later.")


class ContactLimit(AidError):
    kind = "conflict"
    code = "contact_limit"
    text = N_("You have asked for as many contacts as one may have at once.")


class NumbersExhausted(AidError):
    kind = "unavailable"
    code = "numbers_exhausted"
    text = N_("No masked number is free for you two right now; you can write to each other instead.")


class ContactEnded(AidError):
    kind = "conflict"
    code = "contact_ended"
    text = N_("This contact has ended.")


class ContactNotReady(AidError):
    kind = "conflict"
    code = "contact_not_ready"
    text = N_("This contact is not ready yet.")


class ExtensionsUsed(AidError):
    kind = "conflict"
    code = "extensions_used"
    text = N_("This contact has been extended as often as it can be.")


class HookTokenWrong(AidError):
    kind = "unauthenticated"
    code = "hook_token_wrong"
    text = N_("This door is for the provider of masked numbers.")


class NumberUnknown(AidError):
    kind = "missing"
    code = "number_unknown"
    text = N_("This is not one of our numbers.")


class NotAParty(AidError):
    kind = "forbidden"
    code = "not_a_party"
    text = N_("This phone may not call this number.")


class LeaseEnded(AidError):
    kind = "ended"
    code = "lease_ended"
    text = N_("This number no longer connects you.")


class ExtensionNeeded(AidError):
    kind = "forbidden"
    code = "extension_needed"
    text = N_("Several neighbours can be reached by this number: please key in the extension.")


class CallsTooMany(AidError):
    kind = "too_many"
    code = "calls_too_many"
    text = N_("There were too many calls within an hour; please try later.")


class CallsRest(AidError):
    kind = "forbidden"
    code = "quiet_hours"
    text = N_("Masked calls rest at this hour.")
