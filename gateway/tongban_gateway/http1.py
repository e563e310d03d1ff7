"""The HTTP/1.1 client of the hot path: whole requests out, whole answers in, over kept connections.

It knows exactly whether a request left the machine, which is what people are told when a province is away.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

from tongban_gateway.http1_stream import Place, stream
from tongban_gateway.upstream import (
    ANSWER_SIZE_BYTES_MAX,
    CONNECT_TIMEOUT_S,
    Failure,
    Sink,
    UpstreamFailedError,
    UpstreamRequest,
    UpstreamResponse,
)
from tongban_shared.web.problems import Headers

CONNECTIONS_MAX = 64
WAITING_MAX = 256
# Below the 5 s after which our servers close an idle connection: one that is about to go is not used again.
IDLE_S_MAX = 4.0
FINAL_STATUS_MIN = 200


class _Connection(asyncio.Protocol):
    """One connection with one request on it at a time."""

    def __init__(self, gone: Callable[[_Connection], None]) -> None:
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[UpstreamResponse] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._size = 0
        self.idle_since = 0.0
        self.usable = False

    async def exchange(self, data: bytes, timeout_s: float) -> UpstreamResponse:
        """Write one request and return its whole answer. Raises UpstreamFailedError; then it is closed."""
        if self._transport is None or not self.usable:
            raise UpstreamFailedError(Failure.CONNECT)
        answer: asyncio.Future[UpstreamResponse] = self._loop.create_future()
        self._answer = answer
        self._size = 0
        self._transport.write(data)
        timer = self._loop.call_later(timeout_s, self._fail, Failure.TIMEOUT)
        try:
            return await answer
        finally:
            timer.cancel()
            self._answer = None
            if answer.cancelled():
                self.abort()

    def abort(self) -> None:
        """Close at once; what was under way fails as broken."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, failure: Failure) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UpstreamFailedError(failure))
        self.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._answer is None or self._size > ANSWER_SIZE_BYTES_MAX:
            self._fail(Failure.BAD_ANSWER)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(Failure.BAD_ANSWER)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.usable = False
        self._fail(Failure.BROKEN)
        self._gone(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._headers, self._parts = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < FINAL_STATUS_MIN or self._answer is None or self._answer.done():
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._answer.set_result(UpstreamResponse(status, self._headers, body))


class Http1Upstream:
    """One province's own pool: when it is slow or dead, only its own places are taken."""

    def __init__(
        self,
        base_url: str,
        *,
        tls: ssl.SSLContext | None = None,
        connections_max: int = CONNECTIONS_MAX,
        idle_max: int = CONNECTIONS_MAX,
        idle_s_max: float = IDLE_S_MAX,
        waiting_max: int = WAITING_MAX,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        pool_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        parts = urlsplit(base_url)
        self._tls = tls or (ssl.create_default_context() if parts.scheme == "https" else None)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/").encode("ascii")
        self._authority = parts.netloc.rpartition("@")[2].encode("ascii")
        self._connections_max = connections_max
        self._idle_max = idle_max
        self._idle_s_max = idle_s_max
        self._waiting_max = waiting_max
        self._connect_timeout_s = connect_timeout_s
        self._pool_timeout_s = pool_timeout_s
        self._open: set[_Connection] = set()
        self._opening = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[asyncio.Future[_Connection | None]] = deque()

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        data = self._encode(request)
        connection = self._kept() or await self._fresh()
        try:
            return await connection.exchange(data, request.timeout_s)
        finally:
            self._release(connection)

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        place = Place(self._host, self._port, self._tls, self._connect_timeout_s)
        await stream(place, self._encode(request), sink)

    def _encode(self, request: UpstreamRequest) -> bytes:
        """The whole request as bytes. A line break where none belongs would be a second request: refused."""
        lines = [b"%b: %b\r\n" % header for header in request.headers]
        if request.body or request.method != "GET":
            lines.append(b"content-length: %d\r\n" % len(request.body))
        start = b"%b %b%b HTTP/1.1\r\nhost: %b\r\n" % (
            request.method.encode("ascii"),
            self._prefix,
            request.target,
            self._authority,
        )
        head = start + b"".join(lines)
        if head.count(b"\n") != len(lines) + 2:
            raise UpstreamFailedError(Failure.BAD_ANSWER)
        return head + b"\r\n" + request.body

    def _kept(self) -> _Connection | None:
        """The connection used last, if it is not about to be closed by the other side."""
        oldest = asyncio.get_running_loop().time() - self._idle_s_max
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _fresh(self) -> _Connection:
        """A new connection, or one that another request gives back when there are enough."""
        if len(self._open) + self._opening >= self._connections_max:
            given = await self._wait()
            if given is not None:
                return given
        self._opening += 1
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._forget), self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            self._wake(None)
            raise UpstreamFailedError(Failure.CONNECT) from error
        finally:
            self._opening -= 1
        if connection.usable:
            self._open.add(connection)
        return connection

    async def _wait(self) -> _Connection | None:
        """Wait for a place: a connection, or None for leave to open one."""
        if len(self._waiting) >= self._waiting_max:
            raise UpstreamFailedError(Failure.BUSY)
        loop = asyncio.get_running_loop()
        place: asyncio.Future[_Connection | None] = loop.create_future()
        self._waiting.append(place)
        timer = loop.call_later(self._pool_timeout_s, _give_up, place)
        try:
            return await place
        finally:
            timer.cancel()

    def _release(self, connection: _Connection) -> None:
        if connection.usable and self._wake(connection):
            return
        if connection.usable and len(self._idle) < self._idle_max:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    def _forget(self, connection: _Connection) -> None:
        """A connection closed: its place is free."""
        if connection in self._idle:
            self._idle.remove(connection)
        if connection in self._open:
            self._open.discard(connection)
            self._wake(None)

    def _wake(self, given: _Connection | None) -> bool:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(given)
                return True
        return False

    async def close(self) -> None:
        for connection in tuple(self._open):
            connection.abort()


def _give_up(place: asyncio.Future[_Connection | None]) -> None:
    if not place.done():
        place.set_exception(UpstreamFailedError(Failure.BUSY))
