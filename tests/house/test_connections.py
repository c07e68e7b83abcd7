"""Nobody asks for a second connection while holding one.

Where every connection is held by somebody who waits for another, nobody goes on until all have given up; under load that
is a standstill. So whole journeys are run again here over a pool of a single connection and with nothing remembered:
whoever asks twice is a 503, and its journey fails.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mutualaid.catalogue import snapshot
from mutualaid.kit.database import Database
from mutualaid.kit.errors import Overloaded
from mutualaid.kit.settings import Settings
from mutualaid.wiring import open_services
from tests.account import test_account
from tests.harness import House, open_house
from tests.journeys import test_contacts, test_first_post, test_matching, test_moderation, test_pledges
from tests.moments import Clock
from tests.pages import test_meeting, test_moderating, test_reaching

Journey = Callable[[House], Awaitable[None]]

JOURNEYS: list[Journey] = [
    test_first_post.test_a_need_is_posted_and_read_by_a_neighbour,
    test_first_post.test_a_post_is_resolved_once_and_then_gone_for_others,
    test_matching.test_completed_in_full_a_post_resolves_itself,
    test_pledges.test_a_pledge_from_the_plaza_is_accepted_by_the_other_side,
    test_matching.test_a_post_that_ends_takes_its_matches_with_it_and_frees_the_others,
    test_contacts.test_a_plaza_call_reaches_the_other_and_nobody_else,
    test_contacts.test_a_contact_is_extended_three_times_and_ends_by_the_clock,
    test_contacts.test_words_are_scrubbed_and_reach_the_other_only,
    test_contacts.test_a_played_call_is_decided_recorded_and_asks_both_whether_it_is_solved,
    test_contacts.test_an_agreed_match_gives_each_a_number_that_lasts_until_a_post_ends,
    test_moderation.test_a_sellers_post_is_reported_closed_and_its_number_reaches_nobody,
    test_account.test_withdrawing_phone_masking_ends_the_number_and_leaves_words,
    test_account.test_another_phone_ends_every_number,
    test_account.test_the_export_holds_what_is_held_in_clear_and_nothing_of_others,
    test_account.test_erasure_ends_everything_at_once_and_the_chain_still_holds,
    test_meeting.test_a_suggested_match_is_agreed_called_and_handed_over,
    test_reaching.test_leaving_for_good_signs_out_and_keeps_nothing_readable,
    test_moderating.test_a_moderator_claims_a_case_and_closes_the_post_with_a_reason,
]


@pytest.fixture
def dialect() -> str:
    return "sqlite"  # which of the two does not matter: the pool is in front of both


@pytest.fixture
async def narrow(settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house in which one connection is all there is, and the catalogue is read anew each time."""
    monkeypatch.setattr(snapshot, "_FRESH_S", 0.0)
    async with open_services(settings) as services:
        one = Database(settings.database_url, services.ring, pool_size=1, pool_timeout=5)
        one.on_commit = services.bells.ring
        async with open_house(replace(services, database=one), clock) as house:
            yield house
        await one.close()


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__.removeprefix("test_"))
async def test_one_connection_is_enough_when(journey: Journey, narrow: House) -> None:
    await journey(narrow)


async def test_a_planted_second_one_is_found(tmp_path: Path, narrow: House) -> None:
    one = narrow.services.database
    with pytest.raises(Overloaded):
        async with one.transaction() as session:
            await session.execute(text("SELECT 1"))
            async with one.reading() as second:
                await second.execute(text("SELECT 1"))
