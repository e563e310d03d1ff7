"""Whom a registry tells: a real HTTP server and a real mail server here, which keep what they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import chain, repeat
from typing import Any

import msgspec


@dataclass(slots=True)
class Request:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever was sent
        """The body."""
        return msgspec.json.decode(self.body)


@dataclass(slots=True)
class Receiver:
    """What came, and the answers to come: HTTP statuses, or SMTP replies to RCPT; the last one stays."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    answers: Iterator[int] = field(default_factory=lambda: repeat(200))
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, *statuses: int) -> None:
        """From now on."""
        self.answers = chain(statuses, repeat(statuses[-1]))

    def url(self, path: str) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"


async def _http(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").strip().split("\r\n")
    pairs = (header.partition(": ") for header in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    receiver.requests.append(Request(line.split(" ")[1], headers, body))
    receiver.came.set()
    status = next(receiver.answers)
    writer.write(b"HTTP/1.1 %d .\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
    await writer.drain()
    writer.close()


async def _smtp(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 here\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
            receiver.mails.append(message_from_bytes(raw, policy=policy.default))
            receiver.came.set()
        reply = next(receiver.answers) if verb == b"RCPT" else 221 if verb == b"QUIT" else 250
        writer.write(b"%d .\r\n" % (250 if reply == 200 else reply))
        await writer.drain()
    writer.close()


@asynccontextmanager
async def receiver(*, mail: bool = False) -> AsyncIterator[Receiver]:
    """A server for the time of a test."""
    kept = Receiver()
    serve = _smtp if mail else _http

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(kept, reader, writer)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
