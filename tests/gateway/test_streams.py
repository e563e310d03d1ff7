"""Streams through the gateway: passed on as they come, and no other request is the worse for them."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.gateway.country import GUANGDONG, HUNAN, STREAMS_MAX, Country, case_id
from tests.gateway.test_http1 import Serve, peer, until
from tests.streams import Listener
from tongban_gateway.breaker import BreakerState
from tongban_gateway.http1 import Http1Upstream
from tongban_gateway.upstream import AnyAddress, Failure, UpstreamFailedError, UpstreamRequest
from tongban_shared.ids import Province
from tongban_shared.web.problems import Headers

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ASKED = UpstreamRequest("GET", b"/v1/cases/1/events", [], b"", 1.0)


def watching(country: Country, province: Province = GUANGDONG, query: str = "", **more: str) -> Listener:
    """Somebody who watches a case of a province through the gateway. more: last."""
    return Listener(country.gateway, f"/v1/cases/{case_id(province)}/events{query}", more.get("last"))


async def test_events_are_passed_on_as_they_come(country: Country) -> None:
    """Each before the next one is there, to the end; with the number heard last going up to the registry."""
    registry = country.registries[GUANGDONG]
    async with watching(country, last="7") as page:
        assert (page.status, page.headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        for number in ("8", "9"):
            registry.events.put_nowait(f"id: {number}\nevent: change\ndata: {{}}\n\n")
            assert await page.event() == {"id": number, "name": "change"}
        registry.events.put_nowait(None)
        assert await page.event() is None
    assert registry.seen[0].headers["last-event-id"] == "7"


async def test_the_other_party_to_a_case_is_watched_by_its_province(country: Country) -> None:
    """`?province=` reaches the expert's side, as for every other question about a case."""
    async with watching(country, query="?province=43"):
        assert country.registries[HUNAN].listened_to == 1


async def test_what_is_no_stream_is_passed_on_too(country: Country) -> None:
    """A case number that can't be one is the gateway's own refusal."""
    async with Listener(country.gateway, "/v1/cases/1/events") as page:
        assert (page.status, json.loads(await page.body())["code"]) == (404, "CASE_UNKNOWN")


async def test_a_province_that_is_away_is_said_to_be(country: Country) -> None:
    """503 with its name, and the breaker hears nothing of it: ordinary requests go on."""
    country.breaks(GUANGDONG, Failure.CONNECT)
    for _ in range(10):
        async with watching(country) as page:
            problem = json.loads(await page.body())
            assert (page.status, problem["code"], problem["province"]) == (503, "PROVINCE_UNAVAILABLE", "44")
    assert country.gateway.forwarder.lanes[GUANGDONG].breaker.state is BreakerState.CLOSED
    country.ways[GUANGDONG].failure = None
    assert (await country.http.get(f"/v1/cases/{case_id(GUANGDONG)}")).status_code == 200


async def test_only_so_many_streams_of_a_province_are_open(country: Country) -> None:
    """One more is refused at once; other requests, and other provinces, have their own places."""
    async with watching(country), watching(country):
        assert country.registries[GUANGDONG].listened_to == STREAMS_MAX
        async with watching(country) as third:
            assert (third.status, json.loads(await third.body())["code"]) == (429, "OVERLOADED")
        async with watching(country, HUNAN) as elsewhere:
            assert elsewhere.status == 200
        assert (await country.http.get(f"/v1/cases/{case_id(GUANGDONG)}")).status_code == 200
    async with watching(country) as again:
        assert again.status == 200


async def test_a_caller_that_leaves_ends_its_stream_at_the_registry(country: Country) -> None:
    """Nobody there goes on telling it."""
    registry = country.registries[GUANGDONG]
    async with watching(country) as page:
        assert registry.listened_to == 1
        page.leave()
        assert page.task is not None
        await page.task
        registry.events.put_nowait(": still here\n\n")
        await until(lambda: not registry.listened_to)


async def test_a_gateway_that_stops_ends_its_streams(country: Country) -> None:
    """At the next word of the registry, which says something each few seconds; callers come back."""
    async with watching(country) as page:
        country.gateway.health.stopping = True
        country.registries[GUANGDONG].events.put_nowait(": still here\n\n")
        assert await page.event() is None


class Notes:
    """Keeps what a stream brings."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.news = asyncio.Event()

    async def begin(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, dict(headers)

    async def part(self, data: bytes) -> None:
        self.parts.append(data)
        self.news.set()


def streaming(more: asyncio.Event, *, whole: bool = True) -> Serve:
    """Send one chunk, wait, send another, and the end of the stream unless the connection is to break."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"5\r\none\n\n\r\n")
        await more.wait()
        writer.write(b"5\r\ntwo\n\n\r\n" + (b"0\r\n\r\n" if whole else b""))
        await writer.drain()

    return serve


async def test_over_a_socket_parts_come_before_the_end() -> None:
    """The first part is there while the registry still waits to send the second."""
    more, notes = asyncio.Event(), Notes()
    async with peer(streaming(more)) as port:
        way = Http1Upstream(f"http://127.0.0.1:{port}", connections_max=1)
        carried = asyncio.create_task(way.stream(ASKED, notes))
        await notes.news.wait()
        assert (notes.status, notes.parts) == (200, [b"one\n\n"])
        assert notes.headers[b"content-type"] == b"text/event-stream"
        more.set()
        await carried
        assert b"".join(notes.parts) == b"one\n\ntwo\n\n"


async def test_a_socket_that_breaks_is_told_as_broken() -> None:
    """What came before stays."""
    more, notes = asyncio.Event(), Notes()
    more.set()
    async with peer(streaming(more, whole=False)) as port:
        way = Http1Upstream(f"http://127.0.0.1:{port}")
        with pytest.raises(UpstreamFailedError) as raised:
            await way.stream(ASKED, notes)
    assert raised.value.failure is Failure.BROKEN
    assert b"".join(notes.parts) == b"one\n\ntwo\n\n"


async def test_of_several_addresses_one_that_is_there_is_taken() -> None:
    """An address where nobody listens is passed over, as for every request."""
    more, notes = asyncio.Event(), Notes()
    more.set()
    async with peer(streaming(more)) as gone:
        pass
    async with peer(streaming(more)) as port:
        ways = [Http1Upstream(f"http://127.0.0.1:{number}") for number in (gone, port)]
        for _ in ways:
            await AnyAddress(ways).stream(ASKED, notes)
    assert b"".join(notes.parts) == b"one\n\ntwo\n\n" * 2
