"""The plaza answered from memory: from the index, with the cards that are kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.posts import reading, shelf
from mutualaid.posts.checking import Checker
from mutualaid.posts.index.follower import Follower
from mutualaid.posts.orders import FromMemory, Orders
from mutualaid.posts.shelf import Variant
from mutualaid.posts.wire import PlazaQuery
from mutualaid.services import of

if TYPE_CHECKING:
    from mutualaid.posts.index.standing import Standing


def follower_of(request: Request) -> Follower:
    """This process's follower of the feed."""
    follower: Follower = request.state.plaza
    return follower


def from_memory(standing: "Standing | None", query: PlazaQuery) -> FromMemory | None:
    """The index, where there is one and it knows what is asked for: it holds no words."""
    return FromMemory(standing, clock.now()) if standing is not None and query.q is None else None


async def page(request: Request, orders: Orders, asked: PlazaQuery, checker: Checker) -> bytes:
    """One page as it is sent. The follower must be in step."""
    catalogue = checker.catalogue
    reader = request.user.id if request.user else None
    places = await reading.find(orders, of(request).ring, asked, catalogue, notes=reader is not None)
    variant = (checker.language, asked.crs, reader is not None)
    post_ids = [one.post_id for _, one in places.hits]
    by_id = await cards(follower_of(request), post_ids, catalogue, variant, reader)
    return shelf.page(places.hits, by_id, places.next_cursor)


async def cards(
    follower: Follower, post_ids: Sequence[str], catalogue: Catalogue, variant: Variant, reader: str | None
) -> dict[str, bytes]:
    """The encoded cards of these posts, as this reader sees them; what is not open any more is left out."""
    kept, (language, crs, _) = follower.shelf, variant
    by_id = kept.find(post_ids, variant, version=catalogue.version, reader=reader)
    if missing := [post_id for post_id in post_ids if post_id not in by_id]:
        with kept.reading() as changed:
            read = await follower.cards(missing)
        for card in read:
            if card.state != "open":
                continue  # it ended a moment after the index was asked
            by_id[card.id] = shelf.encoded(card, catalogue, language=language, crs=crs, reader=reader)
            if card.id not in changed and card.author_id != reader:
                kept.put(card, variant, by_id[card.id])
    return by_id
