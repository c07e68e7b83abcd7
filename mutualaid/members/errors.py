"""What members are refused, each with its kind, a stable code and a sentence."""

from collections.abc import Iterable

from mutualaid.kit.errors import AidError, FieldError
from mutualaid.kit.texts import N_


class CodeWrong(AidError):
    kind = "invalid"
    code = "code_wrong"
    text = N_("This code is not right; please look again.")


class ChallengeEnded(AidError):
    """Unknown, used, out of time or out of tries: never said which."""

    kind = "invalid"
    code = "challenge_ended"
    text = N_("This code no longer counts; please ask for a new one.")


class CodesTooOften(AidError):
    kind = "too_many"
    code = "codes_too_often"
    text = N_("Codes were asked for too often; please wait a while.")


class PhoneTaken(AidError):
    kind = "conflict"
    code = "phone_taken"
    text = N_("This phone belongs to another account.")


class MemberUnknown(AidError):
    kind = "missing"
    code = "member_unknown"
    text = N_("Nobody here has this phone.")


class RealNameNeeded(AidError):
    kind = "needed"
    code = "real_name_needed"
    text = N_("Please have your real name checked first.")


class PhoneNeeded(AidError):
    kind = "needed"
    code = "phone_needed"
    text = N_("Please add your phone first.")


class ConsentNeeded(AidError):
    """`errors[].field` names each purpose that consent is missing for."""

    kind = "needed"
    code = "consent_needed"
    text = N_("Your consent is needed first.")

    def __init__(self, purposes: Iterable[str]) -> None:
        super().__init__(fields=[FieldError(purpose, self.code, self.text) for purpose in purposes])


class StepUpNeeded(AidError):
    kind = "forbidden"
    code = "step_up_needed"
    text = N_("Please confirm with a code sent to your phone first.")


class Suspended(AidError):
    kind = "forbidden"
    code = "suspended"
    text = N_("Your account is suspended.")


class RealNameMismatch(AidError):
    """Also where the register has no such record, and it never says which field was wrong."""

    kind = "invalid"
    code = "real_name_mismatch"
    text = N_("The name and the ID number do not belong together.")


class RealNameUnsupported(AidError):
    kind = "invalid"
    code = "real_name_unsupported"
    text = N_("This kind of document cannot be checked online; please ask a moderator.")


class RealNameTriesUsed(AidError):
    kind = "too_many"
    code = "real_name_tries_used"
    text = N_("No more real-name checks today; please try again tomorrow.")


class UnderAge(AidError):
    kind = "invalid"
    code = "under_age"
    text = N_("Members are at least 14 years old; a parent may ask for a child.")
