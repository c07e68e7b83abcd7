"""The demo's last word: what came of it, how quick it was, who can sign in."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from demo_city import Resident
from demo_client import Client
from rich.console import Console
from rich.table import Table

ENDED = ("resolved", "withdrawn", "expired", "closed")


@dataclass
class Seen:
    """What the members can see of their own, by id."""

    posts: dict[str, Any] = field(default_factory=dict)
    matches: dict[str, Any] = field(default_factory=dict)
    contacts: dict[str, Any] = field(default_factory=dict)

    async def collect(self, client: Client, who: Resident) -> None:
        """Add all that this member holds."""
        for kept, what in ((self.posts, "posts"), (self.matches, "matches"), (self.contacts, "contacts")):
            for thing in await client.all_of(f"my {what}", f"/me/{what}", who):
                kept[thing["id"]] = thing


def over_allotted(seen: Seen) -> int:
    """Lines of which more was promised or handed over than there was."""
    promised: Counter[str] = Counter()
    for match in seen.matches.values():
        if match["state"] in ("agreed", "completed"):
            for line in match["lines"]:
                # the rest of a completed hold is free again
                amount = line["quantity" if match["state"] == "agreed" else "completed"]
                promised[line["need_line"]] += amount
                promised[line["offer_line"]] += amount
    lines = [line for post in seen.posts.values() for line in post["lines"]]
    return sum(1 for line in lines if promised[line["id"]] > line["quantity"] or line["held"] > line["remaining"])


def orphaned(seen: Seen) -> int:
    """Leases that stand although their post has ended."""
    granted = (c for c in seen.contacts.values() if c["state"] == "granted")
    return sum(1 for c in granted if seen.posts.get(c["post"], {}).get("state") in ENDED)


def show(seen: Seen, client: Client, *, members: int, logins: dict[str, str], console: Console) -> int:
    """Print the tables; exit status 1 if anything was promised twice or a lease outlived its post."""
    over, orphans = over_allotted(seen), orphaned(seen)
    states = Counter(match["state"] for match in seen.matches.values())
    ends = Counter(post["state"] for post in seen.posts.values())
    summary = Table(title="The city", show_header=False)
    rows = {
        "members": members,
        "posted": len(seen.posts),
        "proposed or pledged": len(seen.matches),
        "agreed (ever)": sum(states[s] for s in ("agreed", "completed", "failed")),
        "completed": states["completed"],
        "failed (no-shows)": states["failed"],
        "declined": states["declined"],
        "numbers issued": sum(1 for c in seen.contacts.values() if c["channel"] == "call"),
        "in-app words": sum(1 for c in seen.contacts.values() if c["channel"] == "words"),
        "resolved": ends["resolved"],
        "expired": ends["expired"],
        "closed by moderators": ends["closed"],
        "over-allotted lines": over,
        "leases on ended posts": orphans,
    }
    for name, value in rows.items():
        summary.add_row(name, str(value))
    console.print(summary)
    calls = Table("call", "N", "p50 ms", "p99 ms", title="Answer times")
    for name, took in sorted(client.took.items(), key=lambda item: -len(item[1])):
        ordered = sorted(took)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        calls.add_row(name, str(len(took)), f"{statistics.median(ordered) * 1000:.1f}", f"{p99 * 1000:.1f}")
    console.print(calls)
    if client.refusals:
        console.print("expected refusals:", dict(client.refusals.most_common()))
    ready = Table("who", "phone", "how", title="Ready logins (the code is shown on the page: 测试模式)")
    for role, phone in logins.items():
        ready.add_row(role, phone.removeprefix("+86"), "sign in with this phone")
    console.print(ready)
    return 1 if over or orphans else 0
