"""Who waits for a case: `Prefer: wait=N` answers early when it ends; streams tell each change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.cases.kind import Case

WATCHED_MAX = 500


class Closing:
    """Wakes those who wait for a case, after the commit that changed it.

    stopped: nothing changes here any more. watched_max: so many may watch at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[asyncio.Event, int]] = {}
        self._watching: dict[str, set[asyncio.Event]] = {}
        self.stopped = False
        self.watched_max = WATCHED_MAX

    def committed(self, cases: Iterable[Case]) -> None:
        """These cases have changed, and are stored as they are here."""
        self.closed(case.id for case in cases if case.closed_at is not None)

    def closed(self, case_ids: Iterable[str]) -> None:
        """These cases have ended."""
        for case_id in case_ids:
            if case_id in self._waiting:
                self._waiting[case_id][0].set()

    def noted(self, case_ids: Iterable[str]) -> None:
        """The timelines of these cases have new lines."""
        for case_id in case_ids if self._watching else ():
            for news in self._watching.get(case_id, ()):
                news.set()

    def end(self) -> None:
        """The registry stops: whoever watches is let go."""
        self.stopped = True
        for watchers in self._watching.values():
            for news in watchers:
                news.set()

    @property
    def watched(self) -> int:
        """How many watch some case."""
        return sum(map(len, self._watching.values()))

    @contextmanager
    def watch(self, case_id: str) -> Iterator[asyncio.Event]:
        """Set at every commit that adds to its timeline; whoever looks at the case clears it before."""
        news = asyncio.Event()
        self._watching.setdefault(case_id, set()).add(news)
        try:
            yield news
        finally:
            self._watching[case_id].discard(news)
            if not self._watching[case_id]:
                del self._watching[case_id]

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
