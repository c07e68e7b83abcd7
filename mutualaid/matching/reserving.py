"""What a match counts for on the lines of its two posts. The caller holds the locks of both.

What the house proposes is kept on both lines until it is answered, so that whoever says yes gets it; what was agreed on is
held. A pledge keeps nothing before both have agreed, however many there are of it: a stranger's wish binds nobody's box.
One that takes over a proposal goes on keeping what it can.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from mutualaid.matching.records import OPEN, MatchLine
from mutualaid.matching.store import Pair
from mutualaid.posts.records import PostLine


def lines_of(pair: Pair) -> Iterator[tuple[MatchLine, PostLine, PostLine]]:
    """(line of the match, line of the need, line of the offer). Lines of posts are never taken away."""
    lines = {line.id: line for post in (pair.need, pair.offer) for line in post.lines}
    for line in pair.match.lines:
        yield line, lines[line.need_line_id], lines[line.offer_line_id]


def amounts(lines: Sequence[MatchLine]) -> Counter[str]:
    """Line of a post → how much of it these lines of a match name."""
    found: Counter[str] = Counter()
    for line in lines:
        found[line.need_line_id] += line.quantity
        found[line.offer_line_id] += line.quantity
    return found


def keep(pair: Pair) -> None:
    """Keep a proposal's amounts. 409 `quantity_gone`, and nothing is to be committed, where they are not there."""
    for line, wanted, given in lines_of(pair):
        wanted.propose(line.quantity)
        given.propose(line.quantity)


def let_go(pair: Pair) -> None:
    """Give back whatever this live match keeps or holds; called before its state changes."""
    match = pair.match
    for line, wanted, given in lines_of(pair):
        for each in (wanted, given):
            if match.state == "agreed":
                each.free_up(line.quantity)
            elif match.reserved and match.state in OPEN:
                each.take_back(line.quantity)


def hold(pair: Pair) -> None:
    """Both have agreed, and what was kept was given back: hold it. 409 `quantity_gone` where it is not there."""
    for line, wanted, given in lines_of(pair):
        wanted.hold(line.quantity)
        given.hold(line.quantity)


def fits(pair: Pair, lines: Sequence[MatchLine]) -> bool:
    """Whether these amounts are there beside everything that is kept or held for others."""
    there = {line.id: line.spare for post in (pair.need, pair.offer) for line in post.lines}
    return all(amount <= there[line_id] for line_id, amount in amounts(lines).items())
