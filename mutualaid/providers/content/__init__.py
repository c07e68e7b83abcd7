"""The promise of the text check: may this be shown, should somebody look first, or is it surely bad?"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mutualaid.kit.outside import ProviderDown, Throttled

__all__ = ["LONGEST", "ContentMaker", "Label", "ProviderDown", "Scene", "Suggestion", "Throttled", "Verdict"]

LONGEST = 2500  # characters that a maker takes in one question


class Suggestion(StrEnum):
    PASS = "pass"  # noqa: S105 — a verdict, no password
    REVIEW = "review"
    RISKY = "risky"


class Label(StrEnum):
    """What was seen; vendors' own numbers are mapped to these, an unknown one to OTHER."""

    ADS = "ads"
    POLITICS = "politics"
    PORN = "porn"
    ABUSE = "abuse"
    CRIME = "crime"
    FRAUD = "fraud"
    VULGAR = "vulgar"
    SELLING = "selling"
    PRESCRIPTION = "prescription"
    OTHER = "other"


class Scene(StrEnum):
    """Where the text will stand; some vendors judge a nickname more strictly than a post."""

    PROFILE = "profile"
    COMMENT = "comment"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`labels` is empty for a pass."""

    suggestion: Suggestion
    labels: frozenset[Label] = frozenset()


class ContentMaker(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_fake(self) -> bool: ...

    async def judge(self, text: str, *, scene: Scene = Scene.POST, openid: str | None = None) -> Verdict:
        """Judge at most LONGEST characters; longer texts are a ValueError. The same text may be asked again at no
        harm.

        `openid`: who wrote it, for makers that judge only the words of a recent visitor and else say REVIEW. Texts
        are never kept or logged. Raises Throttled, ProviderDown.
        """
        ...
