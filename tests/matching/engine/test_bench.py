"""What `scripts/bench matching` measures is there, small, and right."""

import pytest
from benching import report, sweeps
from benching.markets import MARKETS, draw
from benching.report import Figure


@pytest.mark.parametrize("name", MARKETS)
def test_every_market_is_swept_with_proof_and_the_others_find_the_same(name: str) -> None:
    whole = sweeps.whole(name, 400, seed=1, rounds=1, processes=1)
    others = sweeps.beside(name, 400, seed=1, rounds=1)

    assert whole["certified"]
    assert whole["quantity"] > 50
    assert {who: values["same"] for who, values in others.items() if "greedy" not in who} == {
        "pylmcf, one network": True,
        "ortools, one network": True,
        "scipy (HiGHS), one network": True,
        "networkx, one network": True,
    }
    assert 0.8 < others["greedy, nearest first"]["share"] <= 1


def test_posts_that_come_one_by_one_regain_what_a_sweep_would() -> None:
    found = sweeps.arrivals("spread", 800, seed=1, come=60)

    assert min(found["regained"]) > 0.99
    assert abs(found["drift_metres"]) < 0.001


def test_a_market_is_drawn_alike_from_the_same_seed() -> None:
    assert draw("hot", 300, 5).needs.lat.tolist() == draw("hot", 300, 5).needs.lat.tolist()
    assert draw("hot", 300, 5).needs.lat.tolist() != draw("hot", 300, 6).needs.lat.tolist()


def test_its_figures_are_told_in_tables() -> None:
    whole = sweeps.whole("spread", 300, seed=1, rounds=1, processes=1)
    table = report.tables([Figure("sweep", "spread", 300, "whole sweep", "1 process", whole)])

    assert "× graph" in table
    assert "certified, share 1.000" in table
