"""A case as it changes: server-sent events, one for each line of its timeline.

The number of an event is its line's place in the timeline, from 1, so a caller that comes back with
`Last-Event-ID` misses nothing and is told nothing twice. With the case the stream ends, by `end`; who
has heard all of an ended case gets 204, and a browser does not come back then. No event tells more than the
view of the case. Source: services.md S9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Response

from tongban_registry.views import timeline_entry
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import RefusedError
from tongban_shared.ids import case_id as checked_case_id

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_shared.cases.kind import Case
    from tongban_shared.web.guard import Receive, Scope, Send
    from tongban_shared.web.health import Check

# Below the shortest idle limit that proxies have, and below what a stopping server waits for.
HEARTBEAT_S = 10.0
HEARTBEAT = b": still here\n\n"
RETRY_MS = 2_000
DIGITS_MAX = 9
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
Told = tuple["Case", Sequence[Any]]
EventNumber = Annotated[str | None, Header(alias="Last-Event-ID", pattern=rf"^[0-9]{{1,{DIGITS_MAX}}}$")]


def event_routes(hall: Hall, stopping: Check | None) -> APIRouter:
    """The stream. stopping: the process's own word that it is about to end."""
    router = APIRouter(tags=["cases"])

    @router.get(
        "/v1/cases/{case_id}/events",
        summary="A case as it changes: server-sent events, resumed by Last-Event-ID",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {}}},
            204: {"description": "The case has ended, and Last-Event-ID is its last"},
        },
    )
    async def events(case_id: str, last: EventNumber = None) -> Response:
        number = checked_case_id(case_id)
        found = await hall.store.case(number)
        if found is None:
            raise RefusedError("CASE_UNKNOWN")
        heard = int(last or 0)
        if found[0].closed_at is not None and heard == len(found[1]):
            return Response(status_code=HTTPStatus.NO_CONTENT)
        if hall.closing.watched >= hall.closing.watched_max:
            raise RefusedError("OVERLOADED", "too many cases are being watched here")
        return EventStream(hall, number, heard, stopping)

    return router


class EventStream(Response):
    """Sends what is new as soon as it is committed, and a comment when nothing is, until the case ends.

    It reads the database at changes alone, and ends by itself when caller, registry or process do.
    """

    def __init__(self, hall: Hall, case_id: str, heard: int, stopping: Check | None) -> None:
        super().__init__(headers=HEADERS)
        # Of a stream nobody knows the length.
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]
        self._hall = hall
        self._case_id = case_id
        self._heard = heard
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        del scope
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            with self._hall.closing.watch(self._case_id) as news:
                await self._tell(news, gone, lambda part: send(_body(part)))
        except OSError:  # so ASGI says that the caller has left
            return
        finally:
            gone.cancel()
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(
        self, news: asyncio.Event, gone: asyncio.Task[None], say: Callable[[bytes], Awaitable[None]]
    ) -> None:
        await say(b"retry: %d\n\n" % RETRY_MS)
        fresh = True
        while not gone.done() and not await self._ends():
            if not fresh:
                await say(HEARTBEAT)
            else:
                news.clear()
                found = await self._hall.store.case(self._case_id)
                if found is None:
                    return
                for part in self._parts(found):
                    await say(part)
                if found[0].closed_at is not None:
                    return
            fresh = await self._news(news, gone)

    async def _ends(self) -> bool:
        return self._hall.closing.stopped or (
            self._stopping is not None and await self._stopping() is not None
        )

    def _parts(self, found: Told) -> Iterator[bytes]:
        """What was not told yet. A timeline shorter than that was put back (G1): all of it is told anew."""
        case, lines = found
        public = KINDS[case.kind].public
        start = self._heard if self._heard <= len(lines) else 0
        for number, line in enumerate(lines[start:], start + 1):
            entry = timeline_entry(line)
            yield event_bytes("change", number, entry | {"public_state": public.get(entry["state"])})
        self._heard = len(lines)
        if case.closed_at is not None:
            yield event_bytes("end", self._heard, {"public_state": public[case.state]})

    async def _news(self, news: asyncio.Event, gone: asyncio.Task[None]) -> bool:
        """Wait for a change; False when a heartbeat is due, or nobody listens any more."""
        changed = asyncio.create_task(news.wait())
        quiet = asyncio.create_task(self._hall.office.clock.sleep(HEARTBEAT_S))
        try:
            await asyncio.wait({changed, quiet, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            quiet.cancel()
            await asyncio.gather(changed, quiet, return_exceptions=True)
        return news.is_set()


def event_bytes(name: str, number: int, data: dict[str, Any]) -> bytes:
    """One event; JSON has no line break of its own."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, name.encode(), msgspec.json.encode(data))


def _body(part: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": True}


async def _gone(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
