"""The guard: what every request meets first and every answer last. Pure ASGI, one object per request.

In: body limit, JSON check, media type, trace context. Out: trace context and security headers; a problem when
the application failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from tongban_shared.errors import RefusedError
from tongban_shared.web.json_check import check_json
from tongban_shared.web.last_resort import last_answer
from tongban_shared.web.problems import Answer
from tongban_shared.web.trace import TRACEPARENT, continued

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_SIZE_BYTES_MAX = 1 << 20
JSON_DEPTH_MAX = 20
BODY_TIMEOUT_S = 20.0
LENGTH_DIGITS_MAX = 18
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_JSON_TYPES = frozenset({b"application/json", b"application/json;charset=utf-8"})
SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""On every answer, unless it brings its own, as a page with scripts does."""

PAGE_HEADERS = (
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""Also on what a browser shows as a page; on data they would only be weight."""


class Guard:
    """ASGI middleware; an application behind it gets the body whole, in one message."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        body_size_bytes_max: int = BODY_SIZE_BYTES_MAX,
        json_depth_max: int = JSON_DEPTH_MAX,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._size_max = body_size_bytes_max
        self._depth_max = json_depth_max
        self._timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a refused one is answered here and never reaches the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        traceparent = continued(headers.get(b"traceparent"))
        token = TRACEPARENT.set(traceparent)
        reply = _Reply(send, traceparent)
        try:
            taken = await self._take(scope["method"], headers, receive)
            if taken is not None:
                await self._app(scope, taken, reply)
        except Exception as error:  # noqa: BLE001 - the last resort: no request may end in a stack trace
            answer = last_answer(error)
            # An answer that has begun stays cut off: the server closes the connection.
            if not reply.begun:
                await send_answer(reply, answer)
        finally:
            TRACEPARENT.reset(token)

    async def _take(self, method: str, headers: Mapping[bytes, bytes], receive: Receive) -> Receive | None:
        """Return where the application reads from, or None when the caller has gone. Raises RefusedError."""
        if _announced(headers) > self._size_max:
            raise RefusedError("BODY_TOO_LARGE")
        if method not in _WITH_BODY:
            return receive
        body = await self._read(receive)
        if body is None:
            return None
        if body:
            _check_media_type(headers)
            check_json(body, self._depth_max)
        return _replaying(body, receive)

    async def _read(self, receive: Receive) -> bytes | None:
        """Return the whole body, or None when the caller left before its end."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > self._size_max:
                        raise RefusedError("BODY_TOO_LARGE")
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError as error:
            raise RefusedError("REQUEST_TIMEOUT") from error


def _announced(headers: Mapping[bytes, bytes]) -> int:
    """The announced size; what is no number is left to the server, which refuses it before."""
    length = headers.get(b"content-length")
    if length is None or not length.isdigit():
        return 0
    return int(length[:LENGTH_DIGITS_MAX])


def _check_media_type(headers: Mapping[bytes, bytes]) -> None:
    sent = headers.get(b"content-type", b"")
    if sent in _JSON_TYPES:
        return
    if sent.lower().replace(b" ", b"").replace(b'"', b"") not in _JSON_TYPES:
        raise RefusedError("MEDIA_TYPE")


def _replaying(body: bytes, receive: Receive) -> Receive:
    """The body in one message, then whatever the server has to say, such as that the caller has gone."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Reply:
    """Sends on; adds our headers to the answer as it begins, unless it has its own."""

    __slots__ = ("_send", "_traceparent", "begun")

    def __init__(self, send: Send, traceparent: str) -> None:
        self._send = send
        self._traceparent = traceparent
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if not self.begun:
            self.begun = True
            message["headers"] = _with_ours(message.get("headers", ()), self._traceparent.encode("ascii"))
        await self._send(message)


def _with_ours(headers: Iterable[tuple[bytes, bytes]], traceparent: bytes) -> list[tuple[bytes, bytes]]:
    marked = list(headers)
    own = dict(marked)
    if b"traceparent" in own:
        marked = [header for header in marked if header[0] != b"traceparent"]
    ours: tuple[tuple[bytes, bytes], ...] = SECURITY_HEADERS
    if own.get(b"content-type", b"").startswith(b"text/html"):
        ours += PAGE_HEADERS
    for header in ours:
        if header[0] not in own:
            marked.append(header)
    marked.append((b"traceparent", traceparent))
    return marked


async def send_answer(send: Send, answer: Answer) -> None:
    """Send one ready answer."""
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})
