"""The exit: just-committed parcels go out from memory; rows without receipt are sent again, byte for byte.

An outbox row is retired by the receiver's signed receipt only (C5), so a send that fails needs no more than a
counter here: the row is still there, and its next try has a time. Who has long been silent is only probed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from tongban_registry.envelopes import Parcel, header_of, leaf_of, parcels_of
from tongban_registry.silence import TRIES_BEFORE_SILENCE, Silence
from tongban_registry.storage.outbox_sql import KEPT_BACK, LaneRows
from tongban_shared.errors import StoreDownError, TransportDownError
from tongban_shared.fault_points import fault_point
from tongban_shared.ids import Province
from tongban_shared.ports import Family

if TYPE_CHECKING:
    from tongban_registry.monitor import Meters
    from tongban_registry.office import Office
    from tongban_registry.storage.rows import Waiting
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.ports import Transport

RESENT_PER_ROUND_MAX = 500
ROUND_S = 1.0
BACKOFF_FIRST_S = 5.0
BACKOFF_MAX_S = 300.0
IN_FLIGHT_MAX = 2_000


class Relay:
    """Sends parcels for one province."""

    def __init__(self, office: Office, store: RegistryStore, transport: Transport, meters: Meters) -> None:
        self._office = office
        self._store = store
        self._transport = transport
        self._meters = meters
        self._in_flight: set[asyncio.Task[None]] = set()
        self._random = random.Random(office.province)  # jitter, not a secret
        self._failing = False
        self._rows = LaneRows(store.engine)
        self.silence = Silence(office.province, self._rows, meters, self._between_probes)

    async def send_soon(self, parcels: Iterable[Parcel]) -> None:
        """Send in the order given, without waiting for the broker unless too much is under way."""
        for parcel in parcels:
            task = asyncio.create_task(self._send(parcel))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        if len(self._in_flight) > IN_FLIGHT_MAX:
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)

    async def _send(self, parcel: Parcel) -> None:
        fault_point("relay.sending")
        try:
            await self._transport.send(Province(parcel.to), parcel.family, parcel.data, parcel.headers)
        except TransportDownError:
            self._meters.send_failures.inc()
            self._failing = True
        else:
            self._meters.parcels.labels(parcel.family.value).inc()
            if self._failing:
                self._failing = False
                self.silence.broker_is_back(self._office.clock.now())

    def heard(self, provinces: Iterable[str]) -> None:
        """Messages of these were taken: they are not silent altogether."""
        self.silence.heard(provinces, self._office.clock.now())

    async def run(self) -> None:
        """The safety net: every second, send again what is due. Runs until cancelled."""
        loaded = False
        while True:
            try:
                if not loaded:
                    await self.silence.load(self._office.clock.now())
                    loaded = True
                more = await self.round()
            except StoreDownError:
                self._meters.store_failures.inc()
                more = False
            if not more:
                await self._office.clock.sleep(ROUND_S)

    async def round(self) -> bool:
        """One round; True when there may be more at once."""
        now = self._office.clock.now()
        due = await self._store.pending(now, RESENT_PER_ROUND_MAX)
        sent, kept = self.silence.divide(due, now)
        if kept:
            await self._rows.hold(kept, now)
        probes = await self.silence.tend(now)
        tries = [(row.message_id, now + self._backoff(row.tries)) for _, row in sent]
        tries += [(row.message_id, now + KEPT_BACK) for _, row in probes]
        if tries:
            await self._store.resent(tries)
            self._meters.resent.inc(len(tries))
            await self.send_soon(resend_parcels([*sent, *probes]))
        return len(due) == RESENT_PER_ROUND_MAX or self.silence.more

    def _backoff(self, tries: int) -> timedelta:
        """Capped exponential with full jitter, so that a returning province is not met by all at once."""
        limit = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(tries, 10))
        return timedelta(seconds=BACKOFF_FIRST_S / 2 + self._random.uniform(0, limit))

    def _between_probes(self) -> timedelta:
        return self._backoff(TRIES_BEFORE_SILENCE)

    async def drain(self) -> None:
        """Wait for what is under way."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)


def resend_parcels(due: Sequence[tuple[str, Waiting]]) -> Iterable[Parcel]:
    """Parcels of stored messages, one per unit, receiver and family; the same bytes as the first time."""
    groups: dict[tuple[str, str, str], list[Waiting]] = {}
    for header, row in due:
        groups.setdefault((header, row.receiver, row.family), []).append(row)
    for (header, receiver, family), rows in groups.items():
        leaves = [leaf_of(row.leaf, row.path, row.raw) for row in rows]
        yield from parcels_of(header_of(header), leaves, receiver, Family(family))
