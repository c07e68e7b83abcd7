"""From what is proposed to what is best: what changes together, and when it is worth it."""

from mutualaid.matching.assigning import Edge
from mutualaid.matching.moving import Pair, Shares, few_givers, moves
from mutualaid.matching.rules import Share


def shares(**quantities: int) -> dict[Pair, Shares]:
    """`n1_o2=4`: so much of the only line of o2 for the only line of n1."""
    found: dict[Pair, Shares] = {}
    for name, quantity in quantities.items():
        need, offer = name.split("_")
        found[need, offer] = (Share(f"{need}l", f"{offer}l", "rice", quantity),)
    return found


def edges(**metres: int) -> dict[tuple[str, str], Edge]:
    found = {}
    for name, way in metres.items():
        need, offer = (f"{post}l" for post in name.split("_"))
        found[need, offer] = Edge(need, offer, False, 0, way)
    return found


def test_more_for_all_moves_what_hangs_together_and_nothing_else() -> None:
    current = shares(n1_o1=4, n8_o8=2)
    planned = shares(n1_o2=4, n2_o1=4, n8_o8=2)

    [move] = moves(current, planned, edges(n1_o1=0, n1_o2=9_000, n2_o1=9_000, n8_o8=0))

    assert (move.withdrawn, list(move.made), move.altered) == ([("n1", "o1")], [("n1", "o2"), ("n2", "o1")], {})
    assert move.posts == {"n1", "n2", "o1", "o2"}


def test_for_the_way_alone_only_a_good_deal_shorter_is_worth_it() -> None:
    current, planned = shares(n1_o1=4), shares(n1_o2=4)

    assert moves(current, planned, edges(n1_o1=1_000, n1_o2=800)) == []
    assert len(moves(current, planned, edges(n1_o1=1_000, n1_o2=700))) == 1
    assert moves(current, {}, edges(n1_o1=0)) == []  # a plan that does not know better takes nothing away


def test_what_the_rules_no_longer_allow_is_withdrawn_and_an_amount_altered_in_place() -> None:
    [gone] = moves(shares(n1_o1=4), {}, {})
    [more] = moves(shares(n1_o1=2), shares(n1_o1=4), edges(n1_o1=0))

    assert gone.withdrawn == [("n1", "o1")]
    assert (more.withdrawn, more.made, more.altered) == ([], {}, shares(n1_o1=4))


def test_a_need_is_proposed_to_five_the_largest_first_and_what_stands_before_what_is_new() -> None:
    planned = shares(n1_o1=1, n1_o2=1, n1_o3=3, n1_o4=1, n1_o5=1, n1_o6=1)

    kept = few_givers(planned, {"n1": 2}, standing={("n1", "o6")})

    assert list(kept) == [("n1", "o3"), ("n1", "o6"), ("n1", "o1")]
