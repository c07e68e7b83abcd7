"""What an item is, how two versions of the catalogue differ, which items a search finds. Pure."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mutualaid.catalogue.spelling import Readings, spells
from mutualaid.kit.texts import Language

Kind = Literal["medicine", "goods"]
PolicyWord = Literal["listable", "refused"]
Handover = Literal["any", "pickup"]
Value = str | int | bool | None | tuple[str, ...]

_UNITS_EN = {
    "片": "piece(s)",
    "只": "piece(s)",
    "支": "piece(s)",
    "粒": "pill(s)",
    "瓶": "bottle(s)",
    "盒": "box(es)",
    "袋": "sachet(s)",
    "罐": "can(s)",
    "贴": "patch(es)",
    "台": "device(s)",
    "千克": "kg",
}  # the catalogue writes its units in Chinese; one that is not known here stays so
_NO_LONGER = {"zh-Hans": "已从目录中移除", "en": "no longer in the catalogue"}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the catalogue. Amounts count `unit`; `need_max` and `offer_max` cap one line of a need or an offer.

    `course_days`: what is offered must stay good so many days after the handover. `min_useful`: the least worth
    splitting off where `divisible`. `min_age`: years. `substitute_group`: items of one group may stand for each other,
    by explicit choice. `withdrawn`: no longer in the operator's file; kept so that what was posted still has a name.
    """

    code: str
    name: str
    name_en: str
    kind: Kind
    group: str
    ingredient: str
    form: str
    unit: str
    need_max: int
    offer_max: int
    divisible: bool
    nhc_listed: bool
    policy: PolicyWord
    reason_zh: str | None
    reason_en: str | None
    caution_zh: str | None
    caution_en: str | None
    aliases: tuple[str, ...]
    leaflet_zh: str | None
    expiry_required: bool
    sealed_required: bool
    course_days: int
    min_useful: int
    handover: Handover
    min_age: int | None
    substitute_group: str | None
    withdrawn: bool = False

    @property
    def listable(self) -> bool:
        """Whether it may stand on a new post."""
        return self.policy == "listable" and not self.withdrawn

    @property
    def is_medicine(self) -> bool:
        return self.kind == "medicine"

    def most(self, post_kind: Literal["need", "offer"]) -> int:
        """The most that one line of such a post may hold."""
        return self.need_max if post_kind == "need" else self.offer_max

    def title(self, language: Language) -> str:
        """Its name in the reader's language."""
        return self.name_en if language == "en" else self.name

    def counted_in(self, language: Language) -> str:
        """Its unit in the reader's language."""
        return _UNITS_EN.get(self.unit, self.unit) if language == "en" else self.unit

    def reason(self, language: Language) -> str | None:
        """Why it is refused; None for what may be listed."""
        if self.withdrawn:
            return _NO_LONGER[language]
        return self.reason_en if language == "en" else self.reason_zh

    def caution(self, language: Language) -> str | None:
        """What to heed when handing it over."""
        return self.caution_en if language == "en" else self.caution_zh

    @property
    def leaflet(self) -> str | None:
        """Facts of the Chinese leaflet, in its language for every reader: a translation of ours would be advice."""
        return self.leaflet_zh

    def answers_to(self, wanted: str, readings: Readings) -> bool:
        """Whether a search for `wanted` (made by `search_key`) finds it: as a part of its code, of a name, an alias (brand
        or synonym) or its ingredient, or as the pinyin of its Chinese names (see `spelling.spells`)."""
        spoken = [search_key(text) for text in (self.name, *self.aliases)]
        written = [search_key(text) for text in (self.code, self.name_en, self.ingredient)]
        return any(wanted in text for text in (*spoken, *written)) or any(
            spells(wanted, text, readings) for text in spoken
        )


def search_key(text: str) -> str:
    """Text as searches compare it: full-width letters as plain ones, no upper case, no outer space."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def digest(items: Sequence[Item]) -> str:
    """A fingerprint of a whole catalogue, its order included."""
    return hashlib.sha256(json.dumps([asdict(item) for item in items], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Changes:
    """How a new catalogue differs: codes added, codes withdrawn, and for each changed code {field: (before, after)}."""

    added: tuple[str, ...]
    changed: Mapping[str, Mapping[str, tuple[Value, Value]]]
    withdrawn: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.withdrawn)


def difference(before: Iterable[Item], after: Iterable[Item]) -> Changes:
    """What changes from one to the other. A withdrawn item that comes back is a change of its field `withdrawn`."""
    old, new = {item.code: item for item in before}, {item.code: item for item in after}
    changed: dict[str, dict[str, tuple[Value, Value]]] = {}
    for code in sorted(old.keys() & new.keys()):
        was, now = asdict(old[code]), asdict(new[code])
        if fields := {name: (was[name], now[name]) for name in was if was[name] != now[name]}:
            changed[code] = fields
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=changed,
        withdrawn=tuple(sorted(code for code in old.keys() - new.keys() if not old[code].withdrawn)),
    )


def withdraw(item: Item) -> Item:
    """The item as it stands once the operator's file no longer names it: kept, and refused."""
    return replace(item, policy="refused", withdrawn=True)
