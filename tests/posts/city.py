"""A generated city: some hundred posts in a few districts, and what a reader of the plaza must see of them, by brute force.

Nothing of the plaza's own code is used here: the distance is geopy's, between the centres that H3 gives.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import h3
from geopy.distance import great_circle
from sqlalchemy.ext.asyncio import AsyncSession

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.members.records import Member
from mutualaid.posts import word_store
from mutualaid.posts.records import Post, PostLine
from tests.catalogue.sheets import packaged_items
from tests.moments import START

GROUPS = {
    "ibuprofen": "发热",
    "paracetamol-tablet": "发热",
    "ors": "腹泻",
    "mask-n95": "防护",
    "gloves": "防护",
    "oximeter": "器具",
}
DISTRICTS = ("450102", "450103", "450105", "450107", "450202", "440103")
MIDDLE = (22.82, 108.37)
SPREAD = 0.12  # degrees: some 12 km each way
CATALOGUE = Catalogue(1, tuple(packaged_items()))
NOTED = (
    "三天没退烧了",
    "家里有老人",
    "孩子发烧39度",
    "急需布洛芬",
    "KN95口罩可换",
    "送到楼下",
    "Thank you!",
    "药",
    "谢谢",
)
ASKED = (
    *(
        "口罩",
        "退烧",
        "老人",
        "n95",
        "ＫＮ９５",
        "THANK",
        "楼下%",
        "没退烧",
        "发烧 谢谢",
        "口罩 布洛",
        "老人 急需布洛芬",
    ),
    *("39度", "药 谢谢", "Ibuprofen", "人孩", "不存在", "oximeter 发烧"),
)


@dataclass(frozen=True)
class Neighbour:
    id: str
    status: str
    real_name: str


@dataclass(frozen=True)
class Lot:
    """One generated post: `lines` are (item, quantity, remaining, held)."""

    id: str
    author: Neighbour
    kind: str
    state: str
    cell: str
    region: str
    urgency: str
    created_at: datetime
    until: datetime
    note: str
    lines: tuple[tuple[str, int, int, int], ...]

    def says(self, words: set[str]) -> bool:
        items = [CATALOGUE.get(item) for item, *_ in self.lines]
        names = [name for item in items if item for name in (item.name, item.name_en)]
        return words <= set().union(*map(pieces, [self.note, *names]))

    def holds(self, items: Iterable[str]) -> bool:
        return any(item in items and remaining > held for item, _, remaining, held in self.lines)


@dataclass(frozen=True)
class Question:
    """What a reader asks, as the contract words it."""

    sort: str
    near: tuple[float, float] | None = None
    within_km: float | None = None
    kind: str | None = None
    item: str | None = None
    group: str | None = None
    region: str | None = None
    real_name: bool | None = None
    q: str | None = None

    def parameters(self) -> dict[str, str]:
        """As a query string would say it."""
        near = f"{self.near[0]:.6f},{self.near[1]:.6f}" if self.near else None
        flag = {True: "true", False: "false", None: None}[self.real_name]
        said: dict[str, Any] = {**vars(self), "near": near, "real_name": flag}
        return {name: str(value) for name, value in said.items() if value is not None}


def generate(random: Random, posts: int = 400) -> list[Lot]:
    """Posts with every reason to be left out, equal moments, equal distances, and cells of three sizes."""
    neighbours = [
        Neighbour(_id(random), random.choice(["active"] * 9 + ["suspended"]), random.choice(["none", "checked", "vouched"]))
        for _ in range(40)
    ]  # fmt: skip
    fine = [h3.latlng_to_cell(*somewhere(random), 8) for _ in range(90)]
    # The parent's centre is that of its middle child: two cells at exactly the same distance from everybody.
    coarse = [h3.cell_to_parent(cell, random.choice([6, 7])) for cell in fine[:20]]
    cells = [*fine, *coarse, *(h3.cell_to_center_child(cell, 8) for cell in coarse)]
    return [_lot(random, neighbours, cells) for _ in range(posts)]


def _lot(random: Random, neighbours: Sequence[Neighbour], cells: Sequence[str]) -> Lot:
    author = random.choice(neighbours)
    return Lot(
        id=_id(random),
        author=author,
        kind=random.choice(["need", "offer"]),
        state=random.choice(["open"] * 9 + ["hidden", "resolved", "withdrawn", "expired", "closed"]),
        cell=random.choice(cells),
        region=random.choice(DISTRICTS),
        urgency=random.choice(["normal", "normal", "urgent"]),
        # many share a microsecond, many lie one apart
        created_at=START - timedelta(hours=random.randint(0, 5), microseconds=random.randint(0, 3)),
        until=START + timedelta(seconds=random.choice([-1, 0, *[3600] * 12])),
        note=random.choice(["", " ", ","]).join(random.sample(NOTED, random.randint(0, 4))),
        lines=tuple(_line(random, item) for item in random.sample(sorted(GROUPS), random.randint(1, 3))),
    )


def _line(random: Random, item: str) -> tuple[str, int, int, int]:
    remaining = random.randint(0, 3)
    return item, 3, remaining, random.choice([0, remaining, random.randint(0, remaining)])


def _id(random: Random) -> str:
    return f"63b8b800{random.getrandbits(128):032x}"


def somewhere(random: Random) -> tuple[float, float]:
    """A point in the city."""
    return tuple(middle + random.uniform(-SPREAD, SPREAD) for middle in MIDDLE)  # type: ignore[return-value] # two of them


def ask(random: Random) -> Question:
    """A question with any mixture of filters."""

    def sometimes(*options: Any, often: float = 0.2) -> Any:
        return random.choice(options) if random.random() < often else None

    sort = random.choice(["distance", "distance", "newest", "urgent"])
    near = somewhere(random) if sort == "distance" or random.random() < 0.5 else None
    return Question(
        sort=sort,
        near=near,
        within_km=sometimes(0.5, 1.3, 3.0, 8.0) if near else None,
        kind=sometimes("need", "offer"),
        item=sometimes(*sorted(GROUPS)),
        group=sometimes(*sorted(set(GROUPS.values()))),
        region=sometimes(*DISTRICTS, "450000", "450100", "440000"),
        real_name=sometimes(True, False),
        q=sometimes(*ASKED, often=0.4),
    )


def pieces(text: str) -> set[str]:
    """Two neighbouring Han characters, one that stands alone, whole words of other letters and digits."""
    runs: list[tuple[bool, str]] = []
    last: bool | None = None
    for character in unicodedata.normalize("NFKC", text).lower():
        han = "\u4e00" <= character <= "\u9fff" if character.isalnum() else None
        if han is not None and han == last:
            runs[-1] = (han, runs[-1][1] + character)
        elif han is not None:
            runs.append((han, character))
        last = han
    return {
        piece for han, run in runs for piece in ([run] if len(run) == 1 or not han else map("".join, pairwise(run)))
    }


@cache
def metres(a: str, b: str) -> int:
    """Between the centres of two cells."""
    if a == b:
        return 0
    near, far = sorted((round(lat, 9), round(lng, 9)) for lat, lng in map(h3.cell_to_latlng, (a, b)))
    return round(float(great_circle(near, far).meters))


def brute_force(city: Iterable[Lot], question: Question, now: datetime) -> list[tuple[int | None, str]]:
    """(distance in metres where one was asked for, id) of all that the question finds, in its order."""
    wanted = {item for item, group in GROUPS.items() if question.group in (None, group)}
    wanted &= {question.item} if question.item else wanted
    prefix = (question.region or "").removesuffix("00").removesuffix("00")
    viewer = h3.latlng_to_cell(*question.near, 8) if question.near else None
    found = [
        (metres(viewer, lot.cell) if viewer else None, lot)
        for lot in city
        if lot.state == "open"
        and lot.until > now
        and lot.author.status == "active"
        and lot.holds(wanted)
        and question.kind in (None, lot.kind)
        and lot.region.startswith(prefix)
        and question.real_name in (None, lot.author.real_name != "none")
        and (question.q is None or lot.says(pieces(question.q)))
    ]
    if question.within_km is not None:
        within = Decimal(str(question.within_km)) * 1000  # 4.068 as a float is a little less than 4,068 metres
        found = [(m, lot) for m, lot in found if m is not None and m <= within]
    found.sort(key=lambda one: one[1].id)
    found.sort(key=lambda one: one[1].created_at, reverse=True)
    if question.sort == "distance":
        found.sort(key=lambda one: one[0] or 0)
    elif question.sort == "urgent":
        found.sort(key=lambda one: one[1].urgency != "urgent")
    return [(m, lot.id) for m, lot in found]


async def settle(session: AsyncSession, city: Iterable[Lot]) -> None:
    """Write the city's rows."""
    lots = list(city)
    for neighbour in {lot.author.id: lot.author for lot in lots}.values():
        if await session.get(Member, neighbour.id) is None:
            session.add(
                Member(
                    id=neighbour.id,
                    status=neighbour.status,
                    language="zh-Hans",
                    display_name="邻居",
                    real_name=neighbour.real_name,
                    created_at=START,
                )
            )
    await session.flush()
    posts = [_post(lot) for lot in lots]
    session.add_all(posts)
    await session.flush()
    half = len(posts) // 2
    for post in posts[:half]:
        await word_store.write(session, post)
    await word_store.sort(session, most=half)
    for post in posts[half:]:
        await word_store.write(session, post)


def _post(lot: Lot) -> Post:
    return Post(
        id=lot.id,
        author_id=lot.author.id,
        kind=lot.kind,
        state=lot.state,
        cell=lot.cell,
        region=lot.region,
        urgency=lot.urgency,
        reach_km=10,
        handover=["pickup"],
        contact="anyone",
        for_other=False,
        keeps_enough=False,
        available=[],
        note=lot.note,
        scrubbed=False,
        created_at=lot.created_at,
        confirmed_at=lot.created_at,
        until=lot.until,
        lines=[
            PostLine(
                id=f"{n:x}{lot.id[1:]}",
                position=n,
                item=item,
                quantity=quantity,
                remaining=remaining,
                held=held,
                sealed=False,
                substitutes=False,
            )
            for n, (item, quantity, remaining, held) in enumerate(lot.lines)
        ],
    )
