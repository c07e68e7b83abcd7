"""scripts/bench told: from a need that was accepted to the moment at which both sides are told of each other.

Nothing else happens meanwhile: one process serves and works, on a database of its own, and two neighbours at a time, out
of everybody else's reach, have what the other asks for.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from demo_city import City, Resident
from instance import Instance, running
from rich.console import Console
from rich.progress import Progress

from benching import machine
from tests import servers

ROOT: Final = Path(__file__).resolve().parents[2]
CONSENTS: Final = ("health_need", "precise_location", "real_name_check", "phone_masking", "publish_nearby", "notices")
GOAL_MS: Final = {"p50_ms": 150, "p99_ms": 500}
_SOUTH, _APART, _LNG = 22.8, 0.12, 108.37  # degrees: thirteen kilometres from pair to pair
_LOOKS_S: Final = 0.004  # between two looks of one side: what is measured is late by so much at most
_SETTLED_S: Final = 0.7  # the offer's own jobs are over
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Side:
    """A member who is signed in."""

    client: httpx2.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def told(self) -> int:
        return len(self.ask("GET", "/me/notices")["items"])


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("scripts/bench told", description="From a post to both told.")
    parser.add_argument("--pairs", type=int, default=100, help="on each database")
    parser.add_argument("--quick", action="store_true", help="two pairs, to see that all works; keeps no figures")
    given = parser.parse_args(words)
    begun = time.monotonic()
    pairs = 2 if given.quick else given.pairs
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, servers.postgres(durable=True) as server:
        for name, settings in (("SQLite", {}), ("PostgreSQL", {"DATABASE_URL": server})):
            with running(Path(folder) / name, settings=settings) as instance:
                figures[name] = _shares(_measured(instance, pairs, name))
    for name, found in figures.items():
        print(f"| {name} | {pairs} | " + " | ".join(f"{ms:.0f} ms" for ms in found.values()) + " |")
    if not given.quick:
        kept = {"name": "told", "seconds": round(time.monotonic() - begun, 1), "machine": machine.about(ROOT)}
        kept |= {"n": pairs, "goal": GOAL_MS, "figures": figures}
        file = ROOT / "docs" / "figures" / "bench-told.json"
        file.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(instance: Instance, pairs: int, label: str) -> list[float]:
    """Milliseconds, pair by pair."""
    city = City(1, {}, run=7)
    took: list[float] = []
    with Progress(console=Console(stderr=True)) as progress:
        for n in progress.track(range(pairs + 1), description=f"told: {label}"):
            giver, needer = (_joined(instance, city.resident(2 * n + side)) for side in (0, 1))
            took.append(_one(giver, needer, _SOUTH + n * _APART))
            for side in (giver, needer):
                side.client.close()
    return took[1:]  # with the first all is compiled


def _one(giver: Side, needer: Side, lat: float) -> float:
    place = {"lat": lat + random.uniform(-0.001, 0.001), "lng": _LNG, "crs": "wgs84"}
    line = {"item": "rice", "quantity": 4}
    giver.ask("POST", "/posts", {"kind": "offer", "lines": [line], "keeps_enough": True, "place": place})
    time.sleep(_SETTLED_S)
    before = giver.told(), needer.told()
    needer.ask("POST", "/posts", {"kind": "need", "lines": [line], "place": place})
    accepted_at = time.perf_counter()
    while not (giver.told() > before[0] and needer.told() > before[1]):
        if time.perf_counter() - accepted_at > _PATIENCE_S:
            raise TimeoutError("nobody was told")
        time.sleep(_LOOKS_S)
    return (time.perf_counter() - accepted_at) * 1_000


def _joined(instance: Instance, who: Resident) -> Side:
    client = httpx2.Client(base_url=f"{instance.url}/api/v1", timeout=20)
    side = Side(client)
    token = side.ask("POST", "/sessions", {"wechat_code": f"fake:t{who.phone[3:]}"})["token"]
    client.headers["authorization"] = f"Bearer {token}"
    side.ask("PUT", "/me/phone", {"wechat_phone_code": f"phone:{who.phone}"})
    for purpose in CONSENTS:
        side.ask("PUT", f"/me/consents/{purpose}")
    side.ask("POST", "/me/real-name", {"name": who.name, "id_number": who.identity})
    return side


def _shares(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1)}
