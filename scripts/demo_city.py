"""The city of the demo: Nanning's districts, its people, what they write. Everything follows from one seed."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# neighbourhoods (WGS-84 lat, lng), spread in km, share of the city: real places, so that districts come out right
NEIGHBOURHOODS = (
    ((22.8170, 108.3665), 2.2, 26),  # 青秀区, 民族大道
    ((22.8040, 108.4010), 2.0, 14),  # 青秀区, 凤岭
    ((22.8370, 108.3690), 1.8, 13),  # 兴宁区, 朝阳
    ((22.8410, 108.3050), 2.2, 17),  # 西乡塘区, 大学路
    ((22.7830, 108.3160), 2.0, 12),  # 江南区
    ((22.7560, 108.3330), 1.8, 9),  # 良庆区, 五象
    ((22.7570, 108.4830), 1.6, 5),  # 邕宁区
    ((23.1590, 108.2750), 1.6, 4),  # 武鸣区
)
FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林韦覃农蒙陆莫潘"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉红建国志强美玲"
NEED_NOTES = (
    "家里老人发烧到38.5度，药店都买不到，万分感谢。",
    "孩子三岁，昨晚开始发烧，求一瓶混悬液。",
    "自己阳了第二天，浑身疼，只要几粒就够。",
    "一家四口都在发烧，能分一点是一点。",
    "刚做完手术不能出门，麻烦放在小区门口。",
    "夜班刚回来，晚上十点以后都在家。",
    "已经喝了两天热水了，还是退不下来。",
    "租房在附近，没有囤药，好了以后一定还。",
    "",
)
OFFER_NOTES = (
    "家里多买了一盒，有需要的邻居拿去。",
    "已经阳康，剩下的用不上了。",
    "未拆封，小区门口自取，不用给钱。",
    "可以送到附近三公里内。",
    "单位发的，分给更需要的人。",
    "",
)
HOSTILE_NOTES = (
    "一盒100元，先付款再发货，微信 yaofang_888",
    "加V信 abc_12345 价格好说",
    "打我电话 一三八零零一三八零零零",
)
MEDICINE_SHARE = (
    ("ibuprofen", 22),
    ("paracetamol-tablet", 16),
    ("ibuprofen-suspension", 10),
    ("antigen-test", 14),
    ("lianhua-qingwen", 8),
    ("paracetamol-suspension", 6),
    ("mask-n95", 6),
    ("acetylcysteine", 4),
    ("ors", 4),
    ("thermometer", 4),
    ("fever-patch", 4),
    ("loratadine", 2),
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass
class Resident:
    """One member: who they are, where they live, and what they hold in the running instance."""

    number: int
    name: str
    phone: str
    identity: str
    home: tuple[float, float]
    token: str = field(default="", repr=False)
    posts: list[dict[str, Any]] = field(default_factory=list, repr=False)


class City:
    """People and drafts, drawn from one seed."""

    def __init__(self, seed: int, items: dict[str, dict[str, Any]], run: int, short: float = 0) -> None:
        self.random = random.Random(seed)
        self._items = items
        self._run = run
        self._short = short
        self.last_until = datetime.now(UTC)
        """When the last of the short posts runs out."""

    def resident(self, number: int) -> Resident:
        name = self.random.choice(FAMILY) + "".join(self.random.sample(GIVEN, self.random.choice((1, 2))))
        phone = f"+86139{(self._run * 10_000 + number) % 100_000_000:08d}"
        return Resident(number, name, phone, self._identity(number), self._home())

    def _identity(self, number: int) -> str:
        """A well-formed synthetic identity number (GB 11643): an adult, the check digit computed."""
        born = datetime(1950, 1, 1) + timedelta(days=self.random.randrange(18_000))
        digits = f"4501{self.random.choice(('02', '03', '05', '07', '08'))}{born:%Y%m%d}{number % 1000:03d}"
        return digits + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11]

    def _home(self) -> tuple[float, float]:
        (lat, lng), spread_km, _ = self.random.choices(NEIGHBOURHOODS, weights=[n[2] for n in NEIGHBOURHOODS])[0]
        degrees = spread_km / 111.2 / 1.5
        return round(self.random.gauss(lat, degrees), 6), round(self.random.gauss(lng, degrees), 6)

    def draft(self, kind: str, who: Resident, now: datetime) -> dict[str, Any]:
        """A need or an offer as somebody would write it."""
        code = self.random.choices([c for c, _ in MEDICINE_SHARE], weights=[w for _, w in MEDICINE_SHARE])[0]
        item = self._items[code]
        line: dict[str, Any] = {"item": code, "quantity": self.random.randint(1, item[f"{kind}_max"])}
        notes: tuple[str, ...] = NEED_NOTES
        draft: dict[str, Any] = {
            "kind": kind,
            "place": {"lat": who.home[0], "lng": who.home[1], "crs": "wgs84"},
            "reach_km": self.random.choice((3, 5, 10, 10, 20)),
            "handover": self.random.choice((["pickup"], ["pickup", "delivery"])),
        }
        if kind == "offer":
            notes = OFFER_NOTES
            expires_on = f"{now.year + 1}-{self.random.randint(1, 12):02d}-28"
            line |= {"expires_on": expires_on} if item["expiry_required"] else {}
            line |= {"sealed": True} if item["sealed_required"] else {}
            draft |= {"keeps_enough": True, "contact": self.random.choice(("matches", "matches", "anyone"))}
        draft |= {"lines": [line], "note": self.random.choice(notes)}
        if self.random.random() < 0.02:
            draft["note"] = self.random.choice(HOSTILE_NOTES)
        if self.random.random() < self._short:  # some are over before the demo is
            until = now.astimezone(UTC) + timedelta(seconds=self.random.randint(45, 90))
            self.last_until = max(self.last_until, until)
            draft["until"] = until.isoformat()
        return draft
