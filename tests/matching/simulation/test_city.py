from dataclasses import replace

from mutualaid.matching import rules
from mutualaid.matching.simulation.city import START, draw
from mutualaid.matching.simulation.coins import Coins
from mutualaid.matching.simulation.parameters import Parameters
from mutualaid.matching.simulation.people import People

SMALL = Parameters(days=2, needs_a_day=40)


def test_the_same_seed_draws_the_same_city_and_another_seed_another() -> None:
    assert draw(7, SMALL).posters == draw(7, SMALL).posters
    assert draw(7, SMALL).posters != draw(8, SMALL).posters


def test_there_are_four_needs_to_an_offer_and_nobody_asks_for_more_than_the_catalogue_allows() -> None:
    city = draw(7, SMALL)

    assert (len(city.of("need")), len(city.of("offer"))) == (80, 20)
    for each in city.posters:
        item = city.catalogue.get(each.item)
        assert item is not None and item.listable
        assert 1 <= each.quantity <= item.most(each.kind)
        assert START <= each.posted < each.until


def test_more_of_a_city_leaves_those_who_were_there_as_they_were() -> None:
    few, many = draw(7, SMALL), draw(7, replace(SMALL, needs_a_day=60))

    assert set(few.posters) <= set(many.posters)


def test_coins_fall_as_often_as_they_should_and_never_ask_who_asked_before() -> None:
    coins = Coins(3)
    falls = [coins.falls(0.15, "declines", n) for n in range(4_000)]

    assert 0.13 < sum(falls) / len(falls) < 0.17
    assert falls[17] == coins.falls(0.15, "declines", 17) == Coins(3).falls(0.15, "declines", 17)
    assert abs(sum(coins.normal(n) for n in range(4_000)) / 4_000) < 0.05


def test_nine_in_ten_answer_within_a_day_and_half_within_the_median() -> None:
    city = draw(7, SMALL)
    need, offer = city.of("need")[0], city.of("offer")[0]
    people = People(city)
    minutes = sorted(people.answers_after(offer, need, turn).total_seconds() / 60 for turn in range(2_000))

    assert 40 < minutes[1_000] < 55
    assert 1_100 < minutes[1_800] < 1_900


def test_nobody_meets_at_night() -> None:
    city = draw(7, SMALL)
    people = People(city)
    met = [people.meets_at(need, offer, need.posted) for need in city.of("need") for offer in city.of("offer")]

    assert all(7 <= at.hour < 23 for at in met)
    assert all(
        at > need.posted for need in city.of("need") for at in [people.meets_at(need, city.of("offer")[0], need.posted)]
    )


def test_the_windows_of_proposals_are_those_of_the_rules() -> None:
    city = draw(7, SMALL)
    need, offer = next(each for each in city.of("need") if each.urgent), city.of("offer")[0]
    stands = rules.stands_until(need, offer, now=need.posted) - need.posted

    assert stands.total_seconds() <= 2 * 3600
