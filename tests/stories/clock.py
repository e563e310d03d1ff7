"""A clock that stands still until a test moves it; sleepers wake when their time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class StoryClock:
    """Keeps the promises of ports.Clock. `sleeping`: how many wait, so that a test can see who is at rest."""

    def __init__(self) -> None:
        self._now = MORNING
        self._sleepers: dict[asyncio.Future[None], datetime] = {}

    def now(self) -> datetime:
        return self._now

    @property
    def sleeping(self) -> int:
        """How many sleep now."""
        return sum(not sleeper.done() for sleeper in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._now + timedelta(seconds=seconds)
        try:
            await sleeper
        finally:
            del self._sleepers[sleeper]

    def advance(self, hours: float) -> None:
        """Move on, and wake whoever slept long enough."""
        self._now += timedelta(hours=hours)
        for sleeper, until in self._sleepers.items():
            if until <= self._now and not sleeper.done():
                sleeper.set_result(None)


class SkewedClock:
    """One province's clock, which may be wrong: `offsets` tells by how much, now and after each change."""

    def __init__(self, clock: StoryClock, offsets: Mapping[str, timedelta], province: str) -> None:
        self._clock = clock
        self._offsets = offsets
        self._province = province

    def now(self) -> datetime:
        return self._clock.now() + self._offsets.get(self._province, timedelta())

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
