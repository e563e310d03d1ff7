"""A process that hosts some provinces and feeds them: `python -m tongban_sandbox.bench.worker PLAN.json`.

The registries are those of `tongban-registry`. Orders come as JSON lines on the standard input, each is
answered by one line on the standard output; the process ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec
import uvloop

from tongban_ledger.app import create_app
from tongban_ledger.storage.sql import open_store
from tongban_registry.fence import FileFence
from tongban_registry.hosting import Berth, House
from tongban_registry.late import LateTransport
from tongban_registry.registry import Registry, Surrounds
from tongban_sandbox.bench.feeding import Feeder, Line, Order
from tongban_sandbox.bench.load import Share
from tongban_shared.clock import WallClock
from tongban_shared.ids import Province
from tongban_shared.keys import load_directory, load_secrets, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.provinces import load_provinces
from tongban_shared.transports import open_transport
from tongban_shared.tuning import tune_collector
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tongban_shared.ports import Family, Inlet, Ledger, Position, Transport

READY_PAUSE_S = 0.05


class WorkerPlan(msgspec.Struct, frozen=True):
    """What a worker is told at its start. ledger: http://…, or a database URL to run the ledger in here."""

    provinces: list[Province]
    database: str
    transport: str
    ledger: str
    folder: str

    @property
    def keys(self) -> Path:
        """The key folder."""
        return Path(self.folder) / "keys"


class CountingTransport:
    """Counts what goes through, so that the broker alone can be measured with the same."""

    def __init__(self, inner: Transport) -> None:
        self.records = 0
        self.size_bytes = 0
        self._inner = inner

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        self.records += 1
        self.size_bytes += len(data)
        await self._inner.send(to, family, data, headers)

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> Inlet:
        return await self._inner.open_inlet(province, positions)

    async def ready(self) -> str | None:
        return await self._inner.ready()

    async def close(self) -> None:
        await self._inner.close()


class BenchBerth(Berth):
    """A berth whose registry can be reached from within the process."""

    @property
    def registry(self) -> Registry:
        """The registry, once it is open."""
        assert self._registry is not None, "not open yet"
        return self._registry


class Worker:
    """The registries of this process, their HTTP door, and who feeds them."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._plan = plan
        self._stack = AsyncExitStack()
        self._house = House()
        self.transport = CountingTransport(LateTransport(partial(open_transport, plan.transport)))
        self.lines: dict[Province, Line] = {}

    async def __aenter__(self) -> Self:
        plan, profiles = self._plan, load_provinces()
        if plan.transport == "memory:":
            self.transport = CountingTransport(await open_transport(plan.transport))
        else:
            self._run(self.transport._inner.run())  # type: ignore[attr-defined]  # noqa: SLF001  # LateTransport
        http = await self._ledger_line()
        berths = []
        for code in plan.provinces:
            ledger = self._ledger(http, code)
            around = Surrounds(self.transport, ledger, WallClock(), plan.keys, self._fence)
            berth = BenchBerth(profiles[code], plan.database.format(code=code), around, self._house.stopping)
            self._house.add(berth)
            self._run(berth.run())
            berths.append((berth, ledger))
        for berth, ledger in berths:
            while await berth.ready() is not None:  # noqa: ASYNC110 (a berth tells nobody)
                await asyncio.sleep(READY_PAUSE_S)
            share = Share.read(Path(plan.folder) / "load", Province(berth.province))
            self.lines[Province(berth.province)] = Line(berth.registry, ledger, share)
        return self

    def _fence(self, code: str) -> FileFence:
        return FileFence(Path(self._plan.folder) / "fences" / code)

    async def __aexit__(self, *_: object) -> None:
        for line in self.lines.values():
            await line.registry.stop()
        await self._stack.aclose()
        await self.transport.close()

    def _run(self, work: Any) -> None:  # noqa: ANN401 (any coroutine)
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_fatal)
        self._stack.callback(task.cancel)

    async def _ledger_line(self) -> httpx.AsyncClient:
        address = self._plan.ledger
        if address.startswith("http"):
            client = httpx.AsyncClient(base_url=address, trust_env=False)
        else:
            store = await open_store(address)
            self._stack.push_async_callback(store.close)
            pipe = httpx.ASGITransport(create_app(store, load_directory(self._plan.keys)))
            client = httpx.AsyncClient(transport=pipe, base_url="http://ledger")
        return await self._stack.enter_async_context(client)

    def _ledger(self, http: httpx.AsyncClient, owner: Province) -> Ledger:
        keys = self._plan.keys
        return HttpLedger(http, load_signer(keys, owner), load_secrets(keys).custody)

    async def listen(self) -> int:
        """Open the HTTP door of all provinces on a free port; each stands under /p/CODE."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        running = server(self._house, self._house.health, host="127.0.0.1", port=0, stop_pause_s=0)
        # Signals are the parent's business here.
        running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # as said
        serving = asyncio.create_task(running.serve([listener]))

        async def leave() -> None:
            running.should_exit = True
            await serving

        self._stack.push_async_callback(leave)
        port: int = listener.getsockname()[1]
        return port


def _fatal(task: asyncio.Task[Any]) -> None:
    """A registry whose worker stopped makes every figure worthless."""
    if not task.cancelled() and task.exception() is not None:
        sys.stderr.write(f"bench worker: {task.exception()!r}\n")
        sys.exit(1)


async def _orders() -> AsyncIterator[Order]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield msgspec.json.decode(line, type=Order)


def tell(**told: Any) -> None:  # noqa: ANN401 (JSON)
    """One line to the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


async def main(plan: WorkerPlan) -> None:
    """Serve orders until the input ends."""
    async with Worker(plan) as worker:
        tell(done="ready", port=await worker.listen())
        feeder = Feeder(worker.lines, worker.transport)
        async for order in _orders():
            tell(done=order.do, **await feeder.obey(order, tell))


if __name__ == "__main__":
    configure_logs("bench", "ERROR", sys.stderr)
    tune_collector()
    uvloop.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=WorkerPlan)))
