"""A rating (好差评) as it comes in. Source: domain.md §4.7."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tongban_registry.door import Closed, Long
from tongban_registry.ratings import Rating
from tongban_shared.web.problems import FieldRefusedError

Code = Annotated[str, StringConstraints(max_length=40)]
INDICATORS = {
    "window": frozenset({"EFFICIENCY", "SKILL", "ATTITUDE"}),
    "online": frozenset({"EFFICIENCY", "GUIDE_ACCURACY", "EASE", "PLATFORM"}),
}


class RatingIn(Closed):
    """POST /v1/cases/{case_id}/rating. score: 5 very satisfied to 1 very dissatisfied.

    indicators: what it is for; at the window EFFICIENCY, SKILL, ATTITUDE, online EFFICIENCY, GUIDE_ACCURACY,
    EASE, PLATFORM.
    """

    score: Annotated[int, Field(ge=1, le=5, strict=True)]
    channel: Literal["window", "online"]
    indicators: Annotated[tuple[Code, ...], Field(max_length=7)] = ()
    comment: Long | None = Field(default=None, repr=False)


def rating_of(given: RatingIn) -> Rating:
    """Checked against the channel. Raises FieldRefusedError."""
    indicators = tuple(sorted(set(given.indicators)))
    if not INDICATORS[given.channel].issuperset(indicators):
        raise FieldRefusedError("body.indicators", "unknown for this channel")
    return Rating(given.score, given.channel, indicators, given.comment)
