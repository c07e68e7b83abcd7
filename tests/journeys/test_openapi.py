"""The served document is true: fuzzed from itself it knows every answer, it agrees with the contract, it stands alone."""

import copy
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.figures import Figure
from tests.harness import API, House
from tests.journeys.fuzz.asking import fuzz
from tests.journeys.fuzz.world import World

pytestmark = pytest.mark.usefixtures("brief_streams")

EACH = 2  # right and as many wrong cases for every door and database; `--deep` asks tens of thousands
DEEP, DEEP_EACH = 25_000, 40

# What the contract names and is built. A door that is new here is new in the contract too.
CONTRACT = """
POST /sessions/otp
POST /sessions
POST /sessions/current/step-up
GET /me/sessions
DELETE /me/sessions/{id} /sessions/current /sessions /me
GET /me
PUT /me/phone
GET /consents
PUT /me/consents/{purpose}
DELETE /me/consents/{purpose}
POST /me/real-name
GET /me/export /me/posts /me/matches /me/contacts /me/notices
PUT /me/notices/{id}/read
GET /items /regions /regions/locate /posts /posts/{id} /plaza/stream /plaza/cells /stats
POST /posts /posts/{id}/confirm /posts/{id}/resolve /posts/{id}/withdraw /posts/{id}/reports
PATCH /posts/{id}
GET /posts/{id}/matches /matches/{id}
POST /posts/{id}/matches /matches/{id}/accept /matches/{id}/decline /matches/{id}/block
POST /matches/{id}/complete /matches/{id}/fail
POST /posts/{id}/contact /contacts/{id}/extend /contacts/{id}/block /contacts/{id}/reports /contacts/{id}/messages
GET /contacts/{id} /contacts/{id}/calls /contacts/{id}/messages
DELETE /contacts/{id}
POST /dev/calls
GET /moderation/cases /moderation/log /moderation/log/verify
POST /moderation/cases/{id}/claim
POST /moderation/posts/{id}/close /moderation/posts/{id}/hide
POST /moderation/posts/{id}/restore /moderation/posts/{id}/approve
POST /moderation/members/{id}/suspend /moderation/members/{id}/restore /moderation/members/{id}/vouch
"""
BESIDE = {
    "POST /hooks/numbers/{maker}/route",
    "POST /hooks/numbers/{maker}/events",
    "GET /healthz",
    "GET /readyz",
}


async def document_of(house: House) -> dict[str, Any]:
    document: dict[str, Any] = (await house.client.get("/api/openapi.json")).json()
    return document


async def test_no_answer_is_a_fault_or_undocumented(house: House) -> None:
    document = await document_of(house)

    found = await fuzz(await World.open(house), document, each=EACH, seeded=20230107)

    assert not found.wrong, "\n".join(found.wrong[:20])
    doors = sum(len(item) for item in document["paths"].values())
    assert found.cases > 1.5 * EACH * doors
    assert len(found.entered) > doors / 2, "most doors were seen to open, too"


@pytest.mark.deep("fuzzing", cases=DEEP, seed=20230107)
async def test_no_answer_is_a_fault_or_undocumented_at_full_size(house: House, figure: Figure) -> None:
    document = await document_of(house)
    asked, entered, statuses, rounds = 0, set[str](), dict[str, float](), 0
    while asked < DEEP:
        found = await fuzz(await World.open(house), document, each=DEEP_EACH, seeded=20230107 + 1_000 * rounds)
        assert not found.wrong, "\n".join(found.wrong[:20])
        asked, rounds = asked + found.cases, rounds + 1
        entered |= found.entered
        for status, count in found.statuses.items():
            statuses[str(status)] = statuses.get(str(status), 0) + count
    figure.keep(
        asked=asked, faults=0, undocumented=0, bound=3 / asked, doors=len(document["paths"]), statuses=statuses,
        entered=len(entered),
    )  # fmt: skip


async def test_an_answer_that_the_document_leaves_out_would_be_found(house: House) -> None:
    document = await document_of(house)
    plaza, stats = copy.deepcopy(document["paths"][f"{API}/posts"]), copy.deepcopy(document["paths"][f"{API}/stats"])
    del plaza["get"]["responses"]["422"]
    document["components"]["schemas"]["Stats"]["properties"]["members"] = {"type": "string"}

    found = await fuzz(
        await World.open(house),
        {**document, "paths": {f"{API}/posts": {"get": plaza["get"]}, f"{API}/stats": stats}},
        each=10,
        seeded=1,
    )

    assert any("Undocumented status code" in wrong for wrong in found.wrong)
    assert any("Response violates schema" in wrong for wrong in found.wrong)


async def test_the_document_and_the_contract_name_the_same_doors(house: House) -> None:
    document = await document_of(house)

    contract = {
        f"{method} {API}{path}"
        for method, *paths in (line.split() for line in CONTRACT.strip().splitlines())
        for path in paths
    }
    served = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert served == contract | BESIDE


async def test_every_choice_in_the_document_is_the_contracts(house: House) -> None:
    schemas = (await document_of(house))["components"]["schemas"]

    def choices(schema: str, name: str) -> set[str]:
        found: list[str] = re.findall(r"'enum': \[([^\]]*)\]", str(schemas[schema]["properties"][name]))
        return (
            set(re.findall(r"'(\w+)'", found[0])) if found else {schemas[schema]["properties"][name].get("const", "")}
        )

    assert choices("PostDraft", "kind") == {"need", "offer"}
    assert choices("PostDraft", "urgency") == {"normal", "urgent"}
    assert choices("PostDraft", "handover") == {"pickup", "delivery", "courier"}
    assert choices("PostDraft", "contact") == {"anyone", "matches", "words"}
    assert choices("PostDraft", "beneficiary_age_band") == {"under_6", "6_13", "14_17", "adult", "60_plus"}
    assert choices("PlaceDraft", "crs") == {"wgs84", "gcj02", "bd09"}
    assert choices("ResolveDraft", "outcome") == {"through_platform", "elsewhere", "no_longer"}
    assert choices("ReportDraft", "reason") == {"scam", "selling", "prescription", "abuse", "wrong_number", "other"}
    assert choices("PostView", "state") == {"open", "hidden", "resolved", "withdrawn", "expired", "closed"}
    assert choices("FailDraft", "reason") == {"no_show", "unreachable", "changed_mind", "wrong_goods"}
    draft = schemas["PostDraft"]
    assert set(draft["required"]) == {"kind", "lines"} and draft["additionalProperties"] is False
    bounds = {name: draft["properties"][name] for name in ("reach_km", "note", "lines", "available")}
    assert (bounds["reach_km"]["minimum"], bounds["reach_km"]["maximum"], bounds["reach_km"]["default"]) == (1, 50, 10)
    assert (bounds["note"]["maxLength"], bounds["lines"]["minItems"], bounds["lines"]["maxItems"]) == (500, 1, 10)
    assert bounds["available"]["maxItems"] == 7


async def test_the_readable_document_needs_no_other_host(house: House) -> None:
    page = await house.client.get("/api/docs")

    for link in re.findall(r"(?:href|src|action|url)\s*[=(]\s*['\"]?([^'\" >)]+)", page.text):
        assert urlsplit(link).netloc == "", link
    assert "<script" not in page.text and "http://" not in page.text and "https://" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for path in (await document_of(house))["paths"]:
        assert path in page.text
