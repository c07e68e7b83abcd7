"""The OpenAPI 3.1 document, made from the same declarations that validate."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import AidError
from mutualaid.kit.problems import Problem
from mutualaid.kit.texts import say

_REF = "#/components/schemas/{model}"
_ID = {"type": "string", "minLength": 1, "maxLength": 64}


def document(endpoints: Iterable[Endpoint], *, version: str, statuses: dict[str, int]) -> dict[str, Any]:
    """The whole document. `statuses` is the one table from an error's kind to its HTTP status."""
    shown = [e for e in endpoints if e.in_document]
    wanted: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [(Problem, "serialization")]
    for e in shown:
        wanted += [(m, "validation") for m in (e.body, e.query) if m is not None]
        wanted += [(m, "serialization") for m in e.answers.values() if m is not None]
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    schemas = _with_bounds(definitions["$defs"])
    paths: dict[str, dict[str, Any]] = {}
    for e in shown:
        paths.setdefault(_plain(e.path), {})[e.method.lower()] = _operation(e, refs, schemas, statuses)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mutualaid",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: schemas[name] for name in sorted(_spoken_of(paths, schemas))},
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
        "x-problems": problem_codes(AidError.known, statuses),
    }


def problem_codes(known: Iterable[type[AidError]], statuses: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Every code that a problem may carry: its status, and its sentence in both languages."""
    return {
        error.code: {"status": statuses[error.kind], "en": error.text, "zh-Hans": say(error.text, "zh-Hans")}
        for error in sorted(known, key=lambda error: error.code)
    }


_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def _with_bounds(schema: Any) -> Any:
    """The same in JSON Schema's words: pydantic leaves a bound in its own where a validator of ours stands before it."""
    if isinstance(schema, list):
        return [_with_bounds(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key if isinstance(value, dict) else _BOUNDS.get(key, key): _with_bounds(value) for key, value in schema.items()
    }


def _spoken_of(part: Any, schemas: dict[str, Any]) -> set[str]:
    """The names of the schemas that this part of the document refers to, directly or through others."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            waiting += node.values() if isinstance(node, dict) else node
        elif isinstance(node, str) and node.startswith(_REF.format(model="")):
            name = node.rsplit("/", 1)[1]
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _plain(path: str) -> str:
    return "/".join("{" + p[1:-1].split(":")[0] + "}" if p.startswith("{") else p for p in path.split("/"))


def _operation(e: Endpoint, refs: Any, definitions: dict[str, Any], statuses: dict[str, int]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{e.method.lower()}{_plain(e.path).replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": e.summary,
        "tags": [e.tag] if e.tag else [],
        "security": [{"session": []}] if e.policy.signed_in else [{}, {"session": []}],
        "parameters": _parameters(e, refs, definitions),
        "responses": _responses(e, refs, statuses),
    }
    if e.body is not None:
        operation["requestBody"] = {
            "required": not e.optional,
            "content": {"application/json": {"schema": refs[(e.body, "validation")]}},
        }
    return operation


def _parameters(e: Endpoint, refs: Any, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {**_ID, "description": e.params.get(name, "")}}
        for name in e.path_names
    ]
    if e.query is not None:
        schema = definitions[refs[(e.query, "validation")]["$ref"].rsplit("/", 1)[1]]
        required = schema.get("required", [])
        found += [
            {"name": n, "in": "query", "required": n in required, "schema": _without_null(s)}
            for n, s in schema["properties"].items()
        ]
    if e.replayable:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[ -~]{1,64}$"},
            }
        )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not there is absent: a query string has no null."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    told: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**told, **options[0]}


def _responses(e: Endpoint, refs: Any, statuses: dict[str, int]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in e.answers.items():
        responses[str(status)] = {"description": "done"}
        if model is not None:
            responses[str(status)]["content"] = {e.media: {"schema": refs[(model, "serialization")]}}
    codes: dict[int, list[str]] = {}
    for error in e.all_problems():
        codes.setdefault(statuses[error.kind], []).append(error.code)
    for status, names in sorted(codes.items()):
        schema = {"allOf": [refs[(Problem, "serialization")]], "properties": {"code": {"enum": sorted(set(names))}}}
        responses[str(status)] = {
            "description": ", ".join(sorted(set(names))),
            "content": {"application/problem+json": {"schema": schema}},
        }
    return responses
