"""A sweep, thought through: the market read, the engine run, its plan compared with what is proposed. It only reads.

In a process of its own (`python -m mutualaid.matching.planning`) where members are served: the question comes as one line
of JSON on stdin, the answer goes as one to stdout, and the solver's libraries and memory go with the process.
"""

import asyncio
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit.database import Database
from mutualaid.kit.ring import KeyRing
from mutualaid.matching.ground import Pair, Proposal
from mutualaid.matching.moving import Move, Shares
from mutualaid.matching.rules import Share


@dataclass(slots=True)
class Planned:
    """What to change, the proposals that this is about, and how it was found: numbers and reasons, nobody's name."""

    moves: list[Move]
    current: dict[Pair, Proposal]
    report: dict[str, Any] = field(default_factory=dict)


async def plan(
    database: Database,
    catalogue: Catalogue,
    codes: Collection[str] | None,
    *,
    now: datetime,
) -> Planned:
    """What the engine would change in the market of these items (None: of all)."""
    from mutualaid.matching import compared  # it loads the engine
    from mutualaid.matching import market as markets

    async with database.reading() as session:
        market = await markets.read(session, catalogue.items, codes, now=now)
    return await asyncio.to_thread(compared.sweep, market, catalogue)


# ---- there and back ----------------------------------------------------------------------------------------------


def written(planned: Planned) -> bytes:
    """As one line."""
    return orjson.dumps(
        {
            "moves": [
                {
                    "withdrawn": move.withdrawn,
                    "altered": _listed(move.altered),
                    "made": _listed(move.made),
                }
                for move in planned.moves
            ],
            "current": [
                [*pair, each.match_id, _shares(each.shares)]
                for move in planned.moves
                for pair in (*move.withdrawn, *move.altered)
                for each in (planned.current[pair],)
            ],
            "report": planned.report,
        }
    )


def _listed(shares: Mapping[Pair, Shares]) -> list[Any]:
    return [[*pair, _shares(each)] for pair, each in shares.items()]


def _shares(shares: Shares) -> list[Any]:
    return [[share.need_line, share.offer_line, share.item, share.quantity] for share in shares]


def understood(line: bytes) -> Planned:
    """What `written` wrote."""
    said = orjson.loads(line)

    def of(listed: list[Any]) -> dict[Pair, Shares]:
        return {(need, offer): tuple(Share(*share) for share in shares) for need, offer, shares in listed}

    moves = [
        Move([(need, offer) for need, offer in each["withdrawn"]], of(each["altered"]), of(each["made"]))
        for each in said["moves"]
    ]
    current = {
        (need, offer): Proposal(match_id, tuple(Share(*share) for share in shares))
        for need, offer, match_id, shares in said["current"]
    }
    return Planned(moves, current, said["report"])


async def _answer(asked: dict[str, Any]) -> Planned:
    database = Database(asked["database_url"], KeyRing.open(Path(asked["keys_dir"])))
    try:
        catalogue = await snapshot.current(database)
        return await plan(database, catalogue, asked["codes"], now=datetime.fromisoformat(asked["now"]))
    finally:
        await database.close()


def main() -> None:
    """One question, one answer."""
    sys.stdout.buffer.write(written(asyncio.run(_answer(orjson.loads(sys.stdin.buffer.read())))))


if __name__ == "__main__":
    main()
