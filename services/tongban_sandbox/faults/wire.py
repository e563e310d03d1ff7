"""A TCP proxy inside this process: between two programs it is the network, slow, cut, mute or forgetful."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from tongban_sandbox.together import end

HOST = "127.0.0.1"
CHUNK_SIZE_BYTES = 65_536


@dataclass(slots=True, eq=False)
class _Link:
    """One connection through the wire: the near end's and the far end's writers."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    forgotten: bool = False

    def abort(self) -> None:
        """Reset both ends."""
        self.near.transport.abort()
        self.far.transport.abort()


@dataclass(slots=True, eq=False)
class Wire:
    """Carries bytes from `port` to `target`, as it is told. Ports are of loopback."""

    port: int
    target: int = 0
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    _links: set[_Link] = field(default_factory=set)
    _carrying: set[asyncio.Task[object]] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: bool = False
    _server: asyncio.Server | None = None

    async def open(self, target: int) -> None:
        """Begin to carry."""
        self.target = target
        self._flowing.set()
        self._server = await asyncio.start_server(self._carry, HOST, self.port)

    async def close(self) -> None:
        """Reset every connection and stop. Safe to repeat."""
        if self._server is not None:
            self._server.close()
            await end(self._carrying)
            await self._server.wait_closed()
            self._server = None

    @property
    def connections(self) -> int:
        """How many connections go through it."""
        return len(self._links)

    def heal(self) -> None:
        """Carry everything at once again. What was forgotten stays forgotten."""
        self.delay_s = self.bytes_per_s = 0.0
        self._cut = False
        self._flowing.set()

    def slow(self, delay_s: float, bytes_per_s: float) -> None:
        """Each piece comes late, and a long one longer."""
        self.delay_s, self.bytes_per_s = delay_s, bytes_per_s

    def cut(self) -> None:
        """Reset every connection, and every new one until it is healed."""
        self._cut = True
        self._reset()

    def mute(self) -> None:
        """Connections stand and open, and carry nothing until it is healed."""
        self._flowing.clear()

    def forget(self) -> None:
        """Connections of now carry nothing for ever and nobody is told; new ones are good (half-open)."""
        for link in self._links:
            link.forgotten = True

    def _reset(self) -> None:
        for link in tuple(self._links):
            link.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        self._carrying.add(this)
        this.add_done_callback(self._carrying.discard)
        try:
            await self._join(reader, writer)
        finally:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end closes it."""
        if self._cut:
            return
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        except OSError:
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        there = asyncio.create_task(self._pump(link, reader, far_writer))
        back = asyncio.create_task(self._pump(link, far_reader, writer))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            if link.forgotten and not there.done():
                await asyncio.wait((there,))  # the far end's farewell does not come through
        finally:
            self._links.discard(link)
            link.abort()
            await end([there, back])

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the sender closes; what is lost on the way ends it too."""
        with suppress(OSError):
            while piece := await reader.read(CHUNK_SIZE_BYTES):
                if self.delay_s or self.bytes_per_s:
                    late_s = len(piece) / self.bytes_per_s if self.bytes_per_s else 0.0
                    await asyncio.sleep(self.delay_s + late_s)
                await self._flowing.wait()
                if not link.forgotten:
                    writer.write(piece)
                    await writer.drain()
