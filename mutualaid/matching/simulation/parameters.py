"""What the simulated city is like. Each figure's source, or that it is an assumption, stands in docs/matching.md.

Written down before any policy was run, and not changed since to please one.
"""

from dataclasses import dataclass
from typing import Final

# Posts by the hour of the day (0 to 23, local time), in parts: least towards morning, most before noon and late.
BY_HOUR: Final = (5, 3, 2, 1, 1, 1, 2, 4, 6, 7, 8, 9, 8, 7, 7, 7, 7, 7, 7, 8, 8, 9, 9, 9)

# What is asked for and offered, in parts.
ITEMS: Final = {
    "ibuprofen": 30,
    "paracetamol-tablet": 25,
    "ibuprofen-suspension": 15,
    "antigen-test": 15,
    "lianhua-qingwen": 10,
    "mask-n95": 5,
}

REACH_KM: Final = {1: 10, 3: 30, 5: 40, 10: 20}  # in parts


@dataclass(frozen=True, slots=True)
class Parameters:
    """A city and its people. Shares and chances are between 0 and 1."""

    days: int = 4
    needs_a_day: int = 120
    needs_an_offer: int = 4  # needs : offers

    # where people live
    centre: tuple[float, float] = (22.8170, 108.3665)
    quarters: int = 12
    quarters_within_km: float = 6.0
    quarter_km: float = 1.2  # standard deviation of homes round the middle of their quarter

    # what they post
    urgent: float = 0.20
    short_lived: float = 0.30  # of needs stand a day; all other posts stand as long as the house lets them by default
    families_a_box: int = 3  # the most that an offer holds is what so many needs may ask for
    soon_expired: float = 0.15  # of packs are good for 4 to 10 days only
    delivery: float = 0.30
    courier: float = 0.50

    # how they answer
    answer_median_min: float = 47.0
    answer_p90_min: float = 24 * 60.0
    need_declines: float = 0.10
    offer_declines: float = 0.15
    declines_a_km: float = 0.02  # more, on either side
    no_show: float = 0.08  # of each side

    # how they meet
    handover_median_h: float = 1.5
    handover_sigma: float = 0.6
    travel_km_h: float = 15.0
    sleep_from: int = 23
    sleep_to: int = 7

    # how they look through the plaza
    need_visits_a_day: float = 4.0
    offer_visits_a_day: float = 2.0
    listed: int = 20  # the nearest
    picks: float = 0.5  # the chance that a reader stays with a row, and else reads on
