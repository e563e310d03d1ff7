"""A caller that costs little: kept connections, one request under way on each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
OK = b" 200 "


@dataclass(frozen=True, slots=True)
class Round:
    """One target for a while. Times in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class _Run:
    request: bytes
    until_s: float
    times_s: list[float] = field(default_factory=list)


class _Caller(asyncio.Protocol):
    """Asks again as soon as it has its answer, until the time is over."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._size = 0
        self._asked_s = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked_s = time.perf_counter()
        if self._asked_s < self._run.until_s:
            self._transport.write(self._run.request)
        else:
            self.done.set_result(None)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._size:
            self._size = _whole_size(self._buffer)
        if self._size and len(self._buffer) >= self._size:
            self._run.times_s.append(time.perf_counter() - self._asked_s)
            self._buffer, self._size = b"", 0
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed before the answer"))


def _whole_size(buffer: bytes) -> int:
    """Size of the answer in the buffer, 0 while its head is not complete; anything but a 200 is an error."""
    end = buffer.find(HEAD_END)
    if end < 0:
        return 0
    if OK not in buffer[: len(b"HTTP/1.1 200 ")]:
        raise ConnectionError(buffer[:40])
    length = buffer[:end].lower().partition(LENGTH)[2].partition(b"\r\n")[0]
    return end + len(HEAD_END) + int(length)


async def drive(port: int, request: bytes, seconds: float, connections: int) -> Round:
    """Call a server on this machine; every answer must be a 200."""
    run = _Run(request, time.perf_counter() + seconds)
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(run), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.gather(*(caller.done for caller in callers))
    times_s = sorted(run.times_s)
    p50, p99 = times_s[len(times_s) // 2], times_s[len(times_s) * 99 // 100]
    return Round(len(times_s) / seconds, p50 * 1000, p99 * 1000)
