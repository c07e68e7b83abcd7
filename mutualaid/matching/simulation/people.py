"""What people do when they are asked, and when nobody asks them: from the coins alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mutualaid.kit import cells
from mutualaid.kit.clock import SHANGHAI
from mutualaid.matching.simulation.city import City, Poster

_NINE_TENTHS: Final = 1.2815515655446004  # of a normal distribution lie below so many standard deviations


@dataclass(frozen=True, slots=True)
class People:
    """Everybody of a city."""

    city: City

    def declines(self, who: Poster, other: Poster) -> bool:
        """Whether this person would say no to that one, however often asked."""
        like = self.city.parameters
        base = like.need_declines if who.kind == "need" else like.offer_declines
        km = cells.between_m(who.cell, other.cell) / 1000
        return self.city.coins.falls(base + like.declines_a_km * km, "declines", who.id, other.id)

    def answers_after(self, who: Poster, other: Poster, turn: int) -> timedelta:
        """How long this person takes to answer, the `turn`th time that it is about that one."""
        like = self.city.parameters
        sigma = math.log(like.answer_p90_min / like.answer_median_min) / _NINE_TENTHS
        drawn = self.city.coins.normal("answers", who.id, other.id, turn)
        return timedelta(minutes=like.answer_median_min * math.exp(sigma * drawn))

    def comes(self, who: Poster, other: Poster) -> bool:
        return not self.city.coins.falls(self.city.parameters.no_show, "stays away", who.id, other.id)

    def meets_at(self, need: Poster, offer: Poster, agreed: datetime) -> datetime:
        """When the two meet: not while people sleep."""
        like = self.city.parameters
        hours = like.handover_median_h * math.exp(
            like.handover_sigma * self.city.coins.normal("meet", need.id, offer.id)
        )
        hours += cells.between_m(need.cell, offer.cell) / 1000 / like.travel_km_h
        at = (agreed + timedelta(hours=hours)).astimezone(SHANGHAI)
        if at.hour >= like.sleep_from:
            at += timedelta(days=1)
        if at.hour >= like.sleep_from or at.hour < like.sleep_to:
            at = at.replace(hour=like.sleep_to)
        return at

    def visits(self, who: Poster) -> Iterator[datetime]:
        """When this person looks through the plaza: on posting, and at any time since."""
        like = self.city.parameters
        a_day = like.need_visits_a_day if who.kind == "need" else like.offer_visits_a_day
        at, n = who.posted, 0
        while at < who.until:
            yield at
            n += 1
            at += timedelta(days=-math.log(self.city.coins.uniform("visit", who.id, n)) / a_day)

    def picks(self, who: Poster, other: Poster, visit: int) -> bool:
        """Whether a reader who comes to this row stays with it."""
        return self.city.coins.falls(self.city.parameters.picks, "picks", who.id, other.id, visit)
