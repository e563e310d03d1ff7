"""The ledger over HTTP: locate, first registration, hand-over, head. Source: protocol.md §2."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from typing import Final, Protocol, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Gauge, Histogram

from tongban_ledger.door import Door
from tongban_shared.coalesce import Coalescer
from tongban_shared.custody import Hop, first
from tongban_shared.errors import RefusedError
from tongban_shared.ids import Province
from tongban_shared.ledger_wire import (
    APPEND_PATH,
    FIRST_PATH,
    HEAD_PATH,
    LOCATE_PATH,
    PERSONS_MAX,
    Append,
    First,
    Head,
    Locate,
    Located,
    Place,
    Verdicts,
)
from tongban_shared.ports import Custody, Verdict, Verifier
from tongban_shared.web.health import Health, add_health_routes
from tongban_shared.web.install import install, new_app

PLACE_OF_FAULT: Final = re.compile(r"at `(\$[^`]*)`")
Question = TypeVar("Question")


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

    async def ready(self) -> str | None:
        """None when the database answers, else the reason why not."""
        ...


class Books:
    """The one writer and the one reader: concurrent calls share a transaction. Counts what it does."""

    def __init__(self, store: Store, health: Health, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._locating = Coalescer(self._locate, limit=PERSONS_MAX)
        self._entering = Coalescer(self._enter, limit=PERSONS_MAX, weigh=_persons)
        registry = health.registry
        self._verdicts = Counter(
            "tongban_ledger_verdicts", "Claims and moves by verdict", ["verdict"], registry=registry
        )
        self._batch = Histogram(
            "tongban_ledger_batch_size", "Claims and moves in one transaction", registry=registry,
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
        )  # fmt: skip
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
        self._batch.observe(len(hops))
        for verdict in Verdict:
            self._verdicts.labels(verdict).inc(sum(given is verdict for given in verdicts))
        return verdicts


def create_app(store: Store, verifier: Verifier, *, now: Callable[[], float] = time.time) -> FastAPI:
    """Make the application; the caller opens and closes the store. now: Unix seconds."""
    health = Health("tongban-ledger", version("tongban"), checks={"database": store.ready})
    app = new_app("通办 custody ledger 归属账本", health.version)
    install(app)
    add_health_routes(app, health)
    _add_routes(app, Books(store, health, now), Door(verifier, now))

    @app.get(HEAD_PATH, summary="Number and hash of the log's last entry")
    async def head(request: Request) -> Response:
        await door.enter(request)
        return _answer(await store.head())

    return app
