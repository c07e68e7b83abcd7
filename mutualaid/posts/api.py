"""The API's doors to posts and the plaza: read, open, act, answer."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import clock
from mutualaid.kit.coordinates import Crs
from mutualaid.kit.doors import Deed, answer, at_once, data_key, deed, language, query, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import NotFound, ProviderUnavailable
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Put
from mutualaid.members.errors import ConsentNeeded, RealNameNeeded, Suspended
from mutualaid.members.policies import PUBLIC, SIGNED_IN, VERIFIED, may_act
from mutualaid.posts import actions, at_hand, cards, mapping, reading, shelf, wire, word_store
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostDraft, ReportDraft, ResolveDraft
from mutualaid.posts.errors import AgeNotAllowed, AlreadyReported, OwnPost, PostNotOpen
from mutualaid.posts.orders import FromTables
from mutualaid.posts.posting import Ready
from mutualaid.posts.records import Post
from mutualaid.posts.wire import CrsQuery, MapCells, MapQuery, OwnQuery, PlazaQuery, PostList, PostView, Reported, Stats
from mutualaid.services import of


async def create(request: Request) -> Response:
    """Publish a need or an offer."""
    author, now = request.user, clock.now()
    checker = await Checker.at_door(of(request), language(request))
    draft = await read(request, PostDraft, check=checker.draft)
    ready = await Ready.of(checker, draft, author=author, key=await data_key(request), now=now)

    async def work(plain: Plain) -> tuple[bytes, Sequence[Put]]:
        card, puts = await ready.publish(plain)
        begun = shelf.encoded(card, checker.catalogue, language=checker.language, crs="wgs84", reader=author.id)
        return shelf.with_distance(begun, None), puts

    return await at_once(request, work, 201)


async def answer_own(request: Request, d: Deed, post: Post, catalogue: Catalogue, status: int = 200) -> Response:
    """One's own post as it stands now, to be sent after the commit."""
    await d.session.flush()
    by_id = await cards.cards_of(d.session, [post.id])
    if post.id not in by_id:
        raise NotFound
    view = wire.post_view(by_id[post.id], catalogue, language=language(request), reader=request.user.id)
    return await d.answer(view, status)


async def list_plaza(request: Request) -> Response:
    """The plaza: available open posts, nearest, newest or most urgent first."""
    checker = await Checker.at_door(of(request), language(request))
    asked = await query(request, PlazaQuery, check=checker.plaza)
    if asked.q and request.user is not None:  # others find by names alone, see `read_plaza`
        await word_store.keep_few(of(request).database)
    follower = at_hand.follower_of(request)
    if orders := at_hand.from_memory(await follower.caught_up(), asked):
        return Response(await at_hand.page(request, orders, asked, checker), media_type="application/json")
    if follower.in_step:
        async with of(request).database.tables() as tables:
            body = await at_hand.page(request, FromTables(tables), asked, checker)
        return Response(body, media_type="application/json")
    async with of(request).database.reading() as session:
        notes = request.user is not None
        page = await reading.read_plaza(session, of(request).ring, asked, checker.catalogue, notes=notes)
    return answer(_list(request, page, checker, crs=asked.crs))


def _list(request: Request, page: reading.Page, checker: Checker, *, crs: Crs) -> PostList:
    reader = request.user.id if request.user else None
    items = [
        wire.post_view(card, checker.catalogue, language=checker.language, crs=crs, reader=reader, distance_m=metres)
        for metres, card in page.cards
    ]
    return PostList(items=items, next_cursor=page.next_cursor)


async def list_own(request: Request) -> Response:
    """One's own posts in every state, newest first."""
    services = of(request)
    asked = await query(request, OwnQuery)
    checker = await Checker.at_door(services, language(request))
    async with services.database.reading() as session:
        page = await reading.read_own(session, services.ring, asked, request.user.id)
    return answer(_list(request, page, checker, crs=asked.crs))


async def show(request: Request) -> Response:
    """One post: an open one to everybody, one's own in any state."""
    services = of(request)
    asked = await query(request, CrsQuery)
    reader = request.user.id if request.user else None
    async with services.database.reading() as session:
        card = await cards.visible(session, request.path_params["id"], reader=reader)
    if card is None:
        raise NotFound
    catalogue = await snapshot.current(services.database)
    return answer(wire.post_view(card, catalogue, language=language(request), crs=asked.crs, reader=reader))


async def confirm(request: Request) -> Response:
    """Still here."""
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        post = await actions.confirm(d.session, request.path_params["id"], by=request.user, now=clock.now())
        return await answer_own(request, d, post, catalogue)


async def resolve(request: Request) -> Response:
    """已解决."""
    done = await read(request, ResolveDraft)
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        post = await actions.resolve(
            d.session, request.path_params["id"], done.outcome, by=request.user, now=clock.now()
        )
        return await answer_own(request, d, post, catalogue)


async def withdraw(request: Request) -> Response:
    """Taken down."""
    catalogue = await snapshot.current(of(request).database)
    async with deed(request) as d:
        post = await actions.withdraw(d.session, request.path_params["id"], by=request.user, now=clock.now())
        return await answer_own(request, d, post, catalogue)


async def report(request: Request) -> Response:
    """Ask a moderator to look at a post."""
    draft = await read(request, ReportDraft)
    may_act(request.user)
    key = await of(request).keys.get(request.user.id)
    async with deed(request) as d:
        made, post = await actions.report(
            d.session, request.path_params["id"], draft, by=request.user, data_key=key, now=clock.now()
        )
        return await d.answer(Reported(id=made.id, reason=made.reason, hidden=post.state == "hidden"), 201)


async def show_map(request: Request) -> Response:
    """How many needs and offers lie where."""
    services = of(request)
    checker = await Checker.at_door(services, language(request))
    asked = await query(request, MapQuery, check=checker.map)
    standing = await at_hand.follower_of(request).caught_up()
    box = mapping.Box.of(asked.bbox, asked.crs)
    async with services.database.reading() as session:
        if standing is not None:
            counts = standing.counted(box.south_west, box.north_east, kind=asked.kind, item=asked.item, now=clock.now())
        else:
            counts = await mapping.from_tables(session, box, kind=asked.kind, item=asked.item)
        shown = await mapping.drawn(session, counts, box.resolution, crowd_k=services.settings.crowd_k)
    return answer(wire.map_cells(shown, asked.crs))


async def stats(request: Request) -> Response:
    """The counters of the landing page."""
    async with of(request).database.reading() as session:
        return answer(await reading.read_stats(session, clock.now()))


_POST = "/api/v1/posts/{id}"
ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/posts",
        create,
        VERIFIED,
        {201: PostView},
        "Publish a need or an offer",
        body=PostDraft,
        problems=(RealNameNeeded, ConsentNeeded, Suspended, AgeNotAllowed, ProviderUnavailable),
        tag="posts",
        replayable=True,
        late=True,
        limit="write",
    ),
    Endpoint(
        "GET",
        "/api/v1/posts",
        list_plaza,
        PUBLIC,
        {200: PostList},
        "The plaza",
        query=PlazaQuery,
        tag="posts",
        limit="read",
    ),
    Endpoint(
        "GET", "/api/v1/me/posts", list_own, SIGNED_IN, {200: PostList}, "One's own posts", query=OwnQuery, tag="posts"
    ),
    Endpoint("GET", _POST, show, PUBLIC, {200: PostView}, "One post", query=CrsQuery, tag="posts", limit="read"),
    Endpoint(
        "POST",
        f"{_POST}/confirm",
        confirm,
        SIGNED_IN,
        {200: PostView},
        "Still here",
        problems=(PostNotOpen,),
        tag="posts",
        replayable=True,
        limit="write",
    ),
    Endpoint(
        "POST",
        f"{_POST}/resolve",
        resolve,
        SIGNED_IN,
        {200: PostView},
        "Solved (已解决)",
        body=ResolveDraft,
        problems=(PostNotOpen,),
        tag="posts",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_POST}/withdraw",
        withdraw,
        SIGNED_IN,
        {200: PostView},
        "Take down",
        problems=(PostNotOpen,),
        tag="posts",
        replayable=True,
    ),
    Endpoint(
        "POST",
        f"{_POST}/reports",
        report,
        SIGNED_IN,
        {201: Reported},
        "Report a post",
        body=ReportDraft,
        problems=(AlreadyReported, OwnPost, Suspended),
        tag="posts",
        replayable=True,
        limit="write",
    ),
    Endpoint(
        "GET",
        "/api/v1/plaza/cells",
        show_map,
        PUBLIC,
        {200: MapCells},
        "The plaza as a map",
        query=MapQuery,
        tag="posts",
        limit="read",
    ),
    Endpoint("GET", "/api/v1/stats", stats, PUBLIC, {200: Stats}, "Counters", tag="posts"),
)
