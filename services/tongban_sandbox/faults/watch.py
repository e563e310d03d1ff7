"""When is it well again? The first good answer and the first completed new case that the fault concerns."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tongban_sandbox.faults.history import Answer, Request

FROM_THE_HOLDER = "registry"


@dataclass(slots=True)
class Watch:
    """What to wait for. provinces: answers of one of them, and cases that touch one; empty: of any.

    gateway: only what went through this one; None: through any. since_s: what began before does not count.
    closely: cases that are looked at more often than others.
    """

    provinces: frozenset[str] = frozenset()
    gateway: int | None = None
    since_s: float = field(default_factory=time.monotonic)
    answered_s: float | None = None
    completed_s: float | None = None
    closely: set[str] = field(default_factory=set)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, answer: Answer, gateway: int) -> None:
        """Somebody was told where a person is."""
        mine = not self.provinces or answer.province in self.provinces
        good = mine and answer.source == FROM_THE_HOLDER and self._counts(answer.begin_s, gateway)
        if good and self.answered_s is None:
            self.answered_s = answer.end_s
            self._told.set()

    def completed(self, request: Request, origin: str, gateway: int) -> None:
        """A case has ended in a move."""
        mine = not self.provinces or bool({origin, request.destination} & self.provinces)
        if mine and self._counts(request.asked_s, gateway) and self.completed_s is None:
            self.completed_s = request.ended_s
            self._told.set()

    def _counts(self, begin_s: float, gateway: int) -> bool:
        return begin_s >= self.since_s and self.gateway in (None, gateway)

    async def well(self, limit_s: float) -> float:
        """Wait for both; returns the seconds from `since_s` to the later one. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while self.answered_s is None or self.completed_s is None:
                self._told.clear()
                await self._told.wait()
        return max(self.answered_s, self.completed_s) - self.since_s
