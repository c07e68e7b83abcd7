"""Cases made from the served document, sent to the application in-process, judged by schemathesis's own checks."""

import copy
import json
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.harness import Person
from tests.journeys.fuzz.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
BASE = "http://testserver"
LAST = ("/moderation/members", "DELETE /api/v1/sessions", "DELETE /api/v1/me")  # what ends other things comes last
Operation = Any  # of schemathesis: generic in types of its own
Case = Any


@dataclass
class Found:
    """What came of it."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    entered: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of the document, those that end other things last."""
    open_to_all = {
        path: {method: {**operation, "security": []} for method, operation in item.items()}
        for path, item in document["paths"].items()
    }  # who asks is chosen here, not by the generator
    schema = schemathesis.openapi.from_dict({**document, "paths": open_to_all})
    results: list[Any] = list(schema.get_all_operations())
    found = [result.ok() for result in results]
    return sorted(found, key=lambda one: max([-1, *(n for n, last in enumerate(LAST) if last in one.label)]))


def cases(operation: Operation, mode: GenerationMode, *, most: int, seeded: int) -> list[Case]:
    """Up to `most` cases; none where nothing about an operation can be wrong."""
    made: list[Case] = []

    @seed(seeded)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case) -> None:
        made.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        try:
            collect()
        except Unsatisfiable:
            return []
    return made[:most]


@lru_cache(maxsize=1)
def _made(document: str, each: int, seeded: int) -> list[tuple[Operation, list[Case]]]:
    """Every operation with its right and wrong cases. They are the same on both databases: the second has them made."""
    return [
        (
            operation,
            [
                case
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
                for case in cases(operation, mode, most=each, seeded=seeded + n)
            ],
        )
        for n, operation in enumerate(operations(json.loads(document)))
    ]


def _fresh(case: Case) -> Case:
    """The case once more, to be changed and asked; what is set by name would be noted as a change."""
    found = object.__new__(type(case))
    known = {id(case.operation): case.operation}  # which is of the schema, and not copied
    for name in case.__slots__:
        object.__setattr__(found, name, copy.deepcopy(getattr(case, name), known))
    return found


async def fuzz(world: World, document: dict[str, Any], *, each: int, seeded: int) -> Found:
    """Ask every door `each` times with right and `each` times with wrong data, as whoever may come."""
    found, random = Found(), Random(seeded)
    changed = False
    for operation, made in _made(json.dumps(document), each, seeded):
        if changed:
            await world.mend()
        changed = operation.method != "get"
        for case in made:
            await _ask(world, operation, _fresh(case), random, found)
    found.wrong += [f"a job failed: {name} {error}" for name, error in await world.broken_jobs()]
    return found


async def _ask(world: World, operation: Operation, case: Case, random: Random, found: Found) -> None:
    label: str = operation.label
    _make_it_real(case, await world.ids(operation.path, random), world.bodies(case.method, operation.path), random)
    asked = case.as_transport_kwargs(base_url=BASE)
    prepared = requests.Request(**asked).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else bytes(prepared.body or b"")  # type: ignore[arg-type] # nothing is streamed
    headers = {name.lower(): value for name, value in prepared.headers.items() if name.lower() != "content-length"}
    headers |= _credentials(world, _somebody(world, label, random), label)
    response = await world.house.client.request(case.method, str(prepared.url), content=body, headers=_octets(headers))
    found.cases += 1
    found.statuses[response.status_code] += 1
    if response.is_success:
        found.entered.add(label)
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        found.wrong += [
            f"{label} {prepared.url} {dict(case.headers or {})!r} {body[:300]!r}: "
            f"{response.status_code} {fault.title}: {fault.message} {response.text[:300]}"
            for fault in group.exceptions
        ]


def _make_it_real(case: Case, ids: dict[str, str], bodies: list[dict[str, Any]], random: Random) -> None:
    """Most cases are about something that exists, and wrong in few places rather than in all."""
    if ids and random.random() < 0.7:
        case.path_parameters = {**case.path_parameters, **ids}
    if bodies and isinstance(case.body, dict) and random.random() < 0.6:
        strange = {name: value for name, value in case.body.items() if random.random() < 0.3}
        case.body = random.choice(bodies) | strange


def _somebody(world: World, label: str, random: Random) -> Person | None:
    usual = world.moderator if "/moderation/" in label else world.member
    return random.choice([usual] * 8 + [world.member, world.moderator, None])


def _credentials(world: World, person: Person | None, label: str) -> dict[str, str]:
    if "/hooks/" in label:
        return {"authorization": f"Bearer {world.house.services.hook_token}"} if person else {}
    return {"authorization": f"Bearer {person.token}"} if person else {}


def _octets(headers: dict[str, str | bytes]) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode(), value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
        for name, value in headers.items()
    ]
