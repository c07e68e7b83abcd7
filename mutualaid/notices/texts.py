"""Every sentence that members are told. None of them names a medicine, a number, a name or a place.

A notice may have variants: `kind.variant` is said where its params ask for it (`VARIANT_BY`), else the plain kind; and of a
variant `kind.variant.urgent` where it is about an urgent need.
"""

from collections.abc import Mapping
from typing import Final

from mutualaid.kit.texts import N_, Language, say
from mutualaid.notices.rules import Kind

VARIANT_BY: Final[dict[Kind, str]] = {
    "proposed": "side",
    "match_ended": "state",
    "number_ready": "channel",
    "number_expiring": "left",
    "number_ended": "channel",
    "ended": "state",
    "hidden": "by",
}

INBOX: Final[dict[str, str]] = {
    "proposed": N_("A neighbour could fit one of your posts. Please look, and accept or decline."),
    "proposed.need": N_("A neighbour has what you need. Please look, and accept or decline."),
    "proposed.offer": N_("A neighbour needs what you have. Please look, and accept or decline."),
    "proposed.offer.urgent": N_("Urgent: a neighbour needs what you have. Please look, and answer within two hours."),
    "agreed": N_("You and a neighbour have agreed. You will find here how to reach each other."),
    "match_ended": N_("A match has ended."),
    "match_ended.declined": N_("A neighbour declined. Your post stays open for others."),
    "match_ended.lapsed": N_("A neighbour did not answer in time. Your post stays open for others."),
    "match_ended.withdrawn": N_("A match was withdrawn; nothing is promised to each other any more."),
    "match_ended.expired": N_("Nobody said how an agreed handover went, and a post's time is over: the match has lapsed."),
    "match_ended.completed": N_("Your neighbour says it was handed over. If that is not so, please say so within 24 hours."),
    "match_ended.failed": N_("Your neighbour says it did not work out. If that is not so, please say so within 24 hours."),
    "disputed": N_("You two said different things about a handover; a moderator will look at it."),
    "dispute_ruled": N_("A moderator has looked at what you two said about a handover."),
    "unrecorded": N_("You and a neighbour had agreed. Was it handed over? Please say so, or it lapses with the post."),
    "number_ready": N_("A number to reach your neighbour is ready. It hides both of your own."),
    "number_ready.words": N_("You can write to your neighbour here."),
    "number_expiring": N_("The way to reach your neighbour ends in an hour; you can extend it."),
    "number_expiring.last": N_("The way to reach your neighbour ends in an hour."),
    "number_ended": N_("A number to reach a neighbour has ended."),
    "number_ended.words": N_("You can no longer write to a neighbour under a contact: it has ended."),
    "solved": N_("You have talked to each other. Is it solved?"),
    "words": N_("A neighbour has written to you."),
    "expiring": N_("Your post ends in a few hours. Still here? You can give it more time on its page."),
    "unreachable": N_("Neighbours called about your post and nobody answered. Is it still open? Please confirm it, or end it."),
    "ended": N_("Your post has ended."),
    "ended.expired": N_("The time of your post is over, and it was taken down. You can post again."),
    "ended.resolved": N_("All of your post was handed over; it is solved now."),
    "hidden": N_("A moderator hid your post: {reason}."),
    "hidden.urgent_review": N_("A moderator will look at your second urgent post this week before it is shown."),
    "hidden.note_review": N_("A moderator will look at what you wrote before your post is shown."),
    "hidden.reports": N_("Several neighbours reported your post; it is hidden until a moderator has looked."),
    "restored": N_("A moderator has looked: your post is shown again."),
    "closed": N_("A moderator closed your post: {reason}."),
    "report_ruled": N_("A moderator has ruled on what you reported. Thank you."),
    "suspended": N_("A moderator suspended your account: {reason}."),
    "unsuspended": N_("Your account is no longer suspended; posts whose time is not over are shown again."),
    "vouched": N_("A moderator has vouched for your real name."),
}  # fmt: skip

SMS: Final[dict[str, str]] = {
    "agreed": N_("Mutual Aid: you and a neighbour have agreed. Please open Mutual Aid to reach each other."),
    "number_ready": N_("Mutual Aid: you can reach your neighbour now. Please open Mutual Aid to see how."),
}

REASONS: Final[dict[str, str]] = {
    "scam": N_("it looks like a scam"),
    "selling": N_("selling is not allowed here"),
    "prescription": N_("prescription medicine cannot be shared here"),
    "abuse": N_("it hurts or harasses others"),
    "wrong_number": N_("the contact does not lead to its author"),
    "contradiction": N_("two sides said different things"),
    "urgent_review": N_("it is not urgent"),
    "note_review": N_("what is written there cannot be shown"),
    "real_name": N_("the real name could not be confirmed"),
    "other": N_("it breaks the rules here"),
}


def inbox(kind: Kind, params: Mapping[str, str], language: Language) -> str:
    """What the inbox says of it."""
    plain = INBOX[kind]
    variant = f"{kind}.{params.get(VARIANT_BY.get(kind, ''), '')}"
    sentence = INBOX.get(f"{variant}.{params.get('urgency', '')}", INBOX.get(variant, plain))
    reason = REASONS.get(params.get("reason", ""), REASONS["other"])
    return say(sentence, language, reason=say(reason, language))


def sms(kind: Kind, language: Language) -> str:
    """What a text message says of it: that there is something to see, and nothing of what."""
    return say(SMS[kind], language)
