"""A text with 违禁 is risky, one with 复核 wants a second look, anything else passes."""

from pathlib import Path

from mutualaid.kit.told import Told
from mutualaid.providers.content import LONGEST, Label, Scene, Suggestion, Verdict


class FakeContent:
    name = "fake"
    is_fake = True

    def __init__(self, outbox: Path) -> None:
        self.told = Told("content", outbox)

    async def judge(self, text: str, *, scene: Scene = Scene.POST, openid: str | None = None) -> Verdict:
        self.told.obey()
        if len(text) > LONGEST:
            raise ValueError("the text is too long to be judged at once")
        if "违禁" in text:
            return Verdict(Suggestion.RISKY, frozenset({Label.OTHER}))
        if "复核" in text:
            return Verdict(Suggestion.REVIEW, frozenset({Label.OTHER}))
        return Verdict(Suggestion.PASS)
