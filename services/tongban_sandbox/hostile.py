"""A hostile wire round any transport: it loses, doubles, reorders, delays, and cuts provinces off (C5).

    wire = HostileWire(MemoryTransport(), seed=7, clock=clock)
    registry = await Registry.open(profile, url, Surrounds(wire.end_of("44"), ...))
    wire.faults = Faults(drop=0.1, duplicate=0.2)

The same seed and the same order of sends give the same faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

import msgspec

from tongban_shared.errors import TransportDownError

if TYPE_CHECKING:
    from tongban_shared.ids import Province
    from tongban_shared.ports import Clock, Family, Inlet, Position, Record, Transport

# A reordered parcel lets those behind it pass: by up to this long.
OVERTAKEN_S_MAX = 0.3


class Faults(msgspec.Struct, frozen=True):
    """How bad the wire is. drop, duplicate, reorder: shares of parcels, 0 to 1; delay_ms: at most so long.

    down: provinces cut off from everybody: from the wire, from the ledger and from the gateway.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_ms: int = 0
    down: frozenset[str] = frozenset()


class HostileWire:
    """One wire; each province has its own end of it."""

    def __init__(self, inner: Transport, *, seed: int, clock: Clock) -> None:
        self.faults = Faults()
        self.lost = 0
        self._inner = inner
        self._random = Random(seed)
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    def end_of(self, province: Province) -> WireEnd:
        """The transport that a province is given."""
        return WireEnd(self, self._inner, province)

    async def carry(self, to: Province, family: Family, parcel: tuple[bytes, Mapping[str, str]]) -> None:
        """Take a parcel, and do to it what the faults say."""
        for delay_s in self._fate():
            if delay_s == 0:
                await self._inner.send(to, family, *parcel)
            else:
                task = asyncio.create_task(self._later(delay_s, to, family, parcel))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    def _fate(self) -> list[float]:
        """A delay for each copy that arrives; none: it is lost."""
        faults, random = self.faults, self._random.random
        if random() < faults.drop:
            self.lost += 1
            return []
        copies = 2 if random() < faults.duplicate else 1
        return [
            faults.delay_ms / 1000 * random()
            + (OVERTAKEN_S_MAX * random() if random() < faults.reorder else 0)
            for _ in range(copies)
        ]

    async def _later(
        self, delay_s: float, to: Province, family: Family, parcel: tuple[bytes, Mapping[str, str]]
    ) -> None:
        await self._clock.sleep(delay_s)
        try:
            await self._inner.send(to, family, *parcel)
        except TransportDownError:
            self.lost += 1

    async def close(self) -> None:
        """Forget what is under way, as a broker that is wiped, and close the pipe."""
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._inner.close()


class WireEnd:
    """One province's end of the wire, as ports.Transport promises. `dead`: its process has crashed."""

    def __init__(self, wire: HostileWire, inner: Transport, province: Province) -> None:
        self.dead = False
        self.province = province
        self._wire = wire
        self._inner = inner

    @property
    def cut(self) -> bool:
        """Whether nothing gets through, in neither direction."""
        return self.dead or self.province in self._wire.faults.down

    def check(self) -> None:
        """Raises TransportDownError while cut."""
        if self.cut:
            raise TransportDownError(f"province {self.province} is cut off")

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        self.check()
        await self._wire.carry(to, family, (data, headers))

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> HostileInlet:
        return HostileInlet(self, await self._inner.open_inlet(province, positions))

    async def ready(self) -> str | None:
        return "this province is cut off" if self.cut else await self._inner.ready()

    async def close(self) -> None:
        """The wire is closed as a whole."""


class HostileInlet:
    """Reading, which fails while the province is cut off; nothing that was read meanwhile is lost."""

    def __init__(self, end: WireEnd, inner: Inlet) -> None:
        self._end = end
        self._inner = inner
        self._kept: Sequence[Record] = ()

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        self._end.check()
        if not self._kept:
            self._kept = await self._inner.poll(limit, timeout_s)
        self._end.check()
        taken, self._kept = self._kept[:limit], self._kept[limit:]
        return taken

    async def close(self) -> None:
        await self._inner.close()
