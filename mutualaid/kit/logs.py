"""Structured logs that cannot carry personal data: only listed fields are written, tracebacks without their messages."""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

ALLOWED = frozenset(
    (
        *("event", "level", "timestamp", "method", "route", "status", "ms", "code", "kind", "error", "at", "count"),
        *("job", "attempts", "worker", "lag_s", "due", "parked", "seconds", "memory_mb", "setting", "version"),
        *("provider", "maker", "dialect", "bell", "dropped"),
    )
)
_FRAMES = 8


def _only_listed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what is not on the list; say how much was dropped, so that a mistake is seen and still leaks nothing."""
    kept = {name: value for name, value in event.items() if name in ALLOWED}
    if problem := event.pop("exc_info", None):
        kept["error"], kept["at"] = where(problem if isinstance(problem, BaseException) else sys.exc_info()[1])
    if dropped := len(event.keys() - kept.keys()):
        kept["dropped"] = dropped
    return kept


def where(problem: BaseException | None) -> tuple[str, list[str]]:
    """An exception's class, its causes' classes, and its last frames (file:line function): never a message, which may
    repeat what people wrote."""
    if problem is None:
        return "", []
    chain, cause = [type(problem).__name__], problem.__cause__
    while cause is not None and len(chain) < _FRAMES:
        chain.append(type(cause).__name__)
        cause = cause.__cause__
    frames = traceback.extract_tb(problem.__traceback__)[-_FRAMES:]
    return " from ".join(chain), [f"{'/'.join(f.filename.split('/')[-2:])}:{f.lineno} {f.name}" for f in frames]


class _NoMessages(logging.Handler):
    """Other libraries' warnings: their logger and level only, for their messages are not ours to vouch for."""

    def emit(self, record: logging.LogRecord) -> None:
        error, at = where(record.exc_info[1]) if record.exc_info else (record.name, [])
        structlog.get_logger().log(record.levelno, "library", kind=record.name, error=error, at=at)


def _crashed(_kind: type[BaseException], problem: BaseException | None, _trace: TracebackType | None) -> None:
    """What Python would print of an exception that nobody caught, without its message."""
    if isinstance(problem, KeyboardInterrupt):
        return
    structlog.get_logger().error("crashed", exc_info=problem)


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
    logging.captureWarnings(True)  # Python's own would quote a source line
    sys.excepthook = _crashed
    sys.unraisablehook = lambda told: _crashed(told.exc_type, told.exc_value, told.exc_traceback)
    threading.excepthook = lambda told: _crashed(told.exc_type, told.exc_value, told.exc_traceback)
