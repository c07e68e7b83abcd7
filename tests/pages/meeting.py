"""Two people who have found each other by browser, for the tests of what comes then."""

import re

from tests.harness import House
from tests.pages.visitor import Page, Visitor


async def two(house: House) -> tuple[Visitor, Visitor]:
    """Somebody who needs and somebody who gives, both verified."""
    needer = await Visitor(house).settled("王小明")
    giver = await Visitor(house).settled("李大力")
    return needer, giver


def post_of(page: Page) -> str:
    assert page.status == 200 and re.fullmatch(r"/posts/[0-9a-f]{40}", page.path), page.text
    return page.path


async def first_match(visitor: Visitor) -> Page:
    page = await visitor.open("/me/matches")
    return await visitor.open(next(link for link in page.links() if link.startswith("/matches/")))


async def agreed(house: House) -> tuple[Visitor, Visitor, str, str, str]:
    """Needer, giver, the need's address, the match's and the contact's."""
    needer, giver = await two(house)
    need = post_of(await needer.publish())
    await giver.publish("offer")
    await house.work()
    match = (await first_match(needer)).path
    for visitor in (needer, giver):
        page = await visitor.open(match)
        await visitor.send(page.form(f"{match}/accept"))
    await house.work()
    page = await needer.open("/me/contacts")
    return needer, giver, need, match, next(link for link in page.links() if link.startswith("/contacts/"))
