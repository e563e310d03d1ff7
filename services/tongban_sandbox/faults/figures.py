"""Figures of a campaign."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(values: Sequence[float], percent: int) -> float:
    """By the nearest rank, so that p99 of fewer than a hundred is the worst. values: at least one."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def seconds(values_s: Sequence[float], percent: int) -> str:
    """A quantile as it is shown; empty where nothing was measured."""
    return f"{quantile(values_s, percent):.1f} s" if values_s else ""
