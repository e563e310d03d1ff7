"""The wire between two programs is cut, mute, slow or forgetful as it is told, and good again when healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tongban_sandbox.faults.wire import HOST, Wire
from tongban_sandbox.servers.process import free_port

LIMIT_S = 5.0
SILENCE_S = 0.1


class Caller:
    """One connection through the wire to a server that says everything back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def at(cls, wire: Wire) -> Caller:
        """Connect."""
        return cls(*await asyncio.open_connection(HOST, wire.port))

    def say(self, word: bytes) -> None:
        """Send a word."""
        self._writer.write(word)

    async def hears(self, word: bytes, limit_s: float = LIMIT_S) -> bool:
        """Whether the word comes back in time; False also where the connection is reset."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._reader.readexactly(len(word)) == word
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return False

    async def talks(self) -> bool:
        """Whether it gets an answer at all."""
        self.say(b"word")
        return await self.hears(b"word")

    async def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()


Call = Callable[[], Awaitable[Caller]]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A wire to an echo."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1024):
                writer.write(piece)
        writer.transport.abort()

    server = await asyncio.start_server(echo, HOST, 0)
    opened = Wire(free_port())
    await opened.open(server.sockets[0].getsockname()[1])
    yield opened
    await opened.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def call(wire: Wire) -> AsyncIterator[Call]:
    """Connects; all connections are closed at the end."""
    callers: list[Caller] = []

    async def connect() -> Caller:
        callers.append(await Caller.at(wire))
        return callers[-1]

    yield connect
    for caller in callers:
        await caller.close()


async def test_it_carries_both_ways(call: Call) -> None:
    """Left alone it is no more than a wire."""
    caller = await call()
    assert await caller.talks()


async def test_a_cut_wire_resets_old_and_new(wire: Wire, call: Call) -> None:
    """Until it is healed nobody gets an answer, and each is told at once."""
    old = await call()
    assert await old.talks()
    wire.cut()
    assert not await old.talks()
    assert not await (await call()).talks()
    wire.heal()
    healed = await call()
    assert await healed.talks()


async def test_a_mute_wire_keeps_what_was_said(wire: Wire, call: Call) -> None:
    """Nothing comes through and nothing is reset; healed, it delivers what was said meanwhile."""
    caller = await call()
    assert await caller.talks()
    wire.mute()
    caller.say(b"late")
    assert not await caller.hears(b"late", SILENCE_S)
    wire.heal()
    assert await caller.hears(b"late")


async def test_a_half_open_connection_stays_dead(wire: Wire, call: Call) -> None:
    """What was open is dead for ever and is not told; what is new is good."""
    old = await call()
    assert await old.talks()
    wire.forget()
    new = await call()
    assert await new.talks()
    wire.heal()
    old.say(b"word")
    assert not await old.hears(b"word", SILENCE_S)


async def test_a_slow_wire_delays(wire: Wire, call: Call) -> None:
    """Each piece comes late by what it was told, there and back."""
    caller = await call()
    assert await caller.talks()
    wire.slow(delay_s=0.15, bytes_per_s=0)
    begin_s = asyncio.get_running_loop().time()
    assert await caller.talks()
    assert asyncio.get_running_loop().time() - begin_s >= 0.3
