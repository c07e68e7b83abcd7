"""Free text made safe: `scrub` hides what leads round the platform, `refused_characters` names what may not come in."""

from mutualaid.kit.scrubbing.characters import Refused, refused_characters
from mutualaid.kit.scrubbing.fold import TOKEN, Kind
from mutualaid.kit.scrubbing.scrub import Scrubbed, scrub

__all__ = ["TOKEN", "Kind", "Refused", "Scrubbed", "refused_characters", "scrub"]
