"""Consents as rows, for tests that make members without a door."""

from datetime import datetime

from mutualaid.kit.ids import new_id
from mutualaid.members.consent_texts import PURPOSES, TEXTS
from mutualaid.members.records import Consent


def all_given(member_id: str, at: datetime) -> list[Consent]:
    """Every purpose, to the texts as they stand."""
    return [
        Consent(
            id=new_id(),
            member_id=member_id,
            purpose=purpose,
            version=TEXTS[purpose].version,
            text_hash=TEXTS[purpose].hash,
            channel="api",
            given_at=at,
        )
        for purpose in PURPOSES
    ]
