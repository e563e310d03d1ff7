"""Ratings (好差评): one for each ended case; a bad one is called back. Source: domain.md §4.7, rule RT.

国办发〔2019〕51号 and GB/T 39734-2020 name five scores and what people may praise or blame, at the window and
online apart. Who rates is in no row, no task and no log; a comment is read by whoever makes the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_registry.storage.rows import to_us
from tongban_registry.views import local
from tongban_shared.working_days import deadline

if TYPE_CHECKING:
    from datetime import datetime

    from tongban_registry.unit import Unit

BAD_SCORE_MAX = 2
CALL_BACK_WORKING_DAYS = 15


@dataclass(frozen=True, slots=True)
class Rating:
    """A checked rating. indicators: in alphabetical order, each once."""

    score: int
    channel: str
    indicators: tuple[str, ...]
    comment: str | None = field(repr=False)


def rate(unit: Unit, case_id: str, rating: Rating) -> dict[str, Any] | None:
    """Stage a rating, and what is owed for a bad one; what the rater sees. None: the case has one already."""
    due_at = None
    if rating.score <= BAD_SCORE_MAX:
        due_at = deadline(unit.now, CALL_BACK_WORKING_DAYS, unit.office.profile.calendar)
    indicators = msgspec.json.encode(rating.indicators).decode()
    given = (rating.score, rating.channel, indicators, rating.comment, to_us(unit.now))
    if not unit.rate(case_id, (*given, None if due_at is None else to_us(due_at), None, None, None)):
        return None
    return rating_view(case_id, rating, unit.now, due_at)


def rating_view(case_id: str, rating: Rating, at: datetime, due_at: datetime | None) -> dict[str, Any]:
    """The comment is not repeated: an idempotency key's reply is kept as long as the case."""
    return {
        "case_id": case_id,
        "score": rating.score,
        "channel": rating.channel,
        "indicators": list(rating.indicators),
        "rated_at": local(at),
        "call_back_until": local(due_at),
    }
