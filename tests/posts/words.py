"""What tests of searching ask: what is found, and which words lie where."""

from collections.abc import Awaitable, Callable

from sqlalchemy import func, select

from mutualaid.posts import word_store
from mutualaid.posts.records import PostWord, UnsortedWords
from tests.harness import House, Person

Settle = Callable[[], Awaitable[None]]


async def found(reader: Person, q: str, **more: str) -> list[str]:
    answer = await reader.get("/posts", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return [card["id"] for card in answer.json()["items"]]


async def words_of(house: House, post_id: str) -> set[str]:
    async with house.services.database.reading() as session:
        unsorted = await session.get(UnsortedWords, post_id)
        words = await session.scalars(select(PostWord.word).where(PostWord.post_id == post_id))
        return {*words, *(unsorted.words if unsorted else ())}


async def sort(house: House) -> None:
    """As the worker does when there are many."""
    async with house.services.database.transaction() as session:
        assert await word_store.sort(session, most=9) > 0
    assert await unsorted(house) == 0


async def unsorted(house: House) -> int:
    async with house.services.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(UnsortedWords)) or 0
