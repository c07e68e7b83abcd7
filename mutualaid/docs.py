"""The API's document, readable: a page made on the server, without a script and without any outside host."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mutualaid.health import openapi
from mutualaid.kit.endpoints import Endpoint
from mutualaid.members.policies import PUBLIC

_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem;color:#1a1a1a;background:#fff}"
    "code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em}pre{padding:.6em;overflow:auto}"
    "h2{border-top:1px solid #ccc;padding-top:1rem;font-size:1.1rem}"
)


async def show(request: Request) -> Response:
    """Every operation, schema and problem of the document."""
    return HTMLResponse(_written(request.app.state.endpoints), headers={"content-security-policy": _CSP})


@cache
def _written(endpoints: Sequence[Endpoint]) -> str:
    """The page, made once a process: anybody may ask for it as often as they like."""
    spec = openapi(endpoints)
    operations = [_operation(m, p, o) for p, item in spec["paths"].items() for m, o in item.items()]
    schemas = [_schema(n, s) for n, s in sorted(spec["components"]["schemas"].items())]
    problems = [_problem(code, told) for code, told in spec["x-problems"].items()]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>mutualaid API</title><style>{_STYLE}</style><main><h1>mutualaid API {escape(spec['info']['version'])}</h1>"
        f"<p>The same as <a href='/api/openapi.json'>openapi.json</a> (OpenAPI 3.1).</p>"
        f"{''.join(operations)}<h1>Schemas</h1>{''.join(schemas)}<h1>Problems</h1><dl>{''.join(problems)}</dl></main></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    params = "".join(
        f"<li><code>{escape(p['name'])}</code> in {p['in']}{', required' if p['required'] else ''}</li>"
        for p in operation["parameters"]
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = "".join(
        f"<li><code>{s}</code> {escape(r['description'])}{_link(_schema_of(r))}</li>"
        for s, r in operation["responses"].items()
    )
    sign_in = "" if {} in operation["security"] else "<p>Needs a session.</p>"
    return (
        f"<section id='{escape(operation['operationId'])}'><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}{' — takes ' + _link(body) if body else ''}</p>{sign_in}"
        f"{'<ul>' + params + '</ul>' if params else ''}<ul>{answers}</ul></section>"
    )


def _schema_of(response: dict[str, Any]) -> dict[str, Any] | None:
    media: dict[str, Any] = next(iter(response.get("content", {}).values()), {})
    schema: dict[str, Any] | None = media.get("schema")
    return schema


def _link(schema: dict[str, Any] | None) -> str:
    ref = (schema or {}).get("$ref")
    return f" <a href='#schema-{escape(ref.rsplit('/', 1)[1])}'>{escape(ref.rsplit('/', 1)[1])}</a>" if ref else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    fields = "".join(
        f"<li><code>{escape(field)}</code>{'' if field in required else ' (optional)'} {escape(str(s.get('type', '')))} "
        f"{escape(s.get('description', ''))}</li>"
        for field, s in schema.get("properties", {}).items()
    )
    return f"<section id='schema-{escape(name)}'><h2>{escape(name)}</h2><ul>{fields}</ul></section>"


def _problem(code: str, told: dict[str, Any]) -> str:
    """Where the `type` of a problem leads."""
    name = f"<dt id='problem-{escape(code)}'><code>{escape(code)}</code> {told['status']}</dt>"
    return f"{name}<dd>{escape(told['en'])}</dd><dd lang=zh-Hans>{escape(told['zh-Hans'])}</dd>"


ENDPOINTS = (Endpoint("GET", "/api/docs", show, PUBLIC, {200: None}, "This document, readable", in_document=False),)
