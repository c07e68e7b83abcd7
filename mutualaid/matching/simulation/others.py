"""What ours is compared with: the nearest first, and nobody but the people themselves."""

from mutualaid.matching.rules import PROPOSALS_A_NEED
from mutualaid.matching.simulation.city import Poster
from mutualaid.matching.simulation.house import OPEN, House


class Greedy:
    """A post takes its nearest counterparts as long as both have something free. What is proposed is never moved."""

    reads_plaza = False

    def look(self, house: House, who: Poster) -> None:
        for other in house.counterparts(who):
            if house.free[who.id] <= 0:
                return
            need, offer = (who, other) if who.kind == "need" else (other, who)
            if house.free[other.id] > 0 and _open(house, need) < PROPOSALS_A_NEED:
                quantity = house.possible(need, offer)
                if quantity > 0:
                    house.propose(need, offer, quantity)

    def sweep(self, house: House) -> None:
        for need in [each for each in house.open.values() if each.kind == "need"]:
            self.look(house, need)

    def visit(self, house: House, who: Poster, number: int) -> None:
        """Nobody does."""


class Plaza:
    """People look through the list of the nearest and pick for themselves."""

    reads_plaza = True

    def look(self, house: House, who: Poster) -> None:
        """Nobody is told."""

    def sweep(self, house: House) -> None:
        """Nothing is swept."""

    def visit(self, house: House, who: Poster, number: int) -> None:
        if who.id not in house.open or house.free[who.id] <= 0 or _waits(house, who):
            return
        rows = 0
        for other in house.counterparts(who):
            need, offer = (who, other) if who.kind == "need" else (other, who)
            quantity = house.possible(need, offer) if house.free[other.id] > 0 else 0
            if quantity <= 0:
                continue
            rows += 1
            if not house.people.declines(who, other) and house.people.picks(who, other, number):
                house.propose(need, offer, quantity, by=who.kind)
                return
            if rows == house.city.parameters.listed:
                return


def _open(house: House, need: Poster) -> int:
    return sum(match.state in OPEN for match in house.of_post[need.id].values())


def _waits(house: House, who: Poster) -> bool:
    """Whether this one has picked somebody who has not answered yet."""
    return any(match.state in OPEN and who.kind in match.accepted for match in house.of_post[who.id].values())
