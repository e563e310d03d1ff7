"""The hall: two doors lead in, every batch becomes one unit of work, one transaction.

Messages of other provinces (door 2) and commands (door 1, timers, ledger) wait here; when free, it takes
all that has arrived. Load makes the batches, so a single message never waits for company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, cast

import structlog

from tongban_registry.arrivals import Batch, arrival_of, open_records, read_parked
from tongban_registry.closing import Closing
from tongban_registry.commands import Command, Reply, load_for_door, take_command
from tongban_registry.copies import numbers_said_again
from tongban_registry.envelopes import (
    Sealed,
    path_text,
    receipt_messages,
    receipted_digest,
    sign_messages,
    unkept_messages,
)
from tongban_registry.fence import NoFence
from tongban_registry.loaded import Loaded
from tongban_registry.outage import Outage
from tongban_registry.peers import answer_started, hear_peers, send_again
from tongban_registry.reads import (
    READS_MEMBERS,
    READS_PAPERS,
    READS_PERSONS,
    READS_PROOFS,
    READS_RECORDS,
    READS_UNDER_WAY,
    befallen,
    persons_for,
)
from tongban_registry.refused_before import RefusedBefore
from tongban_registry.storage.rows import to_us
from tongban_registry.unit import Arrival, Ask, Unit
from tongban_shared.decide import Fate
from tongban_shared.errors import PutBackError, StoreDownError, UnavailableError
from tongban_shared.fault_points import fault_point
from tongban_shared.messages.common import Resend, Returned
from tongban_shared.transports.topics import URGENT_FIRST

if TYPE_CHECKING:
    from tongban_registry.monitor import Meters
    from tongban_registry.office import Counters, Office
    from tongban_registry.storage.sql import UnitOfWork
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.ports import Fence, Record
    from tongban_shared.wire import Opened

COMMANDS_PER_UNIT_MAX = 500
# They name persons whose records are read with them.
FOUND = frozenset({"recovered", "named"})
# A larger unit costs no less for each message, and whoever stands at the door waits for two of them.
RECORDS_PER_UNIT_MAX = 64
UNIT_SIZE_BYTES = 1_000_000
WAITING_SIZE_BYTES = 8_000_000
URGENCY = {family: rank for rank, family in enumerate(URGENT_FIRST)}
COMMANDS_WAITING_MAX = 20_000
STORE_RETRY_S = 0.5
FIRST_RETRY_US = 15_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Committed:
    """What leaves after a commit: signed messages and questions to the ledger."""

    sealed: Sealed | None
    asks: Sequence[Ask]


class Hall:
    """One province's single writer."""

    def __init__(self, office: Office, store: RegistryStore, counters: Counters, meters: Meters) -> None:
        self.office = office
        self.store = store
        self.counters = counters
        self.meters = meters
        self.fence: Fence = NoFence()
        self.closing = Closing()
        self.refused_before = RefusedBefore()
        self.after_commit: Callable[[Committed], Awaitable[None]] | None = None
        self._records: deque[Record] = deque()
        self._commands: deque[Command] = deque()
        self._database = Outage("database", office.province)
        # A commit whose answer was lost may have been done: then the numbers it took are taken.
        self._unsure = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put_records(self, records: Sequence[Record]) -> None:
        """Door 2: records as read; waits while the hall is full, so reading never runs ahead of writing."""
        await self._room.wait()
        # Each family keeps its order. What is urgent does not stand behind what was read before it.
        self._records = deque(sorted((*self._records, *records), key=lambda record: URGENCY[record.family]))
        if self._full():
            self._room.clear()
        self._wake.set()

    def _full(self) -> bool:
        size_bytes = sum(len(record.data) for record in self._records)
        return len(self._records) >= RECORDS_PER_UNIT_MAX or size_bytes >= WAITING_SIZE_BYTES

    def keeps(self, record: Record) -> bool:
        """Whether a record still waits for its unit."""
        return any(waiting is record for waiting in self._records)

    def post(self, command: Command) -> None:
        """A command nobody waits for: a passed limit, a ledger's answer."""
        self._commands.append(command)
        self._wake.set()

    async def ask(self, command: Command) -> Reply:
        """Door 1: a command and its reply, given only after the commit. Raises StoreDownError."""
        if len(self._commands) >= COMMANDS_WAITING_MAX:
            return Reply(code="OVERLOADED")
        command.reply = asyncio.get_running_loop().create_future()
        self.post(command)
        return await command.reply

    @property
    def waiting(self) -> int:
        """How many records and commands wait."""
        return len(self._records) + len(self._commands)

    async def run(self) -> None:
        """Work until cancelled. What was taken and not committed is still in the broker or the outbox."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._records or self._commands:
                    await self._turn()
        except Exception:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Nothing is decided here any more: who stands at the door comes again when the next hall is open."""
        for command in self._commands:
            if command.reply is not None and not command.reply.done():
                command.reply.set_exception(UnavailableError("this registry is starting anew"))

    async def _turn(self) -> None:
        records = self._next_records()
        commands = [self._commands.popleft() for _ in range(min(len(self._commands), COMMANDS_PER_UNIT_MAX))]
        try:
            await self.work(records, commands)
            self._database.ended()
        except StoreDownError as error:
            self._database.began(error)
            self._put_back(records, commands, error)
            await asyncio.sleep(STORE_RETRY_S)
        except Exception:
            self._commands.extendleft(reversed(commands))
            raise
        if not self._full():
            self._room.set()

    def _next_records(self) -> list[Record]:
        """As many as one unit takes: at least one, since a single record has a limit of its own."""
        taken: list[Record] = []
        size_bytes = 0
        while self._records and len(taken) < RECORDS_PER_UNIT_MAX and size_bytes < UNIT_SIZE_BYTES:
            taken.append(self._records.popleft())
            size_bytes += len(taken[-1].data)
        return taken

    async def _look_again(self) -> None:
        """After an outage: the numbers as they stand. Raises PutBackError: they are lower than before."""
        known = self.counters.head
        self.counters = await self.store.counters()
        found = self.counters.head
        if (found.incarnation, found.unit) < (known.incarnation, known.unit):
            raise PutBackError("the database has come back older than it was")
        self._unsure = False

    def _put_back(
        self, records: Sequence[Record], commands: Sequence[Command], error: StoreDownError
    ) -> None:
        """Messages and own events wait for the database; who stands at the door is told at once."""
        self.meters.store_failures.inc()
        self._records.extendleft(reversed(records))
        kept = []
        for command in commands:
            if command.reply is None:
                kept.append(command)
            elif not command.reply.done():
                command.reply.set_exception(error)
        self._commands.extendleft(reversed(kept))

    async def work(self, records: Sequence[Record], commands: Sequence[Command]) -> None:
        """One unit of work: one transaction, or nothing."""
        if self._unsure:
            await self._look_again()
        self._unsure = True
        batch = open_records(self.office, records)
        counters = self.counters.copy()
        async with self.store.unit() as tx:
            unit, replies = await self._decide(tx, batch, commands, counters)
            fault_point("hall.decided")
            counters.unit += 1
            sealed = self._seal(unit, batch, f"{counters.incarnation}.{counters.unit}")
            kept = self._stage_unit(unit, sealed)
            await tx.write(unit.changes)
            fault_point("hall.written")
        fault_point("hall.committed")
        self.counters, self._unsure = counters, False
        if kept:
            # Before anything leaves: no answer, no parcel, no question to the ledger (G1).
            await self.fence.write(counters.head)
        fault_point("hall.fenced")
        self._count(unit, batch)
        if unit.changes.notes:
            raise PutBackError("a peer knows more of this registry than its own database")
        for command, reply in replies:
            if command.reply is not None and not command.reply.done():
                command.reply.set_result(reply)
        self.closing.committed(unit.changes.cases.values())
        self.closing.noted(str(line[0]) for line in unit.changes.timeline)
        if self.after_commit is not None:
            await self.after_commit(Committed(sealed, unit.asks))

    async def _decide(
        self, tx: UnitOfWork, batch: Batch, commands: Sequence[Command], counters: Counters
    ) -> tuple[Unit, list[tuple[Command, Reply]]]:
        loaded = await self._load(tx, batch, commands)
        loaded.documents = await tx.documents(numbers_said_again(batch, commands, loaded))
        unit = Unit(self.office, counters, loaded, self.office.clock.now())
        self._refuse(unit, batch)
        for arrival in read_parked(unit, loaded.parked):
            unit.remember_parked(arrival)
        counters.skip(batch.case_ids - loaded.cases.keys(), self.office.province)
        for taken in batch.taken:
            self._take(unit, batch, taken, loaded)
        answer_started(unit, batch, loaded.seen)
        put_back = hear_peers(unit, batch, await tx.unreceipted(batch.reused))
        if put_back:
            log.warning("a peer knows more of this registry than its database", province=self.office.province)
        replies = [(command, self._answer(unit, command, loaded)) for command in commands]
        unit.finish_parked()
        self._stage_batch(unit, batch)
        return unit, replies

    def _refuse(self, unit: Unit, batch: Batch) -> None:
        """What could not be opened goes to quarantine, once: without a receipt it is sent again for ever."""
        fresh = {refused.parcel: refused for refused in batch.refused}
        for parcel, refused in fresh.items():
            if parcel in self.refused_before:
                unit.fates["REFUSED_AGAIN"] = unit.fates.get("REFUSED_AGAIN", 0) + 1
            else:
                unit.quarantine(refused.reason, refused.sender, None, parcel)

    async def _load(self, tx: UnitOfWork, batch: Batch, commands: Sequence[Command]) -> Loaded:
        """All reads of a unit: their number does not depend on the size of the batch."""
        mine = {command.case_id for command in commands if command.case_id}
        seen = await tx.seen(batch.looked_up(self.office.province))
        loaded = Loaded(seen=seen, cases=await tx.cases(batch.case_ids | mine))
        told = batch.told
        near = loaded.persons_of(batch.case_ids | mine) | batch.persons_of(READS_PERSONS) | told
        loaded.parked = await tx.parked(batch.case_ids | mine | near)
        held_up = {row.case_id for row in loaded.parked}
        asked = befallen(batch, commands, loaded)
        lost = {person for command in commands if command.name in FOUND for person in command.persons}
        moving = loaded.persons_of(batch.cases_of(READS_PERSONS) | mine | held_up)
        applied = {p for c in commands if f"{c.kind}.{c.name}" in READS_RECORDS for p in c.persons}
        near_by = moving | asked | lost | told | applied
        loaded.people = await tx.persons(batch.persons_of(READS_PERSONS) | near_by)
        leaving = persons_for(READS_MEMBERS, batch, commands, loaded) | loaded.persons_of(mine) | lost
        loaded.put_members(await tx.members(loaded.homes_of(leaving)))
        silent = loaded.released({c.case_id for c in commands if c.case_id and c.name == "limit"})
        forms = persons_for(READS_RECORDS, batch, commands, loaded) | lost | silent
        loaded.put_records(await tx.records(forms | (befell := asked | told | (held_up & near))))
        if asked or told:
            frozen_for = loaded.cases_of(asked | told)
            loaded.cases |= await tx.cases(frozen_for)
            # Not those read above: their records have been put to them.
            loaded.people |= await tx.persons(loaded.persons_of(frozen_for) - loaded.people.keys())
        loaded.others = await tx.cases(loaded.near_by(batch.asked_about))
        loaded.notices = await tx.notices(befell)
        loaded.proofs = await tx.proofs(silent | loaded.persons_of(batch.cases_of(READS_PROOFS)))
        asking = {person for command in commands if command.name == "apply" for person in command.persons}
        loaded.under_way = await tx.under_way(asking | persons_for(READS_UNDER_WAY, batch, commands, loaded))
        loaded.papers = await tx.papers(persons_for(READS_PAPERS, batch, commands, loaded) | befell)
        await load_for_door(tx, loaded, commands)
        return loaded

    def _answer(self, unit: Unit, command: Command, loaded: Loaded) -> Reply:
        """One command; a failure is its own reply and nobody else's."""
        before = unit.case(command.case_id or "")
        try:
            reply = take_command(unit, command, loaded.replies)
            if before is not None and unit.case(before.id) is not before:
                self._decide_all(unit, unit.freed_by(before.id))
            return reply  # noqa: TRY300  # what follows a command belongs to its own try
        except Exception as error:  # noqa: BLE001  # this door: one failing command stops itself alone
            log.error("command failed", province=self.office.province, error_type=type(error).__name__)  # noqa: TRY400
            return Reply(code="INTERNAL")

    def _take(self, unit: Unit, batch: Batch, taken: Opened, loaded: Loaded) -> None:
        """One message: seen before, reused under other bytes, or fresh."""
        envelope = taken.message.envelope
        digest = sha256(taken.message.raw).hexdigest()
        before = loaded.seen.get(envelope.id)
        if before is not None:
            if before == digest:
                unit.fates["SEEN"] = unit.fates.get("SEEN", 0) + 1
                batch.receipt(envelope.sender).take(envelope.id, digest)
            else:
                unit.quarantine("ID_REUSED", envelope.sender, envelope.id, taken.proof)
                batch.receipt(envelope.sender).returned.append(Returned(id=envelope.id, code="ID_REUSED"))
            return
        loaded.seen[envelope.id] = digest
        unit.changes.inbox.append((envelope.id, digest, envelope.case_id, to_us(unit.now)))
        batch.receipt(envelope.sender).take(envelope.id, digest)
        if envelope.type == Resend.name:
            send_again(unit, envelope, cast("Resend", taken.message.body))
            return
        arrival = arrival_of(unit, taken)
        if arrival is not None:
            self._decide_all(unit, [arrival])

    def _decide_all(self, unit: Unit, arrivals: Sequence[Arrival]) -> None:
        """Decide messages, and after each that moves its case those that waited for it."""
        waiting = deque(arrivals)
        while waiting:
            current = waiting.popleft()
            if self._decide_one(unit, current) is Fate.TAKEN:
                waiting.extend(unit.freed_by(current.event.case_id))

    def _decide_one(self, unit: Unit, arrival: Arrival) -> Fate:
        """One message; a failure is its own and nobody else's."""
        try:
            return unit.decide_arrival(arrival)
        except Exception as error:  # noqa: BLE001  # this door: one poisonous message stops its own case alone
            # The kind alone: a trace could hold personal data.
            log.error("message failed", province=self.office.province, error_type=type(error).__name__)  # noqa: TRY400
            unit.poison(arrival)
            return Fate.PARKED

    def _stage_batch(self, unit: Unit, batch: Batch) -> None:
        """Positions read up to, receipts that retire outbox rows, messages returned to us."""
        at = to_us(unit.now)
        unit.changes.positions.extend(
            (family.value, p.log_id, p.next) for family, p in batch.positions.items()
        )
        unit.changes.receipted.extend((*receipt, at) for receipt in sorted(batch.receipted))
        unit.changes.returned.extend((entry.id, at, entry.code) for entry in batch.returned)

    def _seal(self, unit: Unit, batch: Batch, name: str) -> Sealed | None:
        receipts = receipt_messages(batch.receipts, self.office, unit.now, name)
        words = unkept_messages(unit.words, self.office, unit.now, name)
        sealed = sign_messages(self.office, name, [*unit.outgoing, *receipts, *words])
        if sealed is not None:
            unit.attach_certificates(sealed)
        return sealed

    def _stage_unit(self, unit: Unit, sealed: Sealed | None) -> bool:
        """The unit's own row, if it has one, and an outbox row for each message that has to be receipted."""
        at = to_us(unit.now)
        if sealed is None and not unit.changes.cases and not unit.changes.persons:
            unit.counters.unit -= 1  # nothing happened that a later start would have to know
            return False
        number = unit.counters.unit
        header = "" if sealed is None else sealed.header_text
        unit.changes.unit.append((number, header, unit.counters.stamp, at, unit.counters.link(header)))
        if sealed is None:
            return True
        for message, leaf in zip(sealed.messages, sealed.unit.leaves, strict=True):
            if message.seq:
                place = (message.message_id, message.to, message.seq, message.family.value, message.case_id)
                proof = (number, leaf.index, path_text(leaf), message.raw.decode("utf-8"))
                digest = receipted_digest(sha256(message.raw).hexdigest())
                state = (at, at + FIRST_RETRY_US, 0, None, None, digest, None)
                unit.changes.outbox.append((*place, *proof, *state))
        return True

    def _count(self, unit: Unit, batch: Batch) -> None:
        self.meters.units.inc()
        self.meters.unit_messages.observe(len(batch.taken))
        for fate, count in unit.fates.items():
            self.meters.messages.labels(fate.lower()).inc(count)
        for row in unit.changes.quarantine:
            self.meters.quarantined.labels(row[0]).inc()
            self.refused_before.add(str(row[3]))
            log.warning("message refused", reason=row[0], sender=row[1], province=self.office.province)
