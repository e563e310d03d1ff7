"""Streams of events: passed on part by part, beside the lanes of ordinary requests.

A stream stays open for as long as a case does. It takes no place of the pool, waits for no whole answer and
says nothing to the breaker; each province has places for so many, and one more is refused at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from tongban_gateway.exchange import NOT_PASSED_BACK
from tongban_gateway.forward import Forwarder, Lane, ProvinceAwayError
from tongban_gateway.upstream import Failure, Streaming, UpstreamFailedError, UpstreamRequest
from tongban_shared.errors import RefusedError, UnknownProvinceError
from tongban_shared.ids import Province
from tongban_shared.web.guard import Receive, Send
from tongban_shared.web.problems import Answer, Headers

OPEN_MAX = 64


class Streams:
    """All that are open now. `stopping`: whether this gateway is about to end, asked at each part."""

    def __init__(self, forwarder: Forwarder, stopping: Callable[[], bool], open_max: int = OPEN_MAX) -> None:
        self._forwarder = forwarder
        self._stopping = stopping
        self._open_max = open_max
        self._open: Counter[Province] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    async def pass_on(
        self, province: Province, request: UpstreamRequest, receive: Receive, send: Send
    ) -> Answer | None:
        """Serve a stream to its end; or return the answer to give when it could not begin.

        Raises UnknownProvinceError, RefusedError(OVERLOADED, UNAVAILABLE).
        """
        lane = self._forwarder.lanes.get(province)
        if lane is None:
            raise UnknownProvinceError(province)
        if not isinstance(lane.upstream, Streaming):
            raise RefusedError("UNAVAILABLE", "no streams are passed on to this province; ask its registry")
        if self._open[province] >= self._open_max:
            raise RefusedError("OVERLOADED", f"too many cases of province {province} are being watched")
        self._open[province] += 1
        try:
            return await self._serve(lane, lane.upstream, request, Reply(receive, send, self._stopping))
        finally:
            self._open[province] -= 1

    async def _serve(
        self, lane: Lane, upstream: Streaming, request: UpstreamRequest, reply: Reply
    ) -> Answer | None:
        carrying = asyncio.create_task(upstream.stream(request, reply))
        leaving = asyncio.create_task(reply.gone())
        try:
            await asyncio.wait({carrying, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            carrying.cancel()
            leaving.cancel()
            await asyncio.gather(carrying, leaving, return_exceptions=True)
        error = None if carrying.cancelled() else carrying.exception()
        if error is not None and not isinstance(error, UpstreamFailedError):
            raise error
        if not reply.begun:
            failure = error.failure if error is not None else Failure.BROKEN
            return ProvinceAwayError(lane.profile, failure, self._forwarder.since(lane)).as_problem("GET")
        await reply.end()
        return None


class Reply:
    """A caller's side of one stream; keeps the promises of upstream.Sink."""

    def __init__(self, receive: Receive, send: Send, stopping: Callable[[], bool]) -> None:
        self._receive = receive
        self._send = send
        self._stopping = stopping
        self.begun = False

    async def begin(self, status: int, headers: Headers) -> None:
        """Pass status and headers on, without those of this hop."""
        self.begun = True
        kept = [header for header in headers if header[0] not in NOT_PASSED_BACK]
        await self._send({"type": "http.response.start", "status": status, "headers": kept})

    async def part(self, data: bytes) -> None:
        """Pass a part on. Where this gateway stops, the stream breaks off: its caller comes back."""
        if self._stopping():
            raise UpstreamFailedError(Failure.BROKEN)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Nothing more comes."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def gone(self) -> None:
        """Return when the caller has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
