"""A form sent twice does its deed once: by a double tap, or by sending it again after the connection was lost."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock, idempotency
from mutualaid.kit.faces import forms, rendering


class Deed:
    """One transaction of one form, and where its sender goes on to."""

    def __init__(self, request: Request, session: AsyncSession, once: idempotency.Once, slot: bytes) -> None:
        self.session = session
        self._request = request
        self._once = once
        self._slot = slot

    async def go(self, to: str, *, said: str | None = None) -> Response:
        """Sent once the transaction has committed; the same form again goes to the same place."""
        await idempotency.keep(self.session, self._slot, self._once, status=303, body=to.encode())
        return rendering.go(self._request, to, said=said)


@asynccontextmanager
async def deed(request: Request) -> AsyncIterator[Deed]:
    """A transaction of the signed-in sender's form. Raises `Replayed`, which leads to where it led the first time.

    The key is the form's own mark with all that was typed: going back and changing something is another form.
    """
    services = request.state.services
    await forms.read(request)
    body = await request.body()
    once = await idempotency.prepare(
        services.keys,
        owner=request.user.id,
        door=f"{request.method} {request.url.path}",
        key=hashlib.sha256(body).hexdigest(),
        body=body,
        now=clock.now(),
    )
    async with services.database.transaction() as session:
        slot = await idempotency.open_slot(session, once, keys=services.keys)
        yield Deed(request, session, once, slot)


def again(request: Request, kept: Response) -> Response:
    """Where the first sending led to."""
    return rendering.go(request, bytes(kept.body).decode())
