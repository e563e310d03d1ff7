"""The machine's clock, for what people are shown; it decides nothing (C4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

# China has one time zone; storage keeps UTC.
BEIJING = timezone(timedelta(hours=8))


class WallClock:
    """Real time. Promises of ports.Clock."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
