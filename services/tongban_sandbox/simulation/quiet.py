"""No logs of a thousand crashes; only what a service calls an error is heard, since none may be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def quiet(error: Callable[[str], None]) -> Iterator[None]:
    """Silence all logs while a run lasts. error: told what a service logs as an error, without its fields."""

    def hear(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        error(" ".join(str(event[name]) for name in ("event", "error_type") if name in event))
        raise structlog.DropEvent

    before = structlog.get_config()
    logging.disable(logging.CRITICAL)
    structlog.configure(
        processors=[hear],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(logging.NOTSET)
