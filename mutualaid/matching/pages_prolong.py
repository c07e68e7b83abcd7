"""More time for one's own post, by browser: the same change as the API's `until`, counted from now."""

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import language
from mutualaid.kit.errors import AidError, Invalid, NotFound
from mutualaid.kit.faces import forms
from mutualaid.kit.faces.rendering import go
from mutualaid.kit.faces.rows import row
from mutualaid.kit.texts import N_
from mutualaid.matching import amending
from mutualaid.members.policies import SIGNED_IN, may_act
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostAmendment
from mutualaid.services import of

_DAYS: Final = (1, 3, 7, 14)


async def prolong(request: Request) -> Response:
    """It stays so many days from now on."""
    form, post_id = await forms.read(request), request.path_params["id"]
    days, now = forms.number(form.get("days")), clock.now()
    if days not in _DAYS:
        return go(request, f"/posts/{post_id}", said=N_("Please choose."), wrong=True)
    may_act(request.user)
    checker = await Checker.at_door(of(request), language(request))
    change = PostAmendment(until=now + timedelta(days=days))
    try:
        async with of(request).database.transaction() as session:
            await amending.amend(
                session, post_id, change, by=request.user, doubtful=False, catalogue=checker.catalogue, now=now
            )
    except (NotFound, Invalid):
        raise
    except AidError as refusal:
        return go(request, f"/posts/{post_id}", said=refusal.text, wrong=True)
    return go(request, f"/posts/{post_id}", said=N_("Your post has more time."))


PAGES = (row("POST", "/posts/{id}/prolong", prolong, SIGNED_IN, "More time for one's own post", limit="write"),)
