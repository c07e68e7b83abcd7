"""The document says what the doors do: made from the same declarations, complete, and right by its own standard."""

from typing import Annotated, Any

import pytest
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from mutualaid import routes, trouble
from mutualaid.health import openapi
from mutualaid.kit import errors
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import AidError
from mutualaid.kit.fields import Draft, Limit, Query, View
from mutualaid.kit.openapi import document
from mutualaid.kit.policies import Policy
from mutualaid.kit.settings import Settings
from tests.harness import House


class Asked(Draft):
    name: Annotated[str, Field(max_length=5)]


class Told(View):
    id: str


class Narrowed(Query):
    limit: Limit = 20
    region: Annotated[str, Field(pattern="^[0-9]{6}$")] | None = None


class Gone(AidError):
    kind = "ended"
    code = "gone_for_the_test"
    text = "Gone."


AidError.known.remove(Gone)  # not one of the house's own


async def run(_request: Request) -> Response:
    raise AssertionError


MEMBERS: Policy[Any] = Policy("members")
ALL: Policy[Any] = Policy("all", signed_in=False)
MAKE = Endpoint(
    "POST", "/api/v1/things/{id}", run, MEMBERS, {201: Told, 204: None}, "Make", body=Asked,
    problems=(Gone,), replayable=True, tag="things",
)  # fmt: skip
LIST = Endpoint("GET", "/api/v1/things", run, ALL, {200: Told}, "List", query=Narrowed)
HIDDEN = Endpoint("GET", "/hidden", run, ALL, {200: None}, "", in_document=False)


@pytest.fixture
def made() -> dict[str, Any]:
    return document([MAKE, LIST, HIDDEN], version="1.2.3", statuses=trouble.STATUS)


@pytest.fixture
def served() -> dict[str, Any]:
    return openapi(routes.endpoints(Settings()))


def test_a_door_is_described_by_what_it_declares(made: dict[str, Any]) -> None:
    assert (made["openapi"], made["info"]["version"]) == ("3.1.0", "1.2.3")
    assert set(made["paths"]) == {"/api/v1/things/{id}", "/api/v1/things"}

    make = made["paths"]["/api/v1/things/{id}"]["post"]
    assert make["security"] == [{"session": []}]
    assert make["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Asked"}
    assert [(p["name"], p["in"], p["required"]) for p in make["parameters"]] == [
        ("id", "path", True),
        ("Idempotency-Key", "header", False),
    ]
    assert "content" not in make["responses"]["204"]
    assert made["components"]["schemas"]["Asked"]["properties"]["name"]["maxLength"] == 5
    assert made["components"]["schemas"]["Asked"]["additionalProperties"] is False


def test_a_query_becomes_parameters_that_cannot_be_null(made: dict[str, Any]) -> None:
    look = made["paths"]["/api/v1/things"]["get"]

    assert look["security"] == [{}, {"session": []}]
    found = {p["name"]: p["schema"] for p in look["parameters"]}
    assert found["limit"]["minimum"] == 1 and found["limit"]["maximum"] == 50
    assert found["region"]["pattern"] == "^[0-9]{6}$" and "anyOf" not in found["region"]


def test_every_problem_a_door_may_answer_stands_under_its_status(made: dict[str, Any]) -> None:
    responses = made["paths"]["/api/v1/things/{id}"]["post"]["responses"]

    codes = {
        status: set(answer["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"])
        for status, answer in responses.items()
        if status >= "400"
    }
    assert codes["410"] == {"gone_for_the_test"}
    assert codes["422"] == {"invalid", "idempotency_mismatch"}
    assert set(codes) >= {"400", "401", "403", "404", "410", "413", "415", "422", "429", "503"}


def test_no_reference_of_the_served_document_leads_nowhere(served: dict[str, Any]) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    schemas = {f"#/components/schemas/{name}" for name in served["components"]["schemas"]}
    assert references(served) <= schemas


def test_operations_have_names_of_their_own_and_a_summary(served: dict[str, Any]) -> None:
    operations = [operation for path in served["paths"].values() for operation in path.values()]

    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) > 20
    assert all(operation["summary"] for operation in operations)


def test_paths_are_full_paths(served: dict[str, Any]) -> None:
    assert all(path.startswith(("/api/v1/", "/hooks/")) or path in ("/healthz", "/readyz") for path in served["paths"])


def test_every_code_of_the_house_is_listed_with_its_status_and_both_sentences(served: dict[str, Any]) -> None:
    listed = served["x-problems"]

    assert listed["post_not_open"]["status"] == 409
    for error in (error for error in AidError.known if error.__module__.startswith("mutualaid.")):
        told = listed[error.code]
        assert (told["status"], told["en"]) == (trouble.STATUS[error.kind], error.text)
        assert told["zh-Hans"] and told["zh-Hans"] != told["en"]


def test_every_kind_of_error_has_a_status() -> None:
    assert {error.kind for error in AidError.known} <= set(trouble.STATUS)
    assert errors.Broken.kind in trouble.STATUS


async def test_the_type_of_a_problem_leads_to_its_explanation(house: House) -> None:
    problem = (await house.client.get("/api/v1/posts/none")).json()
    path, _, place = problem["type"].partition("#")

    page = await house.client.get(path)

    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert f"<dt id='{place}'>" in page.text
    assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text


async def test_the_served_document_is_the_one_that_is_made(house: House) -> None:
    answered = await house.client.get("/api/openapi.json")

    assert answered.headers["content-type"] == "application/json"
    assert set(answered.json()["paths"]) == set(openapi(routes.endpoints(house.services.settings))["paths"])
