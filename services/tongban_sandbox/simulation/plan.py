"""What a run consists of, drawn from its seed: how many provinces, how fast, and which faults, how bad."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

ACTIVE = 0.5
RATES = (80.0, 150.0, 300.0)
COMMITS_S = (0.2, 0.5, 0.9)
PROVINCES_MIN, PROVINCES_MAX = 2, 5


class Fault(StrEnum):
    """Kinds of faults that a run may have."""

    DROP = "drop"
    REPEAT = "repeat"
    DELAY = "delay"
    LATE = "late"
    CORRUPT = "corrupt"
    UNSURE = "unsure"
    WIPE = "wipe"
    BROKER = "broker"
    CUT = "cut"
    LEDGER = "ledger"
    SKEW = "skew"
    CRASH = "crash"
    STATEMENT = "statement"
    POINT = "point"
    STOP = "stop"
    DISK = "disk"
    LEAP = "leap"
    POISON = "poison"
    ROTATE = "rotate"
    FENCE = "fence"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. cases: accepted ones; rate: applications a second; strength: how often faults strike, 0 to 1."""

    seed: int
    cases: int
    provinces: int
    rate: float
    faults: frozenset[Fault]
    strength: float
    commit_s: float

    @property
    def traffic_s(self) -> float:
        """How long applications come in, if nothing is in their way."""
        return self.cases / self.rate


def draw_plan(seed: int, cases: int, random: Random, allowed: Collection[Fault]) -> Plan:
    """The run of a seed: each allowed fault is part of it or not."""
    drawn = [fault for fault in Fault if random.random() < ACTIVE]
    return Plan(
        seed=seed,
        cases=cases,
        provinces=random.randint(PROVINCES_MIN, PROVINCES_MAX),
        rate=random.choice(RATES),
        faults=frozenset(drawn) & frozenset(allowed),
        strength=random.random(),
        commit_s=random.choice(COMMITS_S),
    )
