"""Callers that send given requests over kept connections, each as soon as its last one is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools
import msgspec

from tongban_sandbox.bench.children import BenchFailedError
from tongban_sandbox.bench.load import WITHDRAWN, BenchCase

ACCEPTED = 202
BUSY = frozenset({429, 503})
COME_AGAIN_S = 0.1
# Our servers close a connection that was idle for 5 s.
IDLE_S_MAX = 4.0


class _CaseId(msgspec.Struct):
    case_id: str


_case_id = msgspec.json.Decoder(_CaseId)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a case is taken in: a port of loopback and what stands before the path."""

    port: int
    prefix: str = ""


class Connection(asyncio.Protocol):
    """One kept connection with one request under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body: list[bytes] = []
        self._lost = False
        self._used_s = time.monotonic()

    @property
    def usable(self) -> bool:
        """Neither lost nor about to be."""
        return not self._lost and time.monotonic() - self._used_s < IDLE_S_MAX

    @classmethod
    async def to(cls, port: int) -> Connection:
        """Connect."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return protocol

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._answer
        self._used_s = time.monotonic()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed before the answer"))

    def on_message_begin(self) -> None:
        self._body = []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))


def post(path: str, body: bytes, key: str) -> bytes:
    """A whole request. key: its idempotency key, as careful clients send one."""
    head = f"POST {path} HTTP/1.1\r\nhost: tongban\r\ncontent-type: application/json\r\n"
    head += f"idempotency-key: {key}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Applicant:
    """Somebody at the door: applies, and withdraws where the case says so. Connections are kept per port."""

    def __init__(self, door_of: Callable[[BenchCase], Door]) -> None:
        self.turned_away = 0
        self._door_of = door_of
        self._idle: dict[int, list[Connection]] = {}

    async def apply(self, case: BenchCase) -> str:
        """The number of the accepted case. Raises BenchFailedError for any answer but 202."""
        door = self._door_of(case)
        body = msgspec.json.encode(case.body)
        status, answer = await self._call(door, "/v1/cases", (body, f"bench-{case.n}"))
        while status in BUSY:
            # Told to come again: the door sheds load rather than queue without end.
            self.turned_away += 1
            await asyncio.sleep(COME_AGAIN_S)
            status, answer = await self._call(door, "/v1/cases", (body, f"bench-{case.n}"))
        if status != ACCEPTED:
            code = msgspec.json.decode(answer).get("code") if answer.startswith(b"{") else None
            raise BenchFailedError(f"an application was answered {status} {code}")
        return _case_id.decode(answer).case_id

    async def follow(self, case: BenchCase, case_id: str) -> None:
        """What the applicant does next. It may come too late; the case then goes on."""
        if case.ending == WITHDRAWN:
            await self._call(self._door_of(case), f"/v1/cases/{case_id}/withdrawal", (b"", case_id))

    async def _call(self, door: Door, path: str, content: tuple[bytes, str]) -> tuple[int, bytes]:
        idle = self._idle.setdefault(door.port, [])
        connection = idle.pop() if idle else None
        while connection is not None and not connection.usable:
            connection = idle.pop() if idle else None
        connection = connection or await Connection.to(door.port)
        answer = await connection.exchange(post(door.prefix + path, *content))
        idle.append(connection)
        return answer

    def close(self) -> None:
        """Hang up everywhere."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()


def quantiles(values_ms: Sequence[float]) -> dict[str, float | int]:
    """p50, p95 and p99 in ms, and the number of values."""
    if not values_ms:
        return {"n": 0}
    ordered = sorted(values_ms)
    found = {f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 95, 99)}
    return {"n": len(ordered), **{name: round(value, 1) for name, value in found.items()}}
