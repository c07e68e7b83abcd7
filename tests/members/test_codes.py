"""One-time codes: one use, five tries, ten minutes, whatever the race."""

import asyncio

import pytest
from sqlalchemy import func, select

from mutualaid.kit.audit import AuditRow
from mutualaid.kit.clock import now
from mutualaid.kit.errors import AidError
from mutualaid.kit.outbox import Job
from mutualaid.members import codes, jobs
from mutualaid.members.errors import ChallengeEnded, CodeWrong
from mutualaid.members.records import Challenge
from mutualaid.services import Services
from tests.members.people import another, asked
from tests.moments import Clock


async def test_the_right_code_proves_the_phone_once(services: Services) -> None:
    challenge, code = await asked(services)

    proof = await codes.prove(services, challenge, code, now=now())
    async with services.database.transaction() as session:
        await codes.spend(session, proof)

    assert proof.phone.e164 == "+8613800138000"
    with pytest.raises(ChallengeEnded):
        await codes.prove(services, challenge, code, now=now())


async def test_a_challenge_allows_five_wrong_codes_and_then_not_even_the_right_one(services: Services) -> None:
    challenge, code = await asked(services)

    for _ in range(5):
        with pytest.raises(CodeWrong):
            await codes.prove(services, challenge, another(code), now=now())

    with pytest.raises(ChallengeEnded):
        await codes.prove(services, challenge, code, now=now())


async def test_of_many_guesses_at_once_five_are_looked_at(services: Services) -> None:
    challenge, code = await asked(services)
    guesses = [codes.prove(services, challenge, another(code), now=now()) for _ in range(20)]

    outcomes = [type(found) for found in await asyncio.gather(*guesses, return_exceptions=True)]

    assert outcomes.count(CodeWrong) == 5
    assert outcomes.count(ChallengeEnded) == 15


async def test_of_many_with_the_right_code_one_may_spend_it(services: Services) -> None:
    challenge, code = await asked(services)

    async def use() -> None:
        proof = await codes.prove(services, challenge, code, now=now())
        async with services.database.transaction() as session:
            await codes.spend(session, proof)

    outcomes = await asyncio.gather(*(use() for _ in range(5)), return_exceptions=True)

    assert outcomes.count(None) == 1
    assert {type(found) for found in outcomes if found is not None} == {ChallengeEnded}


async def test_a_code_is_good_for_ten_minutes(services: Services, clock: Clock) -> None:
    challenge, code = await asked(services)
    clock.advance(minutes=9, seconds=59)
    proof = await codes.prove(services, challenge, code, now=now())

    clock.advance(seconds=1)

    with pytest.raises(ChallengeEnded):
        await codes.prove(services, challenge, code, now=now())
    with pytest.raises(ChallengeEnded):
        async with services.database.transaction() as session:
            await codes.spend(session, proof)


async def test_a_challenge_that_never_was_answers_like_one_that_ended(services: Services) -> None:
    with pytest.raises(ChallengeEnded):
        await codes.prove(services, "0" * 32, "123456", now=now())


async def test_a_rotated_code_key_still_opens_the_codes_it_made(services: Services) -> None:
    challenge, code = await asked(services)

    services.ring.rotate("code")

    assert (await codes.prove(services, challenge, code, now=now())).challenge == challenge


async def test_the_phone_stands_nowhere_in_clear_and_the_code_nowhere_at_all(services: Services) -> None:
    challenge, code = await asked(services)

    async with services.database.reading() as session:
        row = (await session.scalars(select(Challenge))).one()
        job = (await session.scalars(select(Job).where(Job.name == codes.SEND))).one()
        facts = list(await session.scalars(select(AuditRow.facts)))

    assert b"138001" not in row.phone
    assert job.payload == {"challenge": challenge}
    assert code not in repr(facts) and "138001" not in repr(facts)


async def test_the_code_goes_out_once_however_often_the_job_runs(services: Services) -> None:
    challenge, code = await asked(services)

    for _ in range(3):
        await jobs.send_code(services, {"challenge": challenge}, now=now())

    letters = (services.settings.outbox_dir / "sms.jsonl").read_text().splitlines()
    assert len(letters) == 1
    assert code in letters[0] and '"template": "code"' in letters[0] and "分钟" in letters[0]


async def test_a_code_that_would_come_too_late_is_not_sent(services: Services, clock: Clock) -> None:
    challenge, _ = await asked(services)
    clock.advance(minutes=10)

    await jobs.send_code(services, {"challenge": challenge}, now=now())

    assert not (services.settings.outbox_dir / "sms.jsonl").exists()


async def test_a_number_that_no_network_knows_is_let_go_silently(services: Services) -> None:
    challenge, _ = await asked(services)
    services.sms.told.fail("bad_number")  # type: ignore[attr-defined] # the fake's own handle

    await jobs.send_code(services, {"challenge": challenge}, now=now())


async def test_an_sms_maker_that_is_down_leaves_the_job_to_be_tried_again(services: Services) -> None:
    challenge, _ = await asked(services)
    services.sms.told.fail("down", times=1)  # type: ignore[attr-defined] # the fake's own handle

    with pytest.raises(AidError):
        await jobs.send_code(services, {"challenge": challenge}, now=now())
    await jobs.send_code(services, {"challenge": challenge}, now=now())

    assert len((services.settings.outbox_dir / "sms.jsonl").read_text().splitlines()) == 1


async def test_the_sweep_forgets_what_has_ended_and_only_that(services: Services, clock: Clock) -> None:
    await asked(services)
    clock.advance(minutes=10)
    kept, _ = await asked(services)

    await jobs.sweep(services, {}, now=now())

    async with services.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Challenge)) == 1
        assert await session.scalar(select(Challenge.id)) == kept
