"""A wire in the hands of a test: it holds, drops, doubles and shuffles messages, one by one, or is wiped.

Every message is cut out of its parcel and travels as a parcel of one, as any message may at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Inlet, Position, Record
from tongban_shared.transports.memory import MemoryTransport
from tongban_shared.wire import pack, split_entries


class _Label(msgspec.Struct):
    id: str
    type: str
    sender: str
    receiver: str
    case_id: str | None = None


class _Labelled(msgspec.Struct):
    envelope: _Label


@dataclass(frozen=True, slots=True)
class Letter:
    """One message under way. `name` without the case type: "offer", "receipt"."""

    to: Province
    family: Family
    data: bytes
    label: _Label

    @property
    def name(self) -> str:
        """The message's name."""
        return self.label.type.rpartition(".")[2]


def letters(to: Province, family: Family, data: bytes) -> Iterator[Letter]:
    """The messages of a parcel, each cut out with its path."""
    header, leaves = split_entries(data)
    for leaf in leaves:
        label = msgspec.json.decode(leaf.raw, type=_Labelled).envelope
        yield Letter(to, family, next(pack(header, (leaf,))), label)


class Wire:
    """One wire for the whole country; each registry is given its own end of it."""

    def __init__(self) -> None:
        self.inner = MemoryTransport()
        self.sent: list[Letter] = []
        self.held: list[Letter] = []
        self.holding: set[str] = set()
        self.dropping: set[str] = set()
        self.copies = 1
        self.random: Random | None = None
        self.pool: list[Letter] = []
        self._pump: asyncio.Task[None] | None = None

    def end_of(self, province: str) -> WireEnd:
        """The transport that a province is given."""
        return WireEnd(self, province)

    def hold(self, *names: str) -> None:
        """From now on keep back messages with these names."""
        self.holding |= set(names)

    async def let_go(self, *names: str, times: int = 1) -> None:
        """Deliver what was kept back under these names, `times` times each, and hold no more of them."""
        self.holding -= set(names)
        going = [letter for letter in self.held if letter.name in names]
        self.held = [letter for letter in self.held if letter.name not in names]
        for letter in going:
            for _ in range(times):
                await self.deliver(letter)

    def taken(self, name: str, case_id: str) -> Letter:
        """The newest message of this name and case that was sent."""
        return [letter for letter in self.sent if (letter.name, letter.label.case_id) == (name, case_id)][-1]

    async def deliver(self, letter: Letter) -> None:
        """Put one message into the receiver's log."""
        await self.inner.send(letter.to, letter.family, letter.data, {})

    async def carry(self, letter: Letter) -> None:
        """Take a message from a registry, and do to it what the test said."""
        self.sent.append(letter)
        if letter.name in self.dropping:
            return
        if letter.name in self.holding:
            self.held.append(letter)
        elif self.random is not None:
            self.pool += [letter] * self.copies
            if self._pump is None or self._pump.done():
                self._pump = asyncio.create_task(self._shuffle(self.random))
        else:
            for _ in range(self.copies):
                await self.deliver(letter)

    async def _shuffle(self, random: Random) -> None:
        """Deliver what is under way in random order; each time some are left for later."""
        while self.pool:
            await asyncio.sleep(0)
            random.shuffle(self.pool)
            going = max(1, len(self.pool) // 2)
            self.pool, now = self.pool[going:], self.pool[:going]
            for letter in now:
                await self.deliver(letter)

    def ends(self) -> dict[tuple[str, Family], int]:
        """Per province and family: the position after the newest message in the broker."""
        return {place: log.first + len(log.records) for place, log in self.inner._logs.items()}

    def wipe(self) -> None:
        """The broker loses all it had; topics are made anew."""
        self.inner = MemoryTransport()
        self.held.clear()
        self.pool.clear()

    async def close(self) -> None:
        """End the shuffling."""
        self.pool.clear()
        if self._pump is not None:
            await self._pump


class WireEnd:
    """Keeps the promises of ports.Transport. `dead`: the process at this end has crashed."""

    def __init__(self, wire: Wire, province: str) -> None:
        self.wire = wire
        self.province = province
        self.dead = False

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        del headers
        if self.dead:
            raise TransportDownError(f"province {self.province} has crashed")
        for letter in letters(to, family, data):
            await self.wire.carry(letter)

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> StoryInlet:
        return StoryInlet(self.wire, province, await self.wire.inner.open_inlet(province, positions))

    async def ready(self) -> str | None:
        return None

    async def close(self) -> None:
        """The wire is closed as a whole."""


class StoryInlet:
    """Reads; from the beginning once the broker was wiped."""

    def __init__(self, wire: Wire, province: Province, inner: Inlet) -> None:
        self._wire = wire
        self._province = province
        self._inner = inner
        self._broker = wire.inner

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        if self._broker is not self._wire.inner:
            self._broker = self._wire.inner
            self._inner = await self._broker.open_inlet(self._province, {})
        return await self._inner.poll(limit, timeout_s)

    async def close(self) -> None:
        await self._inner.close()
