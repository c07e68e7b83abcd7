"""The demo's way to the API: it asks, counts refusals, and remembers how long each kind of call took."""

import time
from collections import Counter, defaultdict
from typing import Any

import httpx2
from demo_city import Resident

AT_ONCE = 12
API = "/api/v1"


class Refused(Exception):
    """An answer that the demo did not expect."""


class Client:
    """Asks the API and remembers how long each kind of call took."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=30, limits=httpx2.Limits(max_connections=AT_ONCE))
        self.took: dict[str, list[float]] = defaultdict(list)
        self.refusals: Counter[str] = Counter()

    async def ask(self, name: str, method: str, path: str, who: Resident | None = None, body: Any = None) -> Any:
        """The answer's JSON; None for an expected refusal (counted by its code)."""
        headers = {"authorization": f"Bearer {who.token}"} if who else {}
        began = time.perf_counter()
        answer = await self._http.request(
            method, path if path.startswith("/healthz") else API + path, json=body, headers=headers
        )
        self.took[name].append(time.perf_counter() - began)
        if answer.status_code >= 500 and answer.status_code != 503:
            raise Refused(f"{method} {path}: {answer.status_code}")
        if answer.status_code >= 400:
            self.refusals[answer.json()["code"]] += 1
            return None
        return answer.json() if answer.content else {}

    async def jobs_due(self) -> int:
        """How many jobs the instance has still to do."""
        lines = (await self._http.get("/metrics")).text.splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith("mutualaid_jobs_due "))

    async def all_of(self, name: str, path: str, who: Resident | None = None) -> list[Any]:
        """Every page of one's own list."""
        found: list[Any] = []
        cursor = ""
        while (page := await self.ask(name, "GET", f"{path}?limit=50{cursor}", who)) is not None:
            found += page["items"]
            if not page["next_cursor"]:
                break
            cursor = f"&cursor={page['next_cursor']}"
        return found

    async def close(self) -> None:
        await self._http.aclose()
