"""Consents: separate, versioned, proved, withdrawn with effect."""

import asyncio

import pytest
from sqlalchemy import select

from mutualaid.kit.clock import now
from mutualaid.kit.errors import Invalid
from mutualaid.members import consent_texts, consents, needs
from mutualaid.members.consent_texts import PURPOSES, TEXTS
from mutualaid.members.errors import ConsentNeeded
from mutualaid.members.records import Consent
from mutualaid.services import Services
from tests.members.people import a_member, consenting


async def _rows(services: Services) -> list[Consent]:
    async with services.database.reading() as session:
        return list(await session.scalars(select(Consent).order_by(Consent.given_at)))


async def test_every_missing_purpose_is_named_at_once_and_in_order(services: Services) -> None:
    signed = await a_member(services)
    await consenting(services, signed.member.id, "publish_nearby")

    with pytest.raises(ConsentNeeded) as refusal:
        await consents.require(services.database, signed.member.id, ["phone_masking", "publish_nearby", "health_need"])

    assert [error.field for error in refusal.value.fields] == ["health_need", "phone_masking"]


async def test_one_purpose_given_gives_no_other(services: Services) -> None:
    signed = await a_member(services)

    await consenting(services, signed.member.id, "health_need")

    async with services.database.reading() as session:
        assert await needs.consented(session, signed.member.id) == {"health_need"}


async def test_a_row_proves_which_words_were_consented_to(services: Services) -> None:
    signed = await a_member(services)

    await consenting(services, signed.member.id, "notices")

    (row,) = await _rows(services)
    assert (row.purpose, row.version, row.text_hash) == ("notices", 1, TEXTS["notices"].hash)
    assert row.channel == "test" and row.given_at == now() and row.withdrawn_at is None


async def test_giving_twice_or_at_once_is_one_consent(services: Services) -> None:
    signed = await a_member(services)

    await asyncio.gather(*(consenting(services, signed.member.id, "notices") for _ in range(4)))

    assert len(await _rows(services)) == 1


async def test_a_version_that_is_not_the_present_one_is_refused(services: Services) -> None:
    signed = await a_member(services)

    with pytest.raises(Invalid) as refusal:
        async with services.database.transaction() as session:
            await consents.give(session, signed.member.id, "notices", version=2, channel="test", now=now())

    assert [error.field for error in refusal.value.fields] == ["version"]


async def test_a_changed_text_needs_a_new_consent(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = await a_member(services)
    await consenting(services, signed.member.id, "notices")
    old = TEXTS["notices"]
    changed = consent_texts.ConsentText("notices", 2, old.title, {**old.text, "en": "Other words."})
    monkeypatch.setitem(TEXTS, "notices", changed)

    with pytest.raises(ConsentNeeded):
        await consents.require(services.database, signed.member.id, ["notices"])
    await consenting(services, signed.member.id, "notices")

    await consents.require(services.database, signed.member.id, ["notices"])
    rows = {row.version: row.withdrawn_at is None for row in await _rows(services)}
    assert rows == {1: False, 2: True}


async def test_what_is_withdrawn_no_longer_counts_and_stays_as_proof(services: Services) -> None:
    signed = await a_member(services)
    await consenting(services, signed.member.id, "notices")

    async with services.database.transaction() as session:
        assert await consents.withdraw(session, signed.member.id, "notices", now=now())
    async with services.database.transaction() as session:
        assert not await consents.withdraw(session, signed.member.id, "notices", now=now())

    with pytest.raises(ConsentNeeded):
        await consents.require(services.database, signed.member.id, ["notices"])
    (row,) = await _rows(services)
    assert row.withdrawn_at == now()


def test_every_purpose_has_its_words_in_both_languages_and_its_own_hash() -> None:
    assert tuple(TEXTS) == PURPOSES
    assert len({text.hash for text in TEXTS.values()}) == len(PURPOSES)
    for text in TEXTS.values():
        assert all(text.title[spoken] and text.text[spoken] for spoken in ("zh-Hans", "en"))


def test_other_words_have_another_hash() -> None:
    old = TEXTS["notices"]

    changed = consent_texts.ConsentText("notices", 1, old.title, {**old.text, "zh-Hans": old.text["zh-Hans"] + "。"})

    assert changed.hash != old.hash
