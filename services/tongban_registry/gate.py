"""The recovery gate: nobody is answered for before this registry knows that its database is the newest (G1).

    gate = Gate(hall, ledger, fence)
    await gate.settle()  # RECOVERING until then

A database that was put back is found out by the fence, by the ledger or by a peer. The registry then takes a
new incarnation, so that no number is given twice, applies what the ledger has entered meanwhile, and asks
everybody to send again what it may have forgotten. Content that went with the database comes back by recalls.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from tongban_registry.commands import Command
from tongban_registry.gate_rules import catch_up, finds_out, is_behind, prefixes, read_up_to
from tongban_registry.office import STAMPS_APART, STAMPS_DOUBTED, STAMPS_LOST_MAX
from tongban_registry.outage import Outage
from tongban_registry.storage.gate_sql import (
    BY_FENCE,
    BY_LEDGER,
    BY_PEER,
    LEDGER_READ,
    OPENED_AT,
    PUT_BACK,
    GateStore,
)
from tongban_shared.errors import LedgerDownError
from tongban_shared.fault_points import fault_point
from tongban_shared.ids import PersonKey
from tongban_shared.messages.common import Reached

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tongban_registry.inbox import Hall
    from tongban_shared.ports import Head, Ledger, Passage
    from tongban_shared.registration import Person

log = structlog.get_logger()

PASSAGES_EACH = 5_000
TOLD_PER_UNIT = 500
LEDGER_RETRY_S = 1.0


class Gate:
    """One registry's gate. `open`: questions of ownership are answered."""

    def __init__(self, hall: Hall, ledger: Ledger) -> None:
        self._hall = hall
        self._ledger = ledger
        self._fence = hall.fence
        self._store = GateStore(hall.store.engine)
        self._outage = Outage("custody ledger", hall.office.province)
        self.open = False
        self.put_back = False
        hall.meters.recovering.set(1)

    async def settle(self) -> None:
        """Return when this registry may speak. Raises StoreDownError, FenceDownError; then try again."""
        fence = await self._fence.read()
        notes = await self._store.notes()
        why = notes.get(PUT_BACK, "")
        if is_behind(self._hall.counters.head, fence, await self._chain_at(fence)):
            why = BY_FENCE
        if why:
            await self._renumber(why, fence)
        elif self._hall.counters.unit:
            # A fence may be put back together with its database: numbers may be given that neither knows.
            self._hall.counters.stamp += random.randrange(STAMPS_DOUBTED)
        read = int(notes.get(LEDGER_READ, 0))
        passages = await self._passages(read, proven=fence is not None and not why)
        if passages:
            why = why or await self._by_ledger(passages, fence)
            await self._tell_cases(passages, put_back=bool(why))
            read = read_up_to(passages, await self._store.cases(passage.case_id for passage in passages))
        if why:
            await self._ask_peers(int(notes.get(OPENED_AT, 0)) if why == BY_PEER else None)
        await self._store.opened(read, self._hall.counters.unit)
        await self._fence.write(self._hall.counters.head)
        self.open = True
        self._hall.meters.recovering.set(0)

    async def _chain_at(self, fence: Head | None) -> str | None:
        return None if fence is None else await self._store.chain_at(fence.unit)

    async def _renumber(self, why: str, fence: Head | None) -> None:
        """A new incarnation, durable in database and fence before anything is decided under it."""
        counters = self._hall.counters
        newest = max(counters.incarnation, fence.incarnation if fence else 0)
        await self._store.renumber(newest + 1, why)
        self._hall.counters = await self._hall.store.counters()
        # Case and document numbers are made of it, and those of the lost units have been given to people; by
        # chance, since those after an earlier put-back to the same units have been given too.
        self._hall.counters.stamp += STAMPS_LOST_MAX + random.randrange(STAMPS_APART)
        await self._fence.write(self._hall.counters.head)
        self.put_back = True
        self._hall.meters.put_backs.labels(why).inc()
        fault_point("gate.renumbered")
        log.warning("this database was put back", province=self._hall.office.province, reason=why)

    async def _passages(self, after: int, *, proven: bool) -> list[Passage] | None:
        """What the ledger has entered since; None: it is away, and the fence vouches for this database."""
        found: list[Passage] = []
        while True:
            try:
                page = await self._ledger.passages(self._hall.office.province, after, PASSAGES_EACH)
            except LedgerDownError as error:
                self._outage.began(error)
                if proven:
                    return None
                await asyncio.sleep(LEDGER_RETRY_S)
                continue
            self._outage.ended()
            found += page
            if len(page) < PASSAGES_EACH:
                return found
            after = page[-1].seq

    async def _by_ledger(self, passages: Sequence[Passage], fence: Head | None) -> str:
        """The ledger knows of a hand-over that this database must have known first: it was put back."""
        cases = await self._store.cases(passage.case_id for passage in passages)
        if not finds_out(passages, cases, self._hall.office.province):
            return ""
        await self._renumber(BY_LEDGER, fence)
        return BY_LEDGER

    async def _tell_cases(self, passages: Sequence[Passage], *, put_back: bool) -> None:
        """Tell each case what the ledger says of it."""
        cases = await self._store.cases(passage.case_id for passage in passages)
        forgotten = {passage.case_id for passage in passages} - cases.keys()
        self._hall.counters.skip(forgotten, self._hall.office.province)
        here = await self._by_digest() if put_back else {}
        told = catch_up(passages, cases, here, self._hall.office.province, put_back=put_back)
        commands = [Command(one.name, one.body, one.case_id, persons=one.persons) for one in told]
        for start in range(0, len(commands), TOLD_PER_UNIT):
            await self._hall.work([], commands[start : start + TOLD_PER_UNIT])
        if put_back:
            log.warning("caught up with the ledger", province=self._hall.office.province, count=len(told))

    async def _ask_peers(self, doubtful: int | None) -> None:
        """Ask everybody to send again.

        doubtful: the unit after which this registry sent under numbers that were taken, if it did: what it
        sent goes out again under numbers of the new incarnation.
        """
        has = prefixes(await self._store.taken())
        reached = {
            sender: tuple(Reached(incarnation=number, seq=seq) for number, seq in sorted(rows.items()))
            for sender, rows in has.items()
        }
        await self._hall.work([], [Command("resend", reached)])
        if doubtful is not None:
            await self._hall.work([], [Command("reissue", await self._store.sent_since(doubtful))])

    async def _by_digest(self) -> Mapping[str, Person]:
        """Whom this province claims, as the ledger knows them."""
        return {self._ledger.digest_of(PersonKey(p.key)): p for p in await self._store.claims()}

    async def forgotten(self, key: PersonKey) -> bool:
        """Whether the ledger has this person here, of whom this registry knows nothing.

        It was put back together with its fence, and what it accepted before was still under way: nobody could
        tell it. False while the ledger is away; to the gateway an absence counts for nothing then.
        """
        try:
            found = await self._ledger.locate((key,))
        except LedgerDownError:
            return False
        return key in found and found[key].province == self._hall.office.province

    async def restoring(self, key: PersonKey) -> bool:
        """Whether the ledger has this person here, and the record is still being fetched."""
        if self._hall.counters.incarnation == 1:
            return False  # never put back: nothing was ever fetched again
        return self._ledger.digest_of(key) in await self._store.restoring()
