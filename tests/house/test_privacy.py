"""What the tables hold of people: each column says how, and nothing else is there to be found.

A column that can hold words is declared with `info=SEALED|LOOKUP|CLEAR` (kit/privacy.py) or stands in TECHNICAL with the
reason why it tells nothing of a person. Whoever adds one must choose.
"""

import json
import re
from typing import Any

import pytest
from sqlalchemy import JSON, Column, LargeBinary, MetaData, String, Table, Text, select

from mutualaid.kit import audit
from mutualaid.kit.coordinates import to_wgs84
from mutualaid.kit.outbox import Job
from mutualaid.kit.privacy import CLEAR, LOOKUP, SEALED
from mutualaid.kit.sealing import DataKey
from mutualaid.tables import METADATA
from tests.harness import House, a_need, an_offer

# Why a column tells nothing: these names mean the same in every table.
EVERYWHERE = {
    "state": "a word of our own", "kind": "a word of our own", "reason": "a word of our own",
    "because": "a word of our own", "channel": "a word of our own", "outcome": "a word of our own",
    "role": "a word of our own", "deed": "a word of our own",
}  # fmt: skip
PUBLIC = {"catalogue_items", "catalogue_versions", "regions", "region_sources"}  # published by us; no person in them
TECHNICAL = {
    "audit_rows.actor": "a pseudonym",
    "audit_rows.subject": "a pseudonym",
    "audit_rows.facts": "codes and pseudonyms, see kit.audit.note",
    "audit_rows.mac": "a signature",
    "audit_rows.link": "a signature",
    "calls.by": "a or b",
    "calls.call_id": "the vendor's random name of a call",
    "calls.maker": "a maker's name",
    "cases.subject_id": "a pseudonym",
    "case_members.part": "a word of our own",
    "calls.cause": "a word of our own",
    "consents.purpose": "a word of our own",
    "consents.text_hash": "of a text of ours",
    "fake_bindings.key": "random",
    "fake_bindings.extension": "digits of our own",
    "fake_bindings.x": "one of our own numbers",
    "idempotency_slots.owner": "a pseudonym",
    "idempotency_slots.day_key": "a day",
    "jobs.name": "a word of our own",
    "jobs.payload": "ids and codes only, see kit.outbox",
    "jobs.key": "ids and codes only",
    "jobs.lease_token": "random",
    "jobs.last_error": "a class name",
    "leases.extension": "digits of our own",
    "leases.x": "one of our own numbers",
    "leases.failed": "a word of our own",
    "leases.binding_key": "random",
    "leases.binding_ref": "the vendor's random name of a binding",
    "matches.closed_by": "need or offer",
    "members.status": "a word of our own",
    "matches.objection": "a word of our own",
    "members.language": "zh-Hans or en",
    "members.real_name": "none, checked or vouched",
    "notices.params": "ids and codes only, see notices.actions.tell",
    "notices.subject_type": "a word of our own",
    "notices.occasion": "a word of our own, or a pseudonym",
    "once_marks.mark": "random of the vendor's",
    "once_marks.scope": "a word of our own",
    "pool_numbers.city": "a city's code",
    "pool_numbers.x": "one of our own numbers",
    "posts.contact": "a word of our own",
    "posts.handover": "words of our own",
    "posts.hidden_by": "a word of our own",
    "posts.urgency": "a word of our own",
    "rulings.salt": "random, erased with the note that it salts",
    "seats.extension": "digits of our own",
    "seats.x": "one of our own numbers",
    "sessions.token_hash": "SHA-256 of 256 random bits",
    "vendor_bindings.extension": "digits of our own",
    "vendor_bindings.key": "random",
    "vendor_bindings.maker": "a maker's name",
    "vendor_bindings.ref": "the vendor's random name of a binding",
    "vendor_bindings.x": "one of our own numbers",
}


def name_of(column: Column[Any]) -> str:
    return f"{column.table.name}.{column.name}"


def can_hold_words(column: Column[Any]) -> bool:
    return isinstance(column.type, String | LargeBinary | JSON)  # Text is a String


def is_pseudonym(column: Column[Any]) -> bool:
    named_so = column.name == "id" or column.name.endswith(("_id", "claimed_by"))
    return isinstance(column.type, String) and (named_so or bool(column.foreign_keys))


def undeclared(metadata: MetaData) -> list[str]:
    return sorted(
        name_of(column)
        for table in metadata.tables.values()
        for column in table.columns
        if can_hold_words(column)
        and table.name not in PUBLIC
        and column.info.get("privacy") not in ("sealed", "lookup", "clear")
        and not is_pseudonym(column)
        and column.name not in EVERYWHERE
        and name_of(column) not in TECHNICAL
    )


def test_every_column_that_can_hold_words_says_what_it_holds_of_a_person() -> None:
    assert undeclared(METADATA) == []


@pytest.mark.parametrize("kind", [String(), Text(), LargeBinary(), JSON(), String(40)], ids=repr)
def test_a_planted_column_without_a_declaration_is_found(kind: Any) -> None:
    planted = MetaData()
    Table("confidants", planted, Column("id", String, primary_key=True), Column("mothers_name", kind))

    assert undeclared(planted) == ["confidants.mothers_name"]


@pytest.mark.parametrize("info", [SEALED, LOOKUP, CLEAR], ids=lambda info: info["privacy"])
def test_a_declared_column_is_not(info: Any) -> None:
    planted = MetaData()
    Table("confidants", planted, Column("mothers_name", LargeBinary, info=info))

    assert undeclared(planted) == []


def test_a_planted_column_of_a_real_table_is_found() -> None:
    planted = MetaData()
    for table in METADATA.tables.values():
        table.to_metadata(planted)
    planted.tables["members"].append_column(Column("nickname", String))

    assert undeclared(planted) == ["members.nickname"]


def test_the_list_of_reasons_names_nothing_that_is_gone_or_declared() -> None:
    columns = {name_of(column): column for table in METADATA.tables.values() for column in table.columns}

    assert sorted(TECHNICAL.keys() - columns.keys()) == []
    assert [name for name in TECHNICAL if columns[name].info.get("privacy")] == []


def test_what_is_sealed_or_looked_up_is_bytes() -> None:
    declared = [
        (name_of(column), column)
        for table in METADATA.tables.values()
        for column in table.columns
        if column.info.get("privacy") in ("sealed", "lookup")
    ]

    assert len(declared) > 12
    assert [name for name, column in declared if not isinstance(column.type, LargeBinary)] == []
    assert {"members.phone", "members.legal_name", "members.openid", "anchors.point"} <= {n for n, _ in declared}


def test_a_key_cannot_be_shown() -> None:
    assert re.fullmatch(r"DataKey\(…\)", repr(DataKey.make()))


# ---- what is really there after a day's work ---------------------------------------------------------------------

HOME = (22.81432109, 108.37067853)
NAME, NOTE, WORDS, REPORT = (
    "欧阳震华",
    "三天没退烧了,打 13912345678 找我",
    "楼下保安亭见,我穿红外套",
    "这个人好像在倒卖药",
)


async def a_day(house: House) -> tuple[list[str], list[str]]:
    """Two people meet, write and report. What must never be found in the open, and what may be."""
    needer, giver = await house.member(NAME), await house.member("诸葛大力")
    lat, lng = to_wgs84(*HOME, "gcj02")
    place = {"lat": HOME[0], "lng": HOME[1], "crs": "gcj02"}
    need = await needer.publish(a_need(note=NOTE, contact="anyone") | {"place": place})
    offer = await giver.publish(an_offer())
    await house.work()

    contact = (await giver.post(f"/posts/{need['id']}/contact")).json()
    await house.work()
    said = await giver.post(f"/contacts/{contact['id']}/messages", {"text": WORDS})
    told = await giver.post(f"/posts/{need['id']}/reports", {"reason": "selling", "note": REPORT})
    assert (said.status_code, told.status_code) == (201, 201), (said.text, told.text)
    await house.work()

    hidden = [NAME, "诸葛大力", "13912345678", WORDS, REPORT, needer.token, giver.token]
    hidden += [needer.phone, giver.phone, needer.phone[3:], giver.phone[3:]]
    hidden += [text for number in (*HOME, lat, lng) for text in (f"{number:.6f}", f"{number:.5f}", str(number))]
    return hidden, [need["id"], offer["id"]]


def rendered(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="ignore") + "|" + value.hex()
    return json.dumps(value, ensure_ascii=False, default=str)


async def test_nothing_personal_is_in_the_open_after_a_days_work(house: House) -> None:
    hidden, open_ids = await a_day(house)

    dumped: dict[str, str] = {}
    async with house.services.database.reading() as session:
        for table in METADATA.sorted_tables:
            rows = (await session.execute(select(table))).all()
            dumped[table.name] = "\n".join(rendered(value) for row in rows for value in row)

    assert all(post_id in dumped["posts"] for post_id in open_ids)  # the dump holds what it should
    found = [
        (table, secret)
        for table, text in dumped.items()
        for secret in hidden
        if secret in text or secret.encode().hex() in text
    ]
    assert found == []


async def test_jobs_and_audit_rows_hold_ids_and_codes_only(house: House) -> None:
    """Jobs go when they are done, so they are looked at while the worker rests."""
    payloads: list[dict[str, str]] = []
    work = house.worker.work_once

    async def looking() -> int:
        async with house.services.database.reading() as session:
            payloads.extend(await session.scalars(select(Job.payload)))
        return await work()

    house.worker.work_once = looking  # type: ignore[method-assign]  # looks over the worker's shoulder
    await a_day(house)

    async with house.services.database.reading() as session:
        facts = [json.loads(text) for text in await session.scalars(select(audit.AuditRow.facts))]
        actors = list(await session.scalars(select(audit.AuditRow.actor)))
    assert len(payloads) > 10 and len(facts) > 10
    words = [word for told in (*payloads, *facts) for word in told.values() if isinstance(word, str)]
    assert [
        word
        for word in words
        if not re.fullmatch(r"[0-9a-zA-Z_.:+-]{0,64}", word) or re.fullmatch(r"(\+86)?1[3-9]\d{9}", word)
    ] == []
    assert [actor for actor in actors if actor is not None and not re.fullmatch("[0-9a-f]{32}", actor)] == []
