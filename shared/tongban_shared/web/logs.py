"""Logs: one JSON object a line, from an allow-list of fields; id numbers and names never get through.

The allow-list is the rule. The redaction is the second net, for free text and for other libraries' messages.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence, Set as AbstractSet
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from tongban_shared.web.trace import trace_id

EventDict = MutableMapping[str, Any]

ALLOWED = frozenset(
    {
        *("event", "level", "logger", "timestamp", "service", "trace_id", "province", "pid", "version"),
        *("case_id", "case_type", "item", "task_id", "message_id", "message_type", "state", "step", "family"),
        *("sender", "receiver", "epoch", "code", "reason", "status", "method", "route", "port", "at"),
        *("error_type", "count", "total", "size_bytes", "duration_ms", "lag", "backlog", "attempt", "since"),
        *("seed", "cycle", "key_id", "log_id", "position", "unit", "dropped", "mode", "checks", "seconds"),
    }
)
"""Fields that may be logged. None of them can tell who a person is."""

REDACTED = "[redacted]"
# A case number is 21 characters and stays; 18 that look like an id number go, whatever stands round them.
_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_PERSONAL = re.compile(r"(^|_)(names?|address|id_numbers?|phone|photo|birth_date)$")


def allow_listed(_: object, __: str, event: EventDict) -> EventDict:
    """Drop each field that is not on the list, and say how many went."""
    strangers = [name for name in event if name not in ALLOWED and not name.startswith("_")]
    for name in strangers:
        del event[name]
    if strangers:
        event["dropped"] = len(strangers)
    return event


def redacted(_: object, __: str, event: EventDict) -> EventDict:
    """Replace id numbers in all text, and every value of a personal field, however deep."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _field(name, value)
    return event


def _field(name: str, value: object) -> object:
    return REDACTED if _PERSONAL.search(name) else redact(value)


def redact(value: object) -> object:
    """Return the value without id numbers and without what stands in personal fields."""
    if isinstance(value, str):
        return _ID_NUMBER.sub(REDACTED, value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {_ID_NUMBER.sub(REDACTED, str(key)): _field(str(key), part) for key, part in value.items()}
    if isinstance(value, Sequence | AbstractSet):
        return [redact(part) for part in value]
    return value if isinstance(value, int | float | bool | None) else redact(str(value))


def _with_trace(_: object, __: str, event: EventDict) -> EventDict:
    current = trace_id()
    if current is not None:
        event["trace_id"] = current
    return event


def _type_of_exception_only(_: object, __: str, event: EventDict) -> EventDict:
    """An exception's text may hold what was sent; its type does not."""
    info = event.pop("exc_info", None)
    error = sys.exception() if info is True else info
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
    return event


def configure_logs(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send our logs and those of all libraries to `stream` (standard error) as JSON. Call once, in main()."""

    def with_service(_: object, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
        with_service,
        _type_of_exception_only,
        allow_listed,
        redacted,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _route_standard_library(shared, level, stream or sys.stderr)
    _quieten(level)


def _route_standard_library(shared: list[Processor], level: str, stream: TextIO) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _quieten(level: str) -> None:
    """A line for each question to the ledger, and three for each schema as it should be, tell nobody.

    aiokafka writes thirty lines a second while a broker is away, and parcels at DEBUG; ours says it once.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if level != "DEBUG":
        for name in ("httpx", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
