"""The wire between provinces: a broker that loses, doubles, delays, spoils, forgets all, or is away (C5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING
from zlib import crc32

from tongban_sandbox.simulation.loop import PROCESS
from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Position, Record
from tongban_shared.transports.topics import URGENT_FIRST

if TYPE_CHECKING:
    from tongban_sandbox.simulation.clock import NationalTime
    from tongban_sandbox.simulation.journal import Journal
    from tongban_sandbox.simulation.weather import Weather

Place = tuple[Province, Family]
AWAY = "the broker can't be reached"
COPIES_MAX = 4
CUT_OFF = 0.2
"""Share of spoilt parcels that end too early; in the others one bit is wrong."""


class Broker:
    """All logs. A wipe makes new ones."""

    def __init__(self, time: NationalTime, weather: Weather, journal: Journal, random: Random) -> None:
        self.weather = weather
        self.random = random
        self._time = time
        self._journal = journal
        self._generation = 1
        self._logs: dict[Place, list[Record]] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    @property
    def log_id(self) -> str:
        """Tells the logs of before a wipe from those after it."""
        return f"logs-{self._generation}"

    def take(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        """Carry a parcel, after what the weather does to it."""
        delays = self._fate()
        for delay_s in delays:
            spoilt = self.random.random() < self.weather.corrupt
            content = self._spoilt(data) if spoilt else data
            if delay_s:
                later = partial(self.append, to, family, content, headers)
                self._time.call_at(self._time.now_s() + delay_s, later)
            else:
                self.append(to, family, content, headers)
        if not delays:
            self._journal.note("lost", to, family)

    def _fate(self) -> list[float]:
        """A delay for each copy that arrives."""
        weather, random = self.weather, self.random.random
        if random() < weather.drop:
            return []
        copies = 1
        while copies < COPIES_MAX and random() < weather.repeat:
            copies += 1
        return [self._delay_s() for _ in range(copies)]

    def _delay_s(self) -> float:
        weather, random = self.weather, self.random.random
        if random() < weather.late:
            return float(weather.late_s ** random())
        return weather.delay_s * random()

    def _spoilt(self, data: bytes) -> bytes:
        self._journal.note("spoilt", len(data))
        at = int(self.random.random() * len(data))
        if self.random.random() < CUT_OFF:
            return data[:at]
        return data[:at] + bytes((data[at] ^ (1 << int(self.random.random() * 8)),)) + data[at + 1 :]

    def append(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        """Put a record at the end of a log."""
        log = self._logs.setdefault((to, family), [])
        log.append(Record(family, self.log_id, len(log), data, headers))
        self._journal.note("record", to, family, len(data), crc32(data))
        self._wake(to)

    def wipe(self) -> None:
        """All logs are gone; topics are made anew."""
        self._generation += 1
        self._logs.clear()
        for province in tuple(self._waiting):
            self._wake(province)

    def _wake(self, province: str) -> None:
        for waiter in self._waiting.pop(province, ()):
            _arrived(waiter)

    def read(self, place: Place, start: int, limit: int) -> Sequence[Record]:
        """Records from `start` on."""
        return self._logs.get(place, [])[start : start + limit]

    async def arrival(self, province: str, timeout_s: float) -> None:
        """Return when something came for a province, or after the time."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.setdefault(province, []).append(waiter)
        timer = loop.call_later(timeout_s, _arrived, waiter)
        try:
            await waiter
        finally:
            timer.cancel()


def _arrived(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class BrokerEnd:
    """One process's end of the wire, as ports.Transport promises."""

    def __init__(self, broker: Broker, province: Province) -> None:
        self._broker = broker
        self._province = province

    def check(self) -> None:
        """Raises TransportDownError while the broker is away from here."""
        weather = self._broker.weather
        if weather.broker_down or self._province in weather.cut or PROCESS.get().dead:
            raise TransportDownError(AWAY)

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        self.check()
        self._broker.take(to, family, data, headers)
        if self._broker.random.random() < self._broker.weather.unsure:
            raise TransportDownError(AWAY)

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> BrokerInlet:
        return BrokerInlet(self._broker, self, province, positions)

    async def ready(self) -> str | None:
        return AWAY if self._broker.weather.broker_down else None

    async def close(self) -> None:
        """There is nothing to close."""


class BrokerInlet:
    """Reading from positions; from the beginning of logs that are not those they speak of."""

    def __init__(
        self, broker: Broker, end: BrokerEnd, province: Province, positions: Mapping[Family, Position]
    ) -> None:
        self._broker = broker
        self._end = end
        self._province = province
        self._next = dict(positions)

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        self._end.check()
        found = self._take(limit)
        if not found:
            await self._broker.arrival(self._province, timeout_s)
            self._end.check()
            found = self._take(limit)
        return found

    def _take(self, limit: int) -> list[Record]:
        taken: list[Record] = []
        for family in URGENT_FIRST:
            at = self._next.get(family)
            start = at.next if at is not None and at.log_id == self._broker.log_id else 0
            records = self._broker.read((self._province, family), start, limit - len(taken))
            if records:
                self._next[family] = Position(self._broker.log_id, records[-1].position + 1)
                taken.extend(records)
        return taken

    async def close(self) -> None:
        """There is nothing to close."""
