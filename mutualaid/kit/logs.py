"""Structured logs that cannot carry personal data: only listed fields are written, tracebacks without their messages."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset(
    (
        *("event", "level", "timestamp", "method", "route", "status", "ms", "code", "kind", "error", "at", "count"),
        *("job", "attempts", "worker", "lag_s", "due", "parked", "seconds", "memory_mb", "setting", "version"),
        *("provider", "maker", "dialect", "bell", "address"),
    )
)


def _only_listed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what is not on the list; say which names were dropped, so that a mistake is seen and still leaks nothing."""
    dropped = sorted(name for name in event if name not in ALLOWED and name != "exc_info")
    kept = {name: value for name, value in event.items() if name in ALLOWED}
    if dropped:
        kept["count"] = len(dropped)
        kept["kind"] = "fields_dropped"
    if problem := event.get("exc_info"):
        kept["error"], kept["at"] = where(problem if isinstance(problem, BaseException) else sys.exc_info()[1])
    return kept


def where(problem: BaseException | None) -> tuple[str, list[str]]:
    """An exception's class and its frames (file:line function): never its message, which may repeat what people wrote."""
    if problem is None:
        return "", []
    frames = traceback.extract_tb(problem.__traceback__)[-8:]
    return type(problem).__name__, [f"{f.filename.rsplit('/', 3)[-1]}:{f.lineno} {f.name}" for f in frames]


class _NoMessages(logging.Handler):
    """Other libraries' warnings: their logger and level only, for their messages are not ours to vouch for."""

    def emit(self, record: logging.LogRecord) -> None:
        error, at = where(record.exc_info[1]) if record.exc_info else (record.name, [])
        structlog.get_logger().log(record.levelno, "library", kind=record.name, error=error, at=at)


def configure() -> None:
    """One JSON object a line on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_listed,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_NoMessages(level=logging.WARNING)]
