"""What every handler does at its door: read the body, open a transaction, answer."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock, idempotency
from mutualaid.kit.errors import FieldError, Invalid, Malformed, UnsupportedType
from mutualaid.kit.field_errors import field_errors
from mutualaid.kit.fields import Draft
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Put
from mutualaid.kit.salvage import salvage
from mutualaid.kit.sealing import DataKey
from mutualaid.kit.texts import N_, Language, preferred

M = TypeVar("M", bound=BaseModel)
Check = Callable[[M], Awaitable[Sequence[FieldError]]]

DEEPEST = 32


def language(request: Request) -> Language:
    """The reader's language: `Accept-Language`, zh-Hans where it says nothing we speak."""
    return preferred(request.headers.get("accept-language"))


async def read(request: Request, model: type[M], *, check: Check[M] | None = None, optional: bool = False) -> M:
    """The JSON body as a `model`; otherwise 415, 400, or 422 with every bad field at once, unknown parameters included.

    `check` adds what the shape alone cannot say (an unknown item, an amount over its cap). It is asked even when the
    shape is wrong, about the fields that are right, so that nobody mends a form twice; a field it gets as None is one
    it has nothing to say about. `optional`: an empty body stands for `{}`.
    """
    empty = optional and not (await _body(request)).strip()
    return await parse({} if empty else await _json(request), model, check=check, found=_beside_the_body(request))


async def read_nothing(request: Request) -> None:
    """A deed without fields takes an empty body or `{}`."""
    await read(request, _Nothing, optional=True)


async def parse(raw: Any, model: type[M], *, check: Check[M] | None = None, found: Sequence[FieldError] = ()) -> M:
    """Validate what a JSON body or a form holds. Raises `Invalid` with every bad field, those `found` before included."""
    errors = list(found)
    if not isinstance(raw, dict):
        raise Invalid([*errors, FieldError("", "not_an_object", N_("Please send a JSON object."))])
    try:
        draft = model.model_validate(raw)
    except ValidationError as problem:
        errors += field_errors(problem)
        draft = salvage(model, raw)
    if check is not None:
        known = {error.field for error in errors}
        errors += [error for error in await check(draft) if error.field not in known]
    if errors:
        raise Invalid(errors)
    return draft


class _Nothing(Draft):
    """A body without fields."""


def _beside_the_body(request: Request) -> list[FieldError]:
    """What is wrong with a request that speaks by its body, apart from the body: parameters, the idempotency key."""
    found = _unknown(request.query_params) if request.scope["query_string"] else []
    return [*found, *idempotency.key_errors(request.headers.get("idempotency-key"))]


def _unknown(names: Iterable[str]) -> list[FieldError]:
    return [FieldError(name, "unknown_field", N_("This field is not known here.")) for name in dict.fromkeys(names)]


async def _body(request: Request) -> bytes:
    request.state.body = await request.body()
    return cast(bytes, request.state.body)


async def _json(request: Request) -> Any:
    kind, _, params = request.headers.get("content-type", "").partition(";")
    charset = params.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise UnsupportedType
    body = await _body(request)
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed from None
    if body.count(b"[") + body.count(b"{") >= DEEPEST and _too_deep(raw):  # fewer cannot be deeper
        raise Malformed
    return raw


def _too_deep(raw: Any) -> bool:
    level = [raw]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


async def query(request: Request, model: type[M], *, check: Check[M] | None = None) -> M:
    """The query string as a `model`: unknown and repeated parameters refused, every bad one at once."""
    given = request.query_params.multi_items()
    once = dict(given)
    repeated: list[FieldError] = []
    if len(once) < len(given):
        counted = Counter(name for name, _ in given)
        repeated += [FieldError(name, "repeated", N_("Please give this once.")) for name, n in counted.items() if n > 1]
    return await parse(once, model, check=check, found=repeated)


def refuse_query(request: Request) -> None:
    """422 naming each parameter, for a door that takes none."""
    if found := _unknown(request.query_params):
        raise Invalid(found)


def answer(view: BaseModel | None, status: int = 200, *, headers: dict[str, str] | None = None) -> Response:
    """A view as JSON; None is an empty 204."""
    if view is None:
        return Response(status_code=204, headers=headers)
    return Response(view.model_dump_json(by_alias=True), status, headers, media_type="application/json")


async def replay(request: Request) -> None:
    """Raise `Replayed` for a deed that this request's key did before: also where by now it would be refused.

    Not for a 202, which is not the last word on a deed: its handler waits for that.
    """
    await _body(request)
    if (once := await _once(request)) is None:
        return
    try:
        await idempotency.look(request.state.services.database, once, keys=request.state.services.keys)
    except idempotency.Replayed as before:
        if before.response.status_code != 202:
            raise


async def _once(request: Request) -> idempotency.Once | None:
    state = request.state
    if (once := getattr(state, "once", None)) is not None:
        return cast(idempotency.Once, once)
    key = request.headers.get("idempotency-key")
    if key is None or not getattr(state, "replayable", False) or request.user is None or idempotency.key_errors(key):
        return None
    state.once = await idempotency.prepare(
        state.services.keys,
        owner=request.user.id,
        door=f"{request.method} {request.scope['path']}",
        key=key,
        body=getattr(state, "body", b""),
        now=clock.now(),
    )
    return cast(idempotency.Once, state.once)


async def data_key(request: Request) -> DataKey | None:
    """The caller's data key, where their `Idempotency-Key` had it fetched for this request."""
    once = await _once(request)
    return once.data_key if once else None


class Deed:
    """One transaction of one request, and its answer."""

    def __init__(self, session: AsyncSession, once: idempotency.Once | None, slot: bytes | None) -> None:
        self.session = session
        self.answered = False
        self._once = once
        self._slot = slot

    async def answer(
        self, view: BaseModel | None, status: int = 200, *, headers: dict[str, str] | None = None
    ) -> Response:
        """The answer that is sent once the transaction has committed, and kept with it under the request's key."""
        response = answer(view, status, headers=headers)
        self.answered = True
        if self._once is not None and self._slot is not None:
            await idempotency.keep(
                self.session, self._slot, self._once, status=response.status_code, body=bytes(response.body)
            )
        return response

    def resumed(self, session: AsyncSession) -> "Deed":
        """The same deed going on in a later transaction, where the world outside had to be asked in between."""
        return Deed(session, self._once, self._slot)

    async def forget(self) -> None:
        """It came to nothing after all: the request's key may be used again."""
        if self._slot is not None:
            await idempotency.forget(self.session, self._slot)


@asynccontextmanager
async def deed(request: Request) -> AsyncIterator[Deed]:
    """A transaction that does a deed, at most once for the request's `Idempotency-Key` where the door is replayable.

    Raises `Replayed` with the stored answer when it was done before. `routes.py` says which doors are (`Endpoint`).
    """
    state, once = request.state, await _once(request)
    async with once.turn() if once else nullcontext(), state.services.database.transaction() as session:
        slot = await idempotency.open_slot(session, once, keys=state.services.keys) if once else None
        found = Deed(session, once, slot)
        yield found
        if slot is not None and not found.answered:  # no replay could be given the slot's answer
            raise AssertionError("a deed ended without its answer")


async def at_once(
    request: Request, work: Callable[[Plain], Awaitable[tuple[bytes, Sequence[Put]]]], status: int
) -> Response:
    """A deed whose answer is known before anything is written: `work` gives the answer and all there is to write, in a
    transaction of `Database.together`. At most once for the request's `Idempotency-Key`, as `deed`."""
    state, once = request.state, await _once(request)

    async def done(plain: Plain) -> bytes:
        body, puts = await work(plain)
        if once is None:
            await plain.put(*puts)
        else:
            await idempotency.put(plain, once, *puts, status=status, body=body, keys=state.services.keys)
        return body

    async with once.turn() if once else nullcontext():
        body = await state.services.database.together(done)
    return Response(body, status, media_type="application/json")
