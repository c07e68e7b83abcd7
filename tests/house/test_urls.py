"""Every URL says who may enter, and means it: a door without a policy does not start."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutualaid import routes
from mutualaid.app import build_app
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.policies import Policy
from mutualaid.kit.settings import Settings
from mutualaid.members.policies import PUBLIC
from tests.harness import House
from tests.moderation.people import a_moderator

NOT_REPLAYABLE = {
    # nothing of these may be stored (api.md §1)
    "POST /api/v1/sessions/current/step-up",
    "DELETE /api/v1/sessions/current",
    "DELETE /api/v1/sessions",
    "DELETE /api/v1/me/sessions/{id}",
    "PUT /api/v1/me/phone",
    "POST /api/v1/me/real-name",
    # the member, and the key that the answer would be sealed with, are gone afterwards
    "DELETE /api/v1/me",
}
PUBLIC_DEEDS = {
    "POST /api/v1/sessions/otp",
    "POST /api/v1/sessions",
    "POST /api/v1/dev/calls",
}


async def run(_request: Request) -> Response:
    raise AssertionError("nobody should come so far")


def planted(policy: Any, path: str = "/api/v1/planted") -> Endpoint:
    return Endpoint("GET", path, run, policy, {200: None}, "Planted")


@pytest.fixture(scope="module")
def every_door() -> tuple[Endpoint, ...]:
    return routes.endpoints(Settings())


def test_a_planted_door_without_a_policy_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    build_app(Settings())  # as it stands, it starts

    for missing in (None, "signed in", lambda caller: True):
        monkeypatch.setattr(routes, "API", (*routes.API, planted(missing)))
        with pytest.raises(routes.NoPolicy, match="GET /api/v1/planted"):
            build_app(Settings())


def test_a_door_that_is_declared_twice_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second would silently take the place of the first, with another policy perhaps."""
    monkeypatch.setattr(routes, "API", (*routes.API, planted(PUBLIC, "/api/v1/me")))

    with pytest.raises(routes.DeclaredTwice, match="GET /api/v1/me"):
        build_app(Settings())


def test_everything_that_is_served_stands_in_the_table(every_door: tuple[Endpoint, ...]) -> None:
    declared = {(endpoint.path, endpoint.method) for endpoint in every_door}

    served: set[tuple[str, str]] = set()
    for route in build_app(Settings()).routes:
        assert isinstance(route, Route)  # no mount, no sub-application: nothing goes round the doors
        served |= {(route.path, method) for method in (route.methods or set()) - {"HEAD"}}

    assert served == declared


def test_what_simulates_the_outside_world_is_not_served_where_that_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    dev = {endpoint.path for endpoint in routes.endpoints(Settings())}
    words = {endpoint.path for endpoint in routes.endpoints(Settings(numbers="words"))}

    assert dev - words == {"/api/v1/dev/calls"}


def test_a_name_is_one_doors_own(every_door: tuple[Endpoint, ...]) -> None:
    assert [name for name, count in Counter(endpoint.name for endpoint in every_door).items() if count > 1] == []


def test_a_deed_by_api_can_be_repeated_safely_unless_nothing_of_it_may_be_kept(
    every_door: tuple[Endpoint, ...],
) -> None:
    deeds = [e for e in every_door if e.path.startswith("/api/") and e.method != "GET"]

    assert {e.name for e in deeds if e.policy.signed_in and not e.replayable} == NOT_REPLAYABLE
    assert {e.name for e in deeds if not e.policy.signed_in} == PUBLIC_DEEDS
    assert [e.name for e in every_door if e.replayable and (e.method == "GET" or not e.policy.signed_in)] == []


def concrete(endpoint: Endpoint) -> str:
    return "/".join("0" * 32 if part.startswith("{") else part for part in endpoint.path.split("/"))


def asked(house: House, endpoint: Endpoint, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return house.client.request(endpoint.method, concrete(endpoint), headers=headers)


def private(every_door: tuple[Endpoint, ...]) -> Iterator[Endpoint]:
    return (e for e in every_door if e.policy.signed_in and e.path.startswith("/api/"))


async def test_strangers_are_told_to_sign_in_before_anything_else(
    house: House, every_door: tuple[Endpoint, ...]
) -> None:
    for endpoint in private(every_door):
        for token in ("", "made-up", "x" * 300):
            answer = await asked(house, endpoint, token)
            assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), endpoint.name
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_members_do_not_enter_where_only_staff_may(house: House, every_door: tuple[Endpoint, ...]) -> None:
    staff = [endpoint for endpoint in private(every_door) if endpoint.policy.roles]
    assert len(staff) >= 5
    member = await house.member()

    for endpoint in staff:
        assert "member" not in endpoint.policy.roles
        answer = await asked(house, endpoint, member.token)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), endpoint.name


async def test_every_door_that_takes_a_key_looks_at_it_with_and_without_a_body(
    house: House, every_door: tuple[Endpoint, ...]
) -> None:
    moderator = await a_moderator(house)

    for endpoint in every_door:
        if not endpoint.replayable:
            continue
        path = concrete(endpoint).replace("/me/consents/" + "0" * 32, "/me/consents/notices")
        bodies = [b"{}"] if endpoint.body is not None and not endpoint.optional else [b"{}", b""]
        for body in bodies:
            headers = {"idempotency-key": "k" * 65, "content-type": "application/json"}
            answer = await moderator.ask(endpoint.method, path, headers=headers, content=body)
            assert answer.status_code == 422, (endpoint.name, body, answer.text)
            assert "Idempotency-Key" in [error["field"] for error in answer.json()["errors"]], (endpoint.name, body)


async def test_pages_of_members_lead_strangers_to_the_sign_in(house: House, every_door: tuple[Endpoint, ...]) -> None:
    for endpoint in every_door:
        if endpoint.policy.signed_in and endpoint.media == "text/html" and endpoint.method == "GET":
            answer = await asked(house, endpoint)
            assert answer.status_code in (302, 303) and "/sign-in" in answer.headers["location"], endpoint.name


async def test_an_unknown_address_and_an_unknown_method_are_problems_too(house: House) -> None:
    unknown = await house.client.get("/api/v1/nowhere")
    wrong = await house.client.request("PATCH", "/api/v1/me/posts")
    slashed = await house.client.get("/api/v1/posts/")

    assert [answer.status_code for answer in (unknown, wrong, slashed)] == [404, 405, 404]
    for answer in (unknown, wrong, slashed):
        assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in wrong.headers["allow"]


def test_a_policy_cannot_be_changed_at_run_time() -> None:
    policy: Policy[Any] = Policy("members")

    with pytest.raises((AttributeError, TypeError)):
        policy.signed_in = False  # type: ignore[misc]  # that is the point
    assert replace(policy, name="others").signed_in
