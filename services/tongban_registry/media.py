"""Which of two forms a caller would rather have. Source: RFC 9110 §12.5.1. Pure."""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
PDF: Final = "application/pdf"


def prefers(wanted: str, other: str, accept: str) -> bool:
    """Whether the Accept header ranks `wanted` over `other`; between equals, and without one, the other wins.

    wanted, other: media types without parameters. accept: as sent; what can't be read of it has no weight.
    """
    weights = dict(_weighed(part) for part in accept.lower().split(","))
    return _weight(wanted, weights) > _weight(other, weights)


def _weighed(part: str) -> tuple[str, float]:
    """A media range and its weight, 0 to 1."""
    media, *parameters = (piece.strip() for piece in part.split(";"))
    given = [value for value in parameters if value.startswith("q=")]
    try:
        weight = float(given[0].removeprefix("q=")) if given else 1.0
    except ValueError:
        return media, 0.0
    return media, weight if 0 <= weight <= 1 else 0.0


def _weight(media: str, weights: dict[str, float]) -> float:
    """The weight of the most specific range that the type falls into."""
    whole = (media, f"{media.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in whole if each in weights), 0.0)
