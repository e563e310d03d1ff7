"""One province's registry as the gateway sees it: one method, three ways to get there.

Http1Upstream (http1.py) is the way in service. With 32 callers in front of one registry on 2 cores, a bare
forwarder over it carries 0.99 of what nginx does, over aiohttp 0.74, over httpx 0.06; httpx is the fallback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable
from urllib.parse import unquote

import httpx

from tongban_shared.errors import ProvinceDownError
from tongban_shared.web.guard import AsgiApp, Message, Scope
from tongban_shared.web.problems import Headers

ANSWER_SIZE_BYTES_MAX = 8 << 20
CONNECT_TIMEOUT_S = 2.0
POOL_TIMEOUTS_MAX = 2
SILENCE_S_MAX = 35.0
"""Of a stream: more than three of a registry's heartbeats."""


class Failure(StrEnum):
    """Why there is no answer; what it says of the request decides what a caller may be told."""

    CONNECT = "no connection could be made"
    BUSY = "no connection became free in time"
    BROKEN = "the connection broke before the answer was complete"
    TIMEOUT = "no complete answer came in time"
    BAD_ANSWER = "what came back is not an answer this gateway passes on"

    @property
    def nothing_sent(self) -> bool:
        """Whether the province can't have seen the request."""
        return self in (Failure.CONNECT, Failure.BUSY)


class UpstreamFailedError(ProvinceDownError):
    """The registry gave no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class UpstreamRequest(NamedTuple):
    """target: raw path with query. headers: without host and length. timeout_s: for the whole answer."""

    method: str
    target: bytes
    headers: Headers
    body: bytes
    timeout_s: float


class UpstreamResponse(NamedTuple):
    """A whole answer. headers: names in lower case, as they came."""

    status: int
    headers: Headers
    body: bytes


class Upstream(Protocol):
    """Carries one request to one registry and waits for the whole answer."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Return the answer, whatever its status, within `timeout_s` plus the time to connect.

        Raises UpstreamFailedError. Never cancelled from outside: it keeps its own time.
        """
        ...

    async def close(self) -> None:
        """Close all connections. Safe to repeat."""
        ...


class Sink(Protocol):
    """Takes an answer part by part; it waits where its caller reads slowly."""

    async def begin(self, status: int, headers: Headers) -> None:
        """The answer begins. headers: names in lower case."""
        ...

    async def part(self, data: bytes) -> None:
        """More of it has come."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A way that can also carry an answer which goes on and on."""

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        """Pass the answer on as it comes, until its end or `SILENCE_S_MAX` of silence. Cancelled: it is left.

        Takes no place of the pool. Raises UpstreamFailedError, also after it has begun.
        """
        ...


class AnyAddress:
    """Several addresses of equal rank as one: in turn, and the next one where none could be connected to."""

    def __init__(self, addresses: Sequence[Upstream]) -> None:
        self._addresses = tuple(addresses)
        self._turn = 0

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        for attempt in range(len(self._addresses), 0, -1):
            self._turn = (self._turn + 1) % len(self._addresses)
            try:
                return await self._addresses[self._turn].send(request)
            except UpstreamFailedError as error:
                # Only what was never sent may go elsewhere.
                if error.failure is not Failure.CONNECT or attempt == 1:
                    raise
        raise UpstreamFailedError(Failure.CONNECT)

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        for attempt in range(len(self._addresses), 0, -1):
            self._turn = (self._turn + 1) % len(self._addresses)
            address = self._addresses[self._turn]
            try:
                if isinstance(address, Streaming):
                    await address.stream(request, sink)
                    return
            except UpstreamFailedError as error:
                if error.failure is not Failure.CONNECT or attempt == 1:
                    raise
        raise UpstreamFailedError(Failure.CONNECT)

    async def close(self) -> None:
        for address in self._addresses:
            await address.close()


class _Client:
    """An httpx client with the number of requests in it, so that its last user closes a replaced one."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url, headers={}, trust_env=False)
        self.http.headers = httpx.Headers()
        self.users = 0
        self.retired = False


class HttpxUpstream:
    """Through any httpx transport: for tests, and to fall back to.

    Cancelled requests leak httpcore's pool places until only timeouts are left, so nothing is cancelled here,
    and two pool timeouts in a row bring a new client.
    """

    def __init__(self, base_url: str, make_transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._base_url = base_url
        self._make_transport = make_transport
        self._client = _Client(make_transport(), base_url)
        self._pool_timeouts = 0

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        client = self._client
        client.users += 1
        try:
            answer = await self._exchange(client.http, request)
        except httpx.PoolTimeout as error:
            self._note_pool_timeout(client)
            raise UpstreamFailedError(Failure.BUSY) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UpstreamFailedError(Failure.CONNECT) from error
        except httpx.TimeoutException as error:
            raise UpstreamFailedError(Failure.TIMEOUT) from error
        except httpx.TransportError as error:
            raise UpstreamFailedError(Failure.BROKEN) from error
        finally:
            client.users -= 1
            if client.retired and not client.users:
                await client.http.aclose()
        self._pool_timeouts = 0
        return answer

    async def _exchange(self, http: httpx.AsyncClient, request: UpstreamRequest) -> UpstreamResponse:
        """Time the whole, after each part: httpx times each read only."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.timeout_s
        timeout = httpx.Timeout(request.timeout_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S)
        sent = http.build_request(
            request.method,
            request.target.decode("latin-1"),
            headers=request.headers,
            content=request.body or None,
            timeout=timeout,
        )
        response = await http.send(sent, stream=True)
        body = bytearray()
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > ANSWER_SIZE_BYTES_MAX:
                    raise UpstreamFailedError(Failure.BAD_ANSWER)
                if loop.time() > deadline:
                    raise UpstreamFailedError(Failure.TIMEOUT)
        finally:
            await response.aclose()
        headers = [(name.lower(), value) for name, value in response.headers.raw]
        return UpstreamResponse(response.status_code, headers, bytes(body))

    def _note_pool_timeout(self, client: _Client) -> None:
        self._pool_timeouts += 1
        if self._pool_timeouts >= POOL_TIMEOUTS_MAX and client is self._client:
            client.retired = True
            self._client = _Client(self._make_transport(), self._base_url)
            self._pool_timeouts = 0

    async def close(self) -> None:
        await self._client.http.aclose()


class AsgiUpstream:
    """Calls a registry that lives in the same process, without sockets."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        # A task of its own: a caller that stops waiting must not cut a registry off in the middle of its
        # work; a closed connection would not do so either.
        call = _Call(request)
        task = asyncio.get_running_loop().create_task(self._serve(call))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await call.answered()

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        # Left, not cut off, for the same reason: it is told that its caller has gone.
        call = _StreamedCall(request, sink)
        task = asyncio.get_running_loop().create_task(self._carry(call))
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.shield(task)
        finally:
            call.left.set()

    async def _carry(self, call: _StreamedCall) -> None:
        await self._app(call.scope(), call.receive, call.send)

    async def _serve(self, call: _Call) -> None:
        try:
            await self._app(call.scope(), call.receive, call.send)
        finally:
            call.ended()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Taken, so that nothing writes its text, which may hold what was sent, into a log.
            task.exception()

    async def close(self) -> None:
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class _Call:
    """One request inside the process: the ASGI server's side of it."""

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request
        self._answer: asyncio.Future[UpstreamResponse] = asyncio.get_running_loop().create_future()
        self._given = False
        self._status = 0
        self._headers: Headers = []
        self._body = b""

    def scope(self) -> Scope:
        raw_path, _, query = self._request.target.partition(b"?")
        length = [(b"content-length", b"%d" % len(self._request.body))] if self._request.body else []
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": "http",
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", b"registry"), *self._request.headers, *length],
            "client": None,
            "server": ("registry", None),
        }

    async def receive(self) -> Message:
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await asyncio.wait((self._answer,))
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False) and not self._answer.done():
            self._answer.set_result(UpstreamResponse(self._status, self._headers, self._body))

    def ended(self) -> None:
        """The application returned; without an answer that is a broken connection."""
        if not self._answer.done():
            self._answer.set_exception(UpstreamFailedError(Failure.BROKEN))

    async def answered(self) -> UpstreamResponse:
        timer = asyncio.get_running_loop().call_later(self._request.timeout_s, self._late)
        try:
            return await self._answer
        finally:
            timer.cancel()

    def _late(self) -> None:
        if not self._answer.done():
            self._answer.set_exception(UpstreamFailedError(Failure.TIMEOUT))


class _StreamedCall(_Call):
    """The same of an answer that is passed on as it comes."""

    def __init__(self, request: UpstreamRequest, sink: Sink) -> None:
        super().__init__(request)
        self._sink = sink
        self.left = asyncio.Event()

    async def receive(self) -> Message:
        if self._given:
            await self.left.wait()
            return {"type": "http.disconnect"}
        return await super().receive()

    async def send(self, message: Message) -> None:
        if self.left.is_set():
            raise OSError("the caller has left")  # as ASGI 2.4 wants it
        if message["type"] == "http.response.start":
            await self._sink.begin(message["status"], list(message.get("headers", ())))
        elif message.get("body"):
            await self._sink.part(message["body"])
