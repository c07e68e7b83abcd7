"""One's own posts (that door is in matching) and what ends them; and the report of somebody else's."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.catalogue import snapshot
from mutualaid.kit import clock
from mutualaid.kit.doors import language, parse
from mutualaid.kit.errors import NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.deeds import deed
from mutualaid.kit.faces.errors import or_again
from mutualaid.kit.faces.rendering import go, page
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.members import profile
from mutualaid.members.policies import SIGNED_IN, may_act
from mutualaid.notices import store as inbox
from mutualaid.notices import suspension
from mutualaid.posts import actions, cards, reading, wire
from mutualaid.posts.drafts import ReportDraft, ResolveDraft
from mutualaid.posts.errors import PostNotOpen
from mutualaid.posts.records import ENDED
from mutualaid.posts.wire import OwnQuery, PostView
from mutualaid.services import of

OUTCOMES: Final = ("through_platform", "elsewhere", "no_longer")
REASONS: Final = ("scam", "selling", "prescription", "abuse", "wrong_number", "other")


async def list_own(request: Request, **more: Any) -> Response:
    """One's own posts in every state, newest first. `more`: what a room above tells of them."""
    services, asked = of(request), forms.of_query(request)
    query = await parse({"cursor": asked.get("cursor")} if asked.has("cursor") else {}, OwnQuery)
    catalogue = await snapshot.current(services.database)
    async with services.database.reading() as session:
        found = await reading.read_own(session, services.ring, query, request.user.id)
        unread = await inbox.unread(session, request.user.id)
    cards = [
        wire.post_view(card, catalogue, language=language(request), reader=request.user.id) for _, card in found.cards
    ]
    further = f"/me?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    me = await profile.describe(services, request.user.id)
    return page(
        request,
        "posts/own.html",
        cards=cards,
        more=further,
        me=me,
        unread=unread,
        suspended=await suspension.told(request),
        **more,
    )


async def _seen(request: Request, *, own: bool) -> PostView:
    """The post of this address as its reader sees it, or 404: one's own, or somebody else's."""
    services = of(request)
    async with services.database.reading() as session:
        card = await cards.visible(session, request.path_params["id"], reader=request.user.id)
    if card is None or (own and card.author_id != request.user.id):
        raise NotFound
    catalogue = await snapshot.current(services.database)
    return wire.post_view(card, catalogue, language=language(request), reader=request.user.id)


async def confirm(request: Request) -> Response:
    """Still here."""
    post_id = request.path_params["id"]
    async with of(request).database.transaction() as session:
        await actions.confirm(session, post_id, by=request.user, now=clock.now())
    return go(request, f"/posts/{post_id}", said=N_("Thank you: the others see that this still stands."))


def _over(request: Request, post: PostView) -> Response | None:
    """The way back to a post that has ended: there is nothing left to end."""
    return go(request, f"/posts/{post.id}", said=PostNotOpen.text) if post.state in ENDED else None


async def show_resolve(request: Request) -> Response:
    post = await _seen(request, own=True)
    return _over(request, post) or page(request, "posts/resolve.html", post=post, outcomes=OUTCOMES)


async def resolve(request: Request) -> Response:
    """已解决."""
    form, post = await forms.read(request), await _seen(request, own=True)
    if over := _over(request, post):
        return over
    with or_again("posts/resolve.html", form=form, post=post, outcomes=OUTCOMES):
        done = await parse({"outcome": form.get("outcome")} if form.has("outcome") else {}, ResolveDraft)
        async with of(request).database.transaction() as session:
            await actions.resolve(session, post.id, done.outcome, by=request.user, now=clock.now())
    return go(request, f"/posts/{post.id}", said=N_("Solved. How good to hear!"))


async def show_withdraw(request: Request) -> Response:
    post = await _seen(request, own=True)
    return _over(request, post) or page(request, "posts/withdraw.html", post=post)


async def withdraw(request: Request) -> Response:
    """Taken down."""
    post = await _seen(request, own=True)
    if over := _over(request, post):
        return over
    with or_again("posts/withdraw.html", post=post):
        async with of(request).database.transaction() as session:
            await actions.withdraw(session, post.id, by=request.user, now=clock.now())
    return go(request, f"/posts/{post.id}", said=N_("Your post is taken down."))


async def show_report(request: Request) -> Response:
    return page(request, "posts/report.html", post=await _seen(request, own=False), reasons=REASONS)


async def report(request: Request) -> Response:
    """Ask a moderator to look at a post."""
    form, post = await forms.read(request), await _seen(request, own=False)
    raw: dict[str, Any] = {"reason": form.get("reason")} if form.has("reason") else {}
    key = await of(request).keys.get(request.user.id)
    with or_again("posts/report.html", form=form, post=post, reasons=REASONS):
        draft = await parse({**raw, "note": form.get("note")}, ReportDraft)
        may_act(request.user)
        async with deed(request) as d:
            await actions.report(d.session, post.id, draft, by=request.user, data_key=key, now=clock.now())
            return await d.go("/posts", said=N_("Thank you. A moderator will look at it."))


PAGES = (
    row("POST", "/posts/{id}/confirm", confirm, SIGNED_IN, "Still here", limit="write"),
    row("GET", "/posts/{id}/resolve", show_resolve, SIGNED_IN, "Solved?"),
    row("POST", "/posts/{id}/resolve", resolve, SIGNED_IN, "Solved"),
    row("GET", "/posts/{id}/withdraw", show_withdraw, SIGNED_IN, "Take down?"),
    row("POST", "/posts/{id}/withdraw", withdraw, SIGNED_IN, "Take down"),
    row("GET", "/posts/{id}/report", show_report, SIGNED_IN, "Why a moderator should look"),
    row("POST", "/posts/{id}/report", report, SIGNED_IN, "Report a post", limit="write"),
)
