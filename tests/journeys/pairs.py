"""Two who could help each other, and what a journey says of their match."""

from typing import Any

from tests.harness import House, Person, a_need, an_offer

NEAR = (22.8300, 108.3665)  # about 1.5 km north of home


async def two_members(house: House) -> tuple[Person, Person]:
    return await house.member("王小明"), await house.member("李大力")


async def matches_of(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await person.get("/me/matches")).json()["items"]
    return found


async def a_proposal(house: House, needer: Person, giver: Person, **more: Any) -> dict[str, Any]:
    await needer.publish(a_need(**more))
    await giver.publish(an_offer())
    await house.work()
    return (await matches_of(needer))[0]


async def an_agreement(house: House, needer: Person, giver: Person, **more: Any) -> dict[str, Any]:
    match = await a_proposal(house, needer, giver, **more)
    for person in (needer, giver):
        assert (await person.post(f"/matches/{match['id']}/accept")).status_code == 200
    return match


def all_of_it(match: dict[str, Any], quantity: int) -> dict[str, Any]:
    return {"lines": [{"need_line": match["lines"][0]["need_line"], "quantity": quantity}]}


async def amounts_of(person: Person, post_id: str) -> tuple[int, int]:
    line = (await person.get(f"/posts/{post_id}")).json()["lines"][0]
    return line["remaining"], line["held"]


def a_pledge(match: dict[str, Any], mine: str, quantity: int) -> dict[str, Any]:
    line = match["lines"][0]
    return {
        "post": mine,
        "lines": [{"need_line": line["need_line"], "offer_line": line["offer_line"], "quantity": quantity}],
    }


def a_pledge_of_first_lines(need: dict[str, Any], offer: dict[str, Any], mine: dict[str, Any]) -> dict[str, Any]:
    pair = {"need_line": need["lines"][0]["id"], "offer_line": offer["lines"][0]["id"], "quantity": 2}
    return {"post": mine["id"], "lines": [pair]}
