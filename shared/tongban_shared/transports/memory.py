"""The embedded transport: one process, one log per province and family, gone with the process.

That it forgets is no weakness to hide: it is the wiped broker that every registry must survive (C5).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Position, Record
from tongban_shared.transports.topics import URGENT_FIRST

KEPT_RECORDS_MAX = 10_000


@dataclass(slots=True)
class _Log:
    """Records of one province and family; `first` is the position of the oldest kept."""

    first: int = 0
    records: list[Record] = field(default_factory=list)


class MemoryTransport:
    """Parcels within one process. Promises of ports.Transport, but for durability beyond the process."""

    def __init__(self) -> None:
        self.log_id = secrets.token_hex(8)
        self.down = False
        self._logs: dict[tuple[str, Family], _Log] = {}
        self._arrived: dict[str, asyncio.Event] = {}

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        """Append to the receiver's log. Raises TransportDownError while `down`."""
        if self.down:
            raise TransportDownError("the embedded transport is switched off")
        log = self._logs.setdefault((to, family), _Log())
        log.records.append(Record(family, self.log_id, log.first + len(log.records), data, dict(headers)))
        if len(log.records) > KEPT_RECORDS_MAX * 2:
            del log.records[:KEPT_RECORDS_MAX]
            log.first += KEPT_RECORDS_MAX
        self.arrived(to).set()

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> MemoryInlet:
        """Read from `positions`, or from the beginning of a log that is not the one they speak of."""
        starts = {
            family: position.next for family, position in positions.items() if position.log_id == self.log_id
        }
        return MemoryInlet(self, province, starts)

    async def ready(self) -> str | None:
        """None, or why not."""
        return "the embedded transport is switched off" if self.down else None

    async def close(self) -> None:
        """Nothing to close."""

    def arrived(self, province: str) -> asyncio.Event:
        """Set when a province has something new."""
        return self._arrived.setdefault(province, asyncio.Event())

    def read(self, province: str, family: Family, start: int, limit: int) -> Sequence[Record]:
        """Records from `start` on; from the oldest kept if that is later."""
        log = self._logs.get((province, family))
        if log is None:
            return ()
        offset = max(0, start - log.first)
        return log.records[offset : offset + limit]


class MemoryInlet:
    """One province's reading end of the embedded transport."""

    def __init__(self, transport: MemoryTransport, province: Province, starts: Mapping[Family, int]) -> None:
        self._transport = transport
        self._province = province
        self._next = dict(starts)

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """0 to `limit` records, urgent families first; waits up to `timeout_s` for the first."""
        event = self._transport.arrived(self._province)
        found = self._take(limit)
        if not found:
            event.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await event.wait()
            except TimeoutError:
                return ()
            found = self._take(limit)
        return found

    def _take(self, limit: int) -> list[Record]:
        taken: list[Record] = []
        for family in URGENT_FIRST:
            room = limit - len(taken)
            # A backlog of one family leaves room for the next ones.
            share = room if family is URGENT_FIRST[-1] else min(room, max(1, room * 3 // 4))
            records = self._transport.read(self._province, family, self._next.get(family, 0), share)
            if records:
                self._next[family] = records[-1].position + 1
                taken.extend(records)
        return taken

    async def close(self) -> None:
        """Nothing to close."""
