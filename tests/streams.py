"""A caller of a stream: reads event by event what an ASGI application sends, and may leave."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self, cast

import httpx

from tongban_shared.web.guard import AsgiApp, Message

PATIENCE_S = 15.0


def app_of(door: httpx.AsyncClient | None) -> AsgiApp:
    """The application behind a client inside the process."""
    assert door is not None
    return cast("httpx.ASGITransport", door._transport).app  # it has no public name for it


class Listener:
    """One GET of a stream. `async with` ends the call; `leave` is what a closed browser does."""

    def __init__(self, app: AsgiApp, path: str, last: str | None = None) -> None:
        path, _, query = path.partition("?")
        headers = [(b"host", b"test"), *([(b"last-event-id", last.encode())] if last is not None else [])]
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
        }
        self._app = app
        self._left = asyncio.Event()
        self._asked = False
        self._came: asyncio.Queue[Message] = asyncio.Queue()
        self._text = ""
        self.task: asyncio.Task[None] | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._serve())
        start = await self._next()
        self.status, self.headers = start["status"], dict(start["headers"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.task is not None
        self.leave()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(self.task, return_exceptions=True)

    async def _serve(self) -> None:
        await self._app(self._scope, self._receive, self._came.put)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        async with asyncio.timeout(PATIENCE_S):
            return await self._came.get()

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def block(self) -> str | None:
        """The next block of lines; None at the end of the stream."""
        while "\n\n" not in self._text:
            message = await self._next()
            self._text += message.get("body", b"").decode()
            if not message.get("more_body", False):
                return None
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def event(self) -> dict[str, Any] | None:
        """The next event: id, name and data; None at the end. Comments and orders are passed over."""
        while (block := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                data: dict[str, Any] = json.loads(fields["data"])
                return {"id": fields["id"], "name": fields["event"], **data}
        return None

    async def body(self) -> bytes:
        """All that comes, of what is no stream."""
        found = b""
        while True:
            message = await self._next()
            found += bytes(message.get("body", b""))
            if not message.get("more_body", False):
                return found
