"""Who waits for a case to end: `Prefer: wait=N` answers early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.cases.kind import Case


class Closing:
    """Wakes those who wait for a case, after the commit that ended it."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[asyncio.Event, int]] = {}

    def committed(self, cases: Iterable[Case]) -> None:
        """These cases have changed, and are stored as they are here."""
        self.closed(case.id for case in cases if case.closed_at is not None)

    def closed(self, case_ids: Iterable[str]) -> None:
        """These cases have ended."""
        for case_id in case_ids:
            if case_id in self._waiting:
                self._waiting[case_id][0].set()

    async def wait(self, case_id: str, limit_s: float, store: RegistryStore) -> None:
        """Return when the case has ended, or after `limit_s`."""
        event, waiters = self._waiting.get(case_id, (asyncio.Event(), 0))
        self._waiting[case_id] = (event, waiters + 1)
        try:
            found = await store.case(case_id)
            if found is None or found[0].closed_at is not None:
                return
            async with asyncio.timeout(limit_s):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event, waiters = self._waiting.pop(case_id)
            if waiters > 1:
                self._waiting[case_id] = (event, waiters - 1)
