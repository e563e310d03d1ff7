"""The processes of a measurement: workers that take orders, servers that are ready when they answer.

Each is ended by its own process id. A worker ends with its input, so also when this program is killed.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tongban_sandbox.servers.process import Launch, ServerProcess, last_lines
from tongban_shared.errors import TongbanError

ANSWER_LIMIT_S = 240.0
END_LIMIT_S = 20.0
READY_LIMIT_S = 30.0
LINE_SIZE_MAX = 64 * 1024 * 1024
CONNECT_LIMIT_S = 1.0


class BenchFailedError(TongbanError):
    """A measurement is worthless or could not be made; the message says why."""

    code = "BENCH_FAILED"


class Child:
    """A process of ours that is spoken to in lines of JSON. Use it as a context."""

    def __init__(self, module: str, plan: object, folder: Path, name: str) -> None:
        self.name = name
        self.ended = 0
        self._command = [sys.executable, "-m", module]
        self._plan = folder / f"{name}.plan.json"
        self._log = folder / f"{name}.log"
        self._plan.touch(mode=0o600)  # it may hold the address of a database with its password
        self._plan.write_bytes(msgspec.json.encode(plan))
        self._process: asyncio.subprocess.Process | None = None
        self._on_ended: Callable[[], None] = lambda: None
        self._answers: defaultdict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._gone = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal is the parent's to handle.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                str(self._plan),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE_SIZE_MAX,
                start_new_session=True,
            )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        if process.stdin is not None:
            process.stdin.close()
        for last_resort in (process.terminate, process.kill, lambda: None):
            try:
                await asyncio.wait_for(process.wait(), END_LIMIT_S)
            except TimeoutError:
                last_resort()
            else:
                break
        if self._listening is not None:
            await asyncio.wait([self._listening], timeout=END_LIMIT_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def when_more_ended(self, told: Callable[[], None]) -> None:
        """Call `told` when `ended` has changed, or the process is gone."""
        self._on_ended = told

    def check(self) -> None:
        """Raises BenchFailedError when the process has ended."""
        if self._gone.is_set():
            words = "\n".join(last_lines(self._log))
            raise BenchFailedError(f"{self.name} has ended too early\n{words}")

    async def answer(self, to: str) -> dict[str, Any]:
        """Wait for the answer to an order. Raises BenchFailedError when the process ends, TimeoutError."""
        answering = asyncio.ensure_future(self._answers[to].get())
        leaving = asyncio.ensure_future(self._gone.wait())
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.check()
            return await answering
        finally:
            answering.cancel()
            leaving.cancel()

    async def _listen(self) -> None:
        """Read what the process says as long as it says something."""
        stdout = self._running().stdout
        assert stdout is not None
        while line := await stdout.readline():
            told: dict[str, Any] = msgspec.json.decode(line)
            if "done" in told:
                self._answers[told["done"]].put_nowait(told)
            else:
                self.ended = told["ended"]
                self._on_ended()
        self._gone.set()
        self._on_ended()

    async def order(self, do: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
        """Give an order and wait for its answer."""
        await self.send(do, **more)
        return await self.answer(do)

    async def send(self, do: str, **more: Any) -> None:  # noqa: ANN401 (JSON)
        """Give an order."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode({"do": do, **more}) + b"\n")
        await process.stdin.drain()

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "use it as a context"
        return self._process


async def order_all(children: Sequence[Child], do: str, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (JSON)
    """The same order to all at once."""
    return await asyncio.gather(*(child.order(do, **more) for child in children))


class Server:
    """A program that listens on a port of loopback; ready when the port takes a connection."""

    def __init__(self, module: str, port: int, options: Sequence[str], folder: Path) -> None:
        self.port = port
        name = module.partition(".")[0]
        self._launch = Launch(
            name=name,
            command=[sys.executable, "-m", module, "--port", str(port), *options, "--log-level", "ERROR"],
            folder=folder,
            log=folder / f"{name}.log",
            stop_signal=signal.SIGINT,
        )
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "use it as a context"
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._process = ServerProcess(self._launch)
        await self._process.ready(answers(self.port), READY_LIMIT_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await self._process.end(signal.SIGINT)


def answers(port: int) -> Callable[[], Awaitable[bool]]:
    """A probe: does somebody listen there?"""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe
