"""The small exact assignment against every assignment there is."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from mutualaid.matching.assigning import Edge, Tiers, assign, tiers

AMOUNTS = st.lists(st.integers(0, 3), min_size=1, max_size=3)


@st.composite
def grounds(draw: st.DrawFn) -> tuple[list[Edge], dict[str, int], dict[str, int]]:
    wanted = {f"n{k}": amount for k, amount in enumerate(draw(AMOUNTS))}
    given = {f"o{k}": amount for k, amount in enumerate(draw(AMOUNTS))}
    of_need = {line: (draw(st.booleans()), draw(st.integers(0, 3))) for line in wanted}
    pairs = draw(st.lists(st.sampled_from(list(product(wanted, given))), min_size=1, max_size=6, unique=True))
    return (
        [Edge(need, offer, *of_need[need], metres=draw(st.integers(0, 5))) for need, offer in pairs],
        wanted,
        given,
    )


def best_of_all(edges: list[Edge], wanted: dict[str, int], given: dict[str, int]) -> Tiers:
    by_pair = {(edge.need_line, edge.offer_line): edge for edge in edges}
    found = []
    for amounts in product(*(range(min(wanted[n], given[o]) + 1) for n, o in by_pair)):
        each = dict(zip(by_pair, amounts, strict=True))
        if fits(each, wanted, given):
            found.append(tiers(by_pair, each))
    return max(found, key=lambda tiers: tiers.worth)


def fits(amounts: dict[tuple[str, str], int], wanted: dict[str, int], given: dict[str, int]) -> bool:
    by_need = all(sum(a for (n, _), a in amounts.items() if n == line) <= most for line, most in wanted.items())
    return by_need and all(sum(a for (_, o), a in amounts.items() if o == line) <= most for line, most in given.items())


@settings(max_examples=300, deadline=None)
@given(grounds())
def test_no_assignment_is_better_than_the_one_that_is_found(
    ground: tuple[list[Edge], dict[str, int], dict[str, int]],
) -> None:
    edges, wanted, given = ground

    amounts = assign(edges, wanted, given)

    assert fits(amounts, wanted, given) and all(amount > 0 for amount in amounts.values())
    by_pair = {(edge.need_line, edge.offer_line): edge for edge in edges}
    assert tiers(by_pair, amounts) == best_of_all(edges, wanted, given)


def test_whoever_is_near_gives_way_where_that_serves_both() -> None:
    edges = [Edge("both", "near", False, 0, 1), Edge("both", "far", False, 0, 9), Edge("one", "near", False, 0, 5)]

    assert assign(edges, {"both": 4, "one": 4}, {"near": 4, "far": 4}) == {("both", "far"): 4, ("one", "near"): 4}


def test_an_urgent_need_comes_before_twice_as_much_for_others() -> None:
    edges = [Edge("urgent", "box", True, 0, 9_000), Edge("two", "box", False, 3, 0)]

    assert assign(edges, {"urgent": 1, "two": 2}, {"box": 2}) == {("urgent", "box"): 1, ("two", "box"): 1}


def test_of_two_alike_the_first_named_comes_first() -> None:
    edges = [Edge(need, "box", False, 0, 0) for need in ("second", "first")]

    assert assign(edges, {"first": 1, "second": 1}, {"box": 1}) == {("second", "box"): 1}


def test_of_two_alike_what_stands_stays_but_not_for_a_metre() -> None:
    stands = Edge("box", "second", False, 0, 5, stands=True)

    for metres, best in ((5, "second"), (4, "first")):
        edges = [Edge("box", "first", False, 0, metres), stands]
        assert assign(edges, {"box": 9}, {"first": 9, "second": 9}) == {("box", best): 9}
