"""One province's registry inside the sandbox, which can crash and come back like a process of its own."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx
import structlog

from tongban_gateway.upstream import (
    AsgiUpstream,
    Failure,
    Sink,
    UpstreamFailedError,
    UpstreamRequest,
    UpstreamResponse,
)
from tongban_registry.fence import FileFence
from tongban_registry.registry import Registry, Surrounds
from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from pathlib import Path

    from tongban_registry.channels import Post
    from tongban_sandbox.hostile import WireEnd
    from tongban_shared.ports import Clock, Ledger
    from tongban_shared.provinces import ProvinceProfile

TRIES, RETRY_S = 10, 0.5
Result = TypeVar("Result")
log = structlog.get_logger("tongban.sandbox")
# Where `make run` has its gateway, unless another port is asked for.
PUBLIC_URL = "http://127.0.0.1:8080"


class LedgerLine(httpx.AsyncBaseTransport):
    """A province's line to the ledger, which fails while the province is cut off."""

    def __init__(self, inner: httpx.AsyncBaseTransport, end: WireEnd) -> None:
        self._inner = inner
        self._end = end

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ConnectError while cut off."""
        if self._end.cut:
            raise httpx.ConnectError("cut off", request=request)
        return await self._inner.handle_async_request(request)


@dataclass(frozen=True, slots=True)
class Site:
    """What a province's process finds on its machine."""

    profile: ProvinceProfile
    database: Path
    keys: Path
    ledger: Ledger
    clock: Clock
    fence: Path
    backup: Path
    post: Post


class ProvinceHost:
    """Runs one registry; it is the gateway's upstream for it too. failure: why a worker stopped by itself."""

    def __init__(self, site: Site, end: WireEnd) -> None:
        self.profile = site.profile
        self.registry: Registry | None = None
        self._site = site
        self._end = end
        self.failure: str | None = None
        self._watching: asyncio.Task[None] | None = None
        self._door: AsgiUpstream | None = None
        self._crash: asyncio.Future[None] | None = None

    @property
    def running(self) -> bool:
        """Whether its process runs; one that is only cut off does."""
        return self._door is not None

    async def open(self) -> Registry:
        """Migrate and open the database; nothing works yet."""
        site = self._site
        around = Surrounds(
            self._end,
            site.ledger,
            site.clock,
            site.keys,
            lambda _: FileFence(site.fence),
            PUBLIC_URL,
            site.post,
        )
        url = f"sqlite:///{site.database}"
        self.registry = await _patiently(lambda: Registry.open(site.profile, url, around))
        return self.registry

    async def start(self) -> None:
        """Work, and answer at the door; what a crash left open goes on at once. Safe to repeat."""
        if self.running:
            return
        self._end.dead = False
        registry = self.registry or await self.open()
        await _patiently(registry.start)
        self.failure = None
        self._watching = asyncio.create_task(self._watch(registry))
        self._crash = asyncio.get_running_loop().create_future()
        self._door = AsgiUpstream(registry.app())

    async def _watch(self, registry: Registry) -> None:
        """A worker that stops by itself is a defect; in service the process would end and start again."""
        error = await registry.ended()
        if error is not None:
            self.failure = type(error).__name__
            log.error("worker_stopped", province=self.profile.code, error_type=self.failure)

    async def stop(self) -> None:
        """End in good order: what was committed leaves first."""
        registry, door = self.registry, self._door
        self.registry = self._door = None
        if registry is not None:
            await registry.stop()
        if door is not None:
            await door.close()

    async def kill(self) -> None:
        """Crash: nothing leaves any more, callers lose their connection, all that was in memory is gone."""
        self._end.dead = True
        if self._crash is not None and not self._crash.done():
            self._crash.set_result(None)
        registry, door = self.registry, self._door
        self.registry = self._door = None
        if door is not None:
            await door.close()
        if registry is not None:
            await registry.kill()

    async def back_up(self) -> None:
        """Copy the database as it stands, over the copy before. It may run meanwhile."""
        await asyncio.to_thread(_copy, self._site.database, self._site.backup)

    async def put_back(self) -> None:
        """Crash, take the copy for the database, and start: the registry finds out and catches up (G1)."""
        await self.kill()
        await asyncio.to_thread(_replace, self._site.backup, self._site.database)
        await self.start()

    @property
    def has_backup(self) -> bool:
        """Whether there is a copy to put back."""
        return self._site.backup.is_file()

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Carry one request of the gateway. Raises UpstreamFailedError."""
        door, crash = self._door, self._crash
        if door is None or crash is None or self._end.cut:
            raise UpstreamFailedError(Failure.CONNECT)
        answer = asyncio.ensure_future(door.send(request))
        # A caller who stops waiting leaves the registry to finish its work; nobody hears how that ends.
        answer.add_done_callback(_heard)
        await asyncio.wait((answer, crash), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise UpstreamFailedError(Failure.BROKEN)
        return answer.result()

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        """Carry one stream of the gateway, until it ends or the registry does. Raises UpstreamFailedError."""
        door, crash = self._door, self._crash
        if door is None or crash is None or self._end.cut:
            raise UpstreamFailedError(Failure.CONNECT)
        carried = asyncio.ensure_future(door.stream(request, sink))
        try:
            await asyncio.wait((carried, crash), return_when=asyncio.FIRST_COMPLETED)
            if not carried.done():
                raise UpstreamFailedError(Failure.BROKEN)
            carried.result()
        finally:
            carried.cancel()
            await asyncio.gather(carried, return_exceptions=True)

    async def close(self) -> None:
        """The gateway lets go; whoever runs the country stops the registry."""


async def _patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do it; on a busy machine a database may answer late, and is asked again. Raises StoreDownError."""
    for _ in range(TRIES - 1):
        with suppress(StoreDownError):
            return await work()
        await asyncio.sleep(RETRY_S)
    return await work()


def _copy(database: Path, copy: Path) -> None:
    copy.parent.mkdir(exist_ok=True)
    fresh = copy.with_suffix(".new")
    with closing(sqlite3.connect(database)) as there, closing(sqlite3.connect(fresh)) as here:
        there.backup(here)
    fresh.replace(copy)


def _replace(copy: Path, database: Path) -> None:
    for name in (f"{database.name}-wal", f"{database.name}-shm"):
        database.with_name(name).unlink(missing_ok=True)
    shutil.copyfile(copy, database)


def _heard(answer: asyncio.Task[UpstreamResponse]) -> None:
    if not answer.cancelled():
        answer.exception()
