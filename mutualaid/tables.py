"""Every table of the house in one metadata: importing this module declares them all."""

from mutualaid.catalogue import records as catalogue
from mutualaid.contacts import records as contacts
from mutualaid.kit import audit, idempotency, once, outbox
from mutualaid.kit.database import Base
from mutualaid.matching import records as matching
from mutualaid.members import records as members
from mutualaid.moderation import records as moderation
from mutualaid.notices import records as notices
from mutualaid.posts import plaza_records as plaza
from mutualaid.posts import records as posts
from mutualaid.providers.numbers import fake as fake_numbers
from mutualaid.providers.numbers import ledger as vendor_numbers
from mutualaid.regions import records as regions

DECLARED = (
    audit,
    idempotency,
    once,
    outbox,
    members,
    catalogue,
    regions,
    posts,
    plaza,
    matching,
    notices,
    moderation,
    contacts,
    fake_numbers,
    vendor_numbers,
)
METADATA = Base.metadata
