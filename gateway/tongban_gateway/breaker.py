"""A circuit breaker for one province: after some failures in a row, fail at once and try again now and then.

A pure state machine: the time is handed in with every call, in seconds of any clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """CLOSED lets all through, OPEN none, HALF_OPEN one request to see whether the province is back."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When to open and for how long; each failed trial doubles the wait up to its limit.

    The limit is what a province waits in vain that is back again, so it is short: a trial costs one request.
    """

    failures_max: int = 5
    open_s: float = 0.5
    open_s_max: float = 2.0
    # A trial whose end is never told (its caller was stopped) must not keep the breaker shut for ever.
    trial_s_max: float = 45.0


class Breaker:
    """State of one province's breaker. Nothing here waits or looks at a clock."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._open_s = self._policy.open_s
        self._until_s = 0.0
        self._trial_since_s: float | None = None
        self._state = BreakerState.CLOSED
        self._failing_since_s: float | None = None

    @property
    def state(self) -> BreakerState:
        """Whether requests go through, by the last thing that happened."""
        return self._state

    @property
    def failing_since_s(self) -> float | None:
        """When the first of the failures in a row happened; None while all is well."""
        return self._failing_since_s

    def admits(self, now_s: float) -> bool:
        """Whether a request may go now. A True while not CLOSED is the trial: its end must be told."""
        if self._state is BreakerState.CLOSED:
            return True
        if self._state is BreakerState.OPEN:
            if now_s < self._until_s:
                return False
            self._state = BreakerState.HALF_OPEN
        elif self._trial_since_s is not None and now_s - self._trial_since_s < self._policy.trial_s_max:
            return False
        self._trial_since_s = now_s
        return True

    def succeeded(self) -> None:
        """An answer came, of whatever status: the province is there."""
        if self._failing_since_s is not None:
            self._failures = 0
            self._open_s = self._policy.open_s
            self._trial_since_s = None
            self._state = BreakerState.CLOSED
            self._failing_since_s = None

    def failed(self, now_s: float) -> None:
        """No answer came."""
        self._failures += 1
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if self._state is BreakerState.HALF_OPEN:
            self._open_s = min(self._open_s * 2, self._policy.open_s_max)
            self._open(now_s)
        elif self._state is BreakerState.CLOSED and self._failures >= self._policy.failures_max:
            self._open(now_s)

    def abandoned(self) -> None:
        """A request ended without telling anything of the province; if it was the trial, another may go."""
        self._trial_since_s = None

    def _open(self, now_s: float) -> None:
        self._state = BreakerState.OPEN
        self._until_s = now_s + self._open_s
        self._trial_since_s = None

    def retry_after_s(self, now_s: float) -> float:
        """Seconds until a request may go again; 0 when one may go now."""
        return max(0.0, self._until_s - now_s) if self._state is BreakerState.OPEN else 0.0


class RetryBudget:
    """Repeats may be a share of the traffic, so that a failing province is not asked twice as often."""

    def __init__(self, share: float = 0.1, saved_max: float = 10.0) -> None:
        self._share = share
        self._saved_max = saved_max
        self._saved = 1.0

    def earn(self) -> None:
        """Count one first try."""
        self._saved = min(self._saved + self._share, self._saved_max)

    def spend(self) -> bool:
        """Take one repeat from the budget, if it has one."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True
