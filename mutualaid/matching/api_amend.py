"""The API's door to changing a post: here, above posts, since it may end what is proposed."""

from starlette.requests import Request
from starlette.responses import Response

from mutualaid.kit import clock
from mutualaid.kit.doors import deed, language, read
from mutualaid.kit.endpoints import Endpoint
from mutualaid.kit.errors import ProviderUnavailable
from mutualaid.matching import amending
from mutualaid.members import consents
from mutualaid.members.errors import ConsentNeeded, Suspended
from mutualaid.members.policies import SIGNED_IN, may_act
from mutualaid.posts.api import answer_own
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostAmendment
from mutualaid.posts.errors import PostNotOpen, QuantityHeld
from mutualaid.posts.needs import consents_for_change, doubtful
from mutualaid.posts.wire import PostView
from mutualaid.services import of


async def amend(request: Request) -> Response:
    """Change one's own post."""
    services = of(request)
    checker = await Checker.at_door(services, language(request))
    change = await read(request, PostAmendment, check=checker.amendment)
    await consents.require(services.database, request.user.id, consents_for_change(change))
    may_act(request.user)
    unsure = await doubtful(services, change.note or "")
    async with deed(request) as d:
        post = await amending.amend(
            d.session,
            request.path_params["id"],
            change,
            by=request.user,
            doubtful=unsure,
            catalogue=checker.catalogue,
            now=clock.now(),
        )
        return await answer_own(request, d, post, checker.catalogue)


ENDPOINTS = (
    Endpoint(
        "PATCH",
        "/api/v1/posts/{id}",
        amend,
        SIGNED_IN,
        {200: PostView},
        "Change one's own post",
        body=PostAmendment,
        problems=(ConsentNeeded, PostNotOpen, QuantityHeld, Suspended, ProviderUnavailable),
        tag="posts",
        replayable=True,
        limit="write",
    ),
)
