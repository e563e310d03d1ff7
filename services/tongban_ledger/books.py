"""The one writer and the one reader of the ledger: concurrent calls share a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tongban_shared.coalesce import Coalescer
from tongban_shared.custody import Hop
from tongban_shared.fault_points import fault_point
from tongban_shared.ledger_wire import PERSONS_MAX, Head, Passages, Passed, Since
from tongban_shared.ports import Custody, Verdict

BATCH_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Store(Protocol):
    """What the service needs of its storage; `storage.sql.LedgerStore` has it."""

    async def locate(self, digests: Sequence[str]) -> dict[str, Custody]:
        """The newest entries of those that have one. Raises StoreDownError."""
        ...

    async def enter(self, hops: Sequence[Hop], recorded_at_us: int) -> Sequence[Verdict]:
        """Judge and enter hops in one transaction, one verdict each. Raises StoreDownError."""
        ...

    async def head(self) -> Head:
        """The end of the log. Raises StoreDownError."""
        ...

    async def passages(self, province: str, after: int, limit: int) -> Sequence[Passed]:
        """Hand-overs from or to a province later than `after`, in order. Raises StoreDownError."""
        ...

    async def ready(self) -> str | None:
        """None when the database answers, else the reason why not."""
        ...


class Books:
    """Collects concurrent calls for the store, and counts what it does."""

    def __init__(self, store: Store, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._locating = Coalescer(self._locate, limit=PERSONS_MAX)
        self._entering = Coalescer(self._enter, limit=PERSONS_MAX, weigh=_persons)
        self._verdicts = Counter(
            "tongban_ledger_verdicts", "Claims and moves by verdict", ["verdict"], registry=registry
        )
        self._batch = Histogram(
            "tongban_ledger_batch_size",
            "Claims and moves in one transaction",
            registry=registry,
            buckets=BATCH_SIZES,
        )
        self._located = Counter("tongban_ledger_located", "Persons looked up", registry=registry)
        self._busy = Gauge("tongban_ledger_entering", "Transactions under way, 0 or 1", registry=registry)

    async def locate(self, digests: Sequence[str]) -> Sequence[Custody | None]:
        """The newest entry of each, None for those that nobody registered."""
        return await self._locating.submit(digests)

    async def enter(self, hops: Sequence[Hop]) -> Sequence[Verdict]:
        """A verdict for each hop, after the commit."""
        return await self._entering.submit(hops)

    async def _locate(self, digests: Sequence[str]) -> Sequence[Custody | None]:
        found = await self._store.locate(digests)
        self._located.inc(len(digests))
        return [found.get(digest) for digest in digests]

    async def _enter(self, hops: Sequence[Hop]) -> Sequence[Verdict]:
        with self._busy.track_inprogress():
            verdicts = await self._store.enter(hops, int(self._now() * 1_000_000))
        fault_point("ledger.entered")
        self._batch.observe(len(hops))
        for verdict in Verdict:
            self._verdicts.labels(verdict).inc(sum(given is verdict for given in verdicts))
        return verdicts

    async def head(self) -> Head:
        """The end of the log."""
        return await self._store.head()

    async def passages(self, province: str, asked: Since) -> Passages:
        """What a province gave and took since."""
        return Passages(tuple(await self._store.passages(province, asked.after, asked.limit)))


def _persons(hop: Hop) -> int:
    return max(1, len(hop.persons))
