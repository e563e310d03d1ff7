"""The last resort: what nothing else caught becomes a 500 problem, and one log line without its text.

The text of an unexpected error may hold a value that was sent, so the log gets its type and its place only.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from tongban_shared.errors import TongbanError
from tongban_shared.web.problems import Answer, problem, problem_for

_log = structlog.get_logger("tongban.web")


def last_answer(error: Exception) -> Answer:
    """Return the answer to a request that failed: ours when a task group wrapped one of our errors."""
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, TongbanError):
        return problem_for(cause)
    _log.error("unhandled_error", error_type=type(cause).__name__, at=_place(cause))
    return problem("INTERNAL")


def _place(error: BaseException) -> str:
    """File and line where it was raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "unknown"
