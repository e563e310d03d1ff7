"""One streamed answer over HTTP/1.1, on a connection of its own: it may stay open for hours."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

import httptools

from tongban_gateway.upstream import SILENCE_S_MAX, Failure, Sink, UpstreamFailedError
from tongban_shared.web.problems import Headers

READ_SIZE_BYTES_MAX = 1 << 16


class Place(NamedTuple):
    """Where a registry is, and how long a connection to it may take."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_timeout_s: float


class _Parts:
    """What the parser tells of an answer, as it comes."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.came: list[bytes] = []
        self.begun = self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.begun = True

    def on_body(self, body: bytes) -> None:
        self.came.append(body)

    def on_message_complete(self) -> None:
        self.ended = True


async def stream(place: Place, data: bytes, sink: Sink) -> None:
    """Send one request and pass its answer on until it ends. Raises UpstreamFailedError."""
    try:
        async with asyncio.timeout(place.connect_timeout_s):
            reader, writer = await asyncio.open_connection(place.host, place.port, ssl=place.tls)
    except (OSError, TimeoutError) as error:
        raise UpstreamFailedError(Failure.CONNECT) from error
    try:
        writer.write(data)
        await _pass_on(reader, sink)
    finally:
        writer.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, sink: Sink) -> None:
    parts, told = _Parts(), False
    parser = httptools.HttpResponseParser(parts)
    while not parts.ended:
        try:
            parser.feed_data(await _read(reader))
        except httptools.HttpParserError as error:
            raise UpstreamFailedError(Failure.BAD_ANSWER) from error
        if parts.begun and not told:
            told = True
            await sink.begin(parser.get_status_code(), parts.headers)
        came, parts.came = parts.came, []
        for part in came:
            await sink.part(part)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(SILENCE_S_MAX):
            data = await reader.read(READ_SIZE_BYTES_MAX)
    except TimeoutError as error:
        raise UpstreamFailedError(Failure.TIMEOUT) from error
    except OSError as error:
        raise UpstreamFailedError(Failure.BROKEN) from error
    if not data:
        raise UpstreamFailedError(Failure.BROKEN)
    return data
