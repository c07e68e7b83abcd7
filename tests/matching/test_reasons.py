"""Why a match, in words."""

from datetime import date, timedelta

from mutualaid.matching.reasons import Given, reasons
from mutualaid.posts.rules import Window
from tests.moments import START

TABLETS = Given("Ibuprofen", "粒", 4, 6, date(2024, 3, 31), None)


def test_the_same_cell_is_a_neighbourhood_and_never_a_number() -> None:
    said = reasons([TABLETS], distance_m=0, meeting=None, reader="need", language="en")

    assert said == ["same neighbourhood", "has 4 of your 6: Ibuprofen", "expires 2024-03"]


def test_each_side_hears_it_from_its_own_end() -> None:
    said = reasons([TABLETS], distance_m=3249, meeting=None, reader="offer", language="en")

    assert said[:2] == ["about 3.2 km away", "you can give 4 of 6: Ibuprofen"]


def test_a_substitute_and_the_hours_in_shanghai_are_told() -> None:
    instead = Given("Brand B", "盒", 1, 1, None, "Brand A")
    evening = Window(START, START + timedelta(hours=3))
    night = Window(START, START + timedelta(hours=6))

    assert reasons([instead], distance_m=0, meeting=evening, reader="need", language="en")[2:] == [
        "instead of Brand A",
        "both there 01-07 20:00 to 23:00",
    ]
    assert reasons([instead], distance_m=0, meeting=night, reader="need", language="en")[-1].endswith("01-08 02:00")


def test_the_same_sentence_is_said_once() -> None:
    said = reasons([TABLETS, TABLETS], distance_m=0, meeting=None, reader="need", language="en")

    assert len(said) == 3
