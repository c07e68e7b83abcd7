"""The kit: database, outbox, audit, idempotency, policies, errors, geography, phones, clock, limits, sealing, logs, settings.

No word of mutual aid is spoken in here; every room may use it and it uses none of them.
"""
