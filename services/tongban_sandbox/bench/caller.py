"""Callers that send given requests over kept connections, each as soon as its last one is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools
import msgspec

from tongban_sandbox.bench.children import BenchFailedError
from tongban_sandbox.bench.load import WITHDRAWN, BenchCase

ACCEPTED = 202


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
        return await self._answer

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
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed before the answer"))

    def on_message_begin(self) -> None:
        self._body = []

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))


def post(path: str, body: bytes) -> bytes:
    """A whole request."""
    head = f"POST {path} HTTP/1.1\r\nhost: tongban\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Applicant:
    """Somebody at the door: applies, and withdraws where the case says so. Connections are kept per port."""

    def __init__(self, door_of: Callable[[BenchCase], Door]) -> None:
        self._door_of = door_of
        self._idle: dict[int, list[Connection]] = {}

    async def apply(self, case: BenchCase) -> str:
        """The number of the accepted case. Raises BenchFailedError for any answer but 202."""
        door = self._door_of(case)
        status, body = await self._call(door, "/v1/cases", msgspec.json.encode(case.body))
        if status != ACCEPTED:
            code = msgspec.json.decode(body).get("code") if body.startswith(b"{") else None
            raise BenchFailedError(f"an application was answered {status} {code}")
        return _case_id.decode(body).case_id

    async def follow(self, case: BenchCase, case_id: str) -> None:
        """What the applicant does next. It may come too late; the case then goes on."""
        if case.ending == WITHDRAWN:
            await self._call(self._door_of(case), f"/v1/cases/{case_id}/withdrawal", b"")

    async def _call(self, door: Door, path: str, body: bytes) -> tuple[int, bytes]:
        idle = self._idle.setdefault(door.port, [])
        connection = idle.pop() if idle else await Connection.to(door.port)
        answer = await connection.exchange(post(door.prefix + path, body))
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
