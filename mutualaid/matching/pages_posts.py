"""Pages of posts that tell their authors of matches: a post, one's own posts, and the form of a need before it is published."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.faces.rows import row
from mutualaid.matching import capping, store
from mutualaid.members.policies import PUBLIC, SIGNED_IN, VERIFIED
from mutualaid.posts import pages_new, pages_own, pages_plaza
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostDraft
from mutualaid.services import of


async def show(request: Request) -> Response:
    """One post, with the match about it that waits for an answer."""
    return await pages_plaza.show(request, waiting=await _waiting(request))


async def list_own(request: Request) -> Response:
    """One's own posts, each with the match that waits for an answer."""
    return await pages_own.list_own(request, waiting=await _waiting(request))


async def _waiting(request: Request) -> dict[str, store.Waiting]:
    if request.user is None:
        return {}
    async with of(request).database.reading() as session:
        return await store.waiting(session, request.user.id, now=clock.now())


async def create(request: Request) -> Response:
    """Publish; who asks for more than seven days allow is told once, before, from when on it can be met."""

    async def heed(draft: PostDraft, checker: Checker) -> Mapping[str, Any]:
        if draft.kind != "need":
            return {}
        async with of(request).database.reading() as session:
            given = await store.given_lately(session, request.user.id, now=checker.now)
        limits = []
        for line in draft.lines or ():
            item = checker.catalogue.get(line.item or "")
            if item is None or line.quantity is None:
                continue
            least = capping.earliest(given.get(item.code, ()), line.quantity, item.need_max, now=checker.now)
            if least is not None:
                spoken = checker.language
                limits.append((item.title(spoken), item.counted_in(spoken), item.need_max, *least))
        return {"limits": limits} if limits else {}

    return await pages_new.create(request, heed)


PAGES = (
    row("GET", "/posts/{id}", show, PUBLIC, "One post", limit="read"),
    row("GET", "/me", list_own, SIGNED_IN, "One's own posts"),
    row("POST", "/posts/new", create, VERIFIED, "Publish", limit="write"),
)
