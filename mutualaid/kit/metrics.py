"""Counters for `/metrics`. Labels are routes and codes from our own tables, never what somebody sent."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter("mutualaid_requests", "Requests answered", ("method", "route", "status"), registry=REGISTRY)
SECONDS = Histogram(
    "mutualaid_request_seconds",
    "Seconds until a request was answered",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
JOBS_DUE = Gauge("mutualaid_jobs_due", "Jobs whose time has come", registry=REGISTRY)
JOBS_PARKED = Gauge("mutualaid_jobs_parked", "Jobs that failed too often and wait for a person", registry=REGISTRY)
WORKER_LAG = Gauge("mutualaid_worker_lag_seconds", "Seconds that the oldest due job has waited", registry=REGISTRY)
NUMBERS = Gauge("mutualaid_numbers", "Masked numbers of ours that are given out", registry=REGISTRY)
NUMBERS_LIVE = Gauge("mutualaid_numbers_live_pairs", "Pairs that the vendor holds on them", registry=REGISTRY)
NUMBERS_RESTING = Gauge("mutualaid_numbers_resting_seats", "Persons for whom a number is at rest", registry=REGISTRY)
NUMBERS_PRESSURE = Gauge(
    "mutualaid_numbers_pressure",
    "1: somebody is refused. pairs: how full the fullest number is; person: the share of all numbers that one person has",
    ("by",),
    registry=REGISTRY,
)
NUMBERS_EXHAUSTED = Counter("mutualaid_numbers_exhausted", "Asks for which no number was free", registry=REGISTRY)
PLAZA_INDEX_POSTS = Gauge("mutualaid_plaza_index_posts", "Posts held in memory; 0: tables answer", registry=REGISTRY)
PLAZA_INDEX_STALENESS = Gauge(
    "mutualaid_plaza_index_staleness_seconds", "Seconds since the feed of changes was read last", registry=REGISTRY
)
MATCHING_FALLBACKS = Counter(
    "mutualaid_matching_fallbacks",
    "What was not done exactly: a part (solver), a whole market (process), a move that the database refused (move)",
    ("what",),
    registry=REGISTRY,
)
MATCHING_GAP = Gauge(
    "mutualaid_matching_gap_units",
    "Units below the bound in the last sweep of which a part was solved greedily",
    registry=REGISTRY,
)


def exposition() -> bytes:
    """Everything in Prometheus's text format."""
    return generate_latest(REGISTRY)
