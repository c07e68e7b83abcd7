"""How moments, days and distances are written on pages, in the reader's language."""

from datetime import date, datetime

from mutualaid.kit import clock
from mutualaid.kit.texts import N_, Language, say

_SAME_AREA = N_("Same area (within about 1 km)")
_ABOUT = N_("About {km} km")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(at: datetime, language: Language) -> str:
    """Day and minute in Shanghai: `1月7日 20:00`, `7 Jan 20:00`."""
    local = at.astimezone(clock.SHANGHAI)
    return f"{_day_month(local, language)} {local:%H:%M}"


def day(on: date, language: Language) -> str:
    """A calendar date with its year: `2023年12月31日`, `31 Dec 2023`."""
    return f"{on.year}年{on.month}月{on.day}日" if language == "zh-Hans" else f"{_day_month(on, language)} {on.year}"


def _day_month(on: date, language: Language) -> str:
    return f"{on.month}月{on.day}日" if language == "zh-Hans" else f"{on.day} {_MONTHS[on.month - 1]}"


def distance(metres: int | None, language: Language) -> str:
    """Between shown areas, so never finer than they are: the same one, or whole kilometres."""
    if metres is None:
        return ""
    return say(_SAME_AREA, language) if metres == 0 else say(_ABOUT, language, km=max(1, round(metres / 1000)))
