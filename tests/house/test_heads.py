"""What a request costs before anybody knows who asks: its head, its answer when thousands of fields are wrong."""

import pytest

from mutualaid.kit.problems import MOST_TOLD
from mutualaid.shell import MOST_HEAD, MOST_HEADERS
from tests.harness import House

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # nothing here asks the database

LONG = "x" * MOST_HEAD


@pytest.mark.parametrize(
    "headers",
    [
        {"x-long": LONG},
        {"accept-language": "zh;q=1," * (MOST_HEAD // 7)},
        {"cookie": "a=b;" * (MOST_HEAD // 4)},
        {f"x-{n}": "y" for n in range(MOST_HEADERS)},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/posts", "/posts", "/healthz"])
async def test_a_head_that_no_browser_sends_is_refused_unread(house: House, path: str, headers: dict[str, str]) -> None:
    assert (await house.client.get(path, headers=headers)).status_code == 413


async def test_an_address_of_thousands_of_parameters_is_refused_unread(house: House) -> None:
    answer = await house.client.get("/api/v1/posts", params={f"a{n}": "1" for n in range(6_000)})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_of_thousands_of_unknown_fields_the_first_are_named(house: House) -> None:
    body = {f"k{n}": 1 for n in range(5_000)}

    answer = await house.client.post("/api/v1/sessions/otp", json=body)

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == MOST_TOLD and len(answer.content) < 20_000


async def test_an_honest_head_is_read(house: House) -> None:
    headers = {"cookie": "a=b;" * 1_000, "accept-language": "de, en;q=0.9, zh;q=0.8", "user-agent": "x" * 500}

    answer = await house.client.get("/api/v1/consents", headers=headers)

    assert answer.status_code == 200 and "Health need" in answer.text
