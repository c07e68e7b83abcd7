"""How often who may come under strict settings: scrapers by address, block or account are turned away, others read on."""

import pytest
from httpx2 import ASGITransport, Response

from mutualaid import routes
from mutualaid.kit.settings import Settings
from tests.harness import House, Person, a_need

# Signed in, and without a limit of their own: each can be done so often only as there are things to do it with, or it
# is what a member must always be able to do.
UNLIMITED = {
    "DELETE /api/v1/contacts/{id}",
    "DELETE /api/v1/me/sessions/{id}",
    "DELETE /api/v1/sessions",
    "DELETE /api/v1/sessions/current",
    "POST /api/v1/contacts/{id}/block",
    "POST /api/v1/contacts/{id}/extend",
    "POST /api/v1/matches/{id}/accept",
    "POST /api/v1/matches/{id}/block",
    "POST /api/v1/matches/{id}/complete",
    "POST /api/v1/matches/{id}/decline",
    "POST /api/v1/matches/{id}/fail",
    "POST /api/v1/posts/{id}/resolve",
    "POST /api/v1/posts/{id}/withdraw",
    "PUT /api/v1/me/notices/{id}/read",
}


@pytest.fixture
def dialect() -> str:
    """Limits are counted in the cache: the database is not asked."""
    return "sqlite"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    rates = {"plaza_address_hourly": 3, "plaza_prefix_hourly": 8, "plaza_member_hourly": 5, "plaza_device_hourly": 5}
    return settings.model_copy(update={"limits": "strict", **rates})


def come_from(house: House, address: str) -> None:
    transport = house.client._transport
    assert isinstance(transport, ASGITransport)
    transport.client = (address, 4711)


async def read(house: House, times: int, *, path: str = "/api/v1/posts", who: Person | None = None) -> list[int]:
    headers = {"authorization": f"Bearer {who.token}"} if who else {}
    return [(await house.client.get(path, headers=headers)).status_code for _ in range(times)]


async def test_who_reads_too_often_waits_and_is_told_how_long(house: House) -> None:
    come_from(house, "192.0.2.1")

    assert await read(house, 4) == [200, 200, 200, 429]
    refused: Response = await house.client.get("/api/v1/posts")
    assert refused.json()["code"] == "too_many_requests" and int(refused.headers["retry-after"]) > 0


async def test_pages_and_api_and_single_posts_are_counted_together(house: House) -> None:
    come_from(house, "192.0.2.1")

    assert await read(house, 1, path="/posts") + await read(house, 1) == [200, 200]
    assert await read(house, 2, path="/posts/none") == [404, 429]
    assert await read(house, 1, path="/api/v1/posts/none") == [429]


async def test_a_block_of_addresses_is_one_scraper_and_the_next_block_reads_on(house: House) -> None:
    read_on = []
    for last in range(1, 5):
        come_from(house, f"192.0.2.{last}")
        read_on += await read(house, 3)

    assert read_on == [200] * 8 + [429] * 4
    come_from(house, "198.51.100.1")
    assert await read(house, 1) == [200]
    for host in range(1, 4):
        come_from(house, f"2001:db8:1::{host}")
        read_on = await read(house, 3)
    assert read_on == [200, 200, 429]
    come_from(house, "2001:db8:2::1")
    assert await read(house, 1) == [200]


async def test_a_device_is_counted_apart_and_the_members_other_one_reads_on(house: House) -> None:
    come_from(house, "192.0.2.1")
    fewer = house.services.settings.model_copy(update={"plaza_device_hourly": 3})
    object.__setattr__(house.services, "settings", fewer)
    member = await house.newcomer()
    first = member.token

    assert await read(house, 4, who=member) == [200] * 3 + [429]
    house.clock.advance(minutes=2)
    await member.sign_in()
    assert member.token != first
    assert await read(house, 1, who=member) == [200]


async def test_a_member_is_counted_wherever_they_come_from(house: House) -> None:
    come_from(house, "192.0.2.1")
    member = await house.newcomer()
    answers = []
    for n in range(6):
        come_from(house, f"203.0.{n}.1")
        answers += await read(house, 1, who=member)

    assert answers == [200] * 5 + [429]
    assert (await member.get("/me")).status_code == 200


async def test_relaxed_settings_lift_it(house: House) -> None:
    object.__setattr__(house.services, "settings", house.services.settings.model_copy(update={"limits": "relaxed"}))
    come_from(house, "192.0.2.1")

    assert set(await read(house, 12)) == {200}


async def test_changing_a_post_over_and_over_is_turned_away(house: House) -> None:
    come_from(house, "192.0.2.1")
    member = await house.member()
    post = await member.publish(a_need("rice"))

    answers = [
        (await member.ask("PATCH", f"/posts/{post['id']}", {"reach_km": 5 + n % 2})).status_code for n in range(40)
    ]

    assert answers[0] == 200 and answers[-1] == 429


def test_every_deed_of_a_member_is_limited_or_stands_in_the_list() -> None:
    deeds = [e for e in routes.endpoints(Settings()) if e.method != "GET" and e.path.startswith("/api/v1")]
    free = {e.name for e in deeds if e.limit is None and e.policy.signed_in and not e.policy.roles}

    assert free == UNLIMITED
