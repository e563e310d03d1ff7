"""What the recovery gate reads and writes around units of work (G1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import UnreceiptedRow, case_of, person_of
from tongban_registry.storage.sql import CASES_BY_ID, KEYS, NOTES, PUT_NOTES
from tongban_registry.storage.store import INCARNATION
from tongban_shared.registration import CANCELLED, CLAIMING
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tongban_shared.cases.kind import Case
    from tongban_shared.registration import Person

# Why this registry has to catch up, until it has: a crash in between does not forget it.
PUT_BACK = "gate.put_back"
BY_FENCE, BY_LEDGER, BY_PEER = "FENCE", "LEDGER", "PEER"
# Up to where this registry has read the ledger's log.
LEDGER_READ = "gate.ledger_read"
# The last unit of work before this start: what came after it is in doubt if a peer finds a put-back out.
OPENED_AT = "gate.opened_at"

_CLAIMS = select(t.PERSON).where(t.PERSON.c.state.in_([state.value for state in CLAIMING | CANCELLED]))


class GateStore:
    """One registry's database as the gate needs it. Every method raises StoreDownError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def chain_at(self, unit: int) -> str | None:
        """The hash of one unit, None: there is no such unit."""
        async with read(self._engine) as tx:
            query = select(t.UNIT.c.chain).where(t.UNIT.c.n == unit)
            chain: str | None = (await tx.execute(query)).scalar()
        return chain

    async def notes(self) -> Mapping[str, str]:
        """What the gate noted."""
        query = select(t.META.c.key, t.META.c.value).where(
            t.META.c.key.in_([PUT_BACK, LEDGER_READ, OPENED_AT])
        )
        async with read(self._engine) as tx:
            return {row.key: row.value for row in (await tx.execute(query)).all()}

    async def renumber(self, incarnation: int, why: str) -> None:
        """Take a new incarnation, and note that there is something to catch up with."""
        notes = [(INCARNATION, str(incarnation)), (PUT_BACK, why)]
        async with write(self._engine) as tx:
            await tx.execute(PUT_NOTES, NOTES.bind(notes))

    async def opened(self, ledger_read: int, unit: int) -> None:
        """Nothing is left to catch up with: the ledger was read up to here, work goes on after this unit."""
        notes = [(LEDGER_READ, str(ledger_read)), (OPENED_AT, str(unit))]
        async with write(self._engine) as tx:
            await tx.execute(delete(t.META).where(t.META.c.key == PUT_BACK))
            await tx.execute(PUT_NOTES, NOTES.bind(notes))

    async def sent_since(self, unit: int) -> Sequence[UnreceiptedRow]:
        """Messages of cases that later units have sent, receipted or not."""
        query = (
            select(
                t.OUTBOX.c.message_id,
                t.OUTBOX.c.receiver,
                t.OUTBOX.c.family,
                t.OUTBOX.c.case_id,
                t.OUTBOX.c.raw,
            )
            .where(t.OUTBOX.c.unit > unit, t.OUTBOX.c.case_id.is_not(None))
            .order_by(t.OUTBOX.c.unit, t.OUTBOX.c.leaf)
        )
        async with read(self._engine) as tx:
            return [UnreceiptedRow(*row) for row in (await tx.execute(query)).all()]

    async def cases(self, case_ids: Iterable[str]) -> dict[str, Case]:
        """Cases by id, any number of them in one statement."""
        wanted = [(case_id,) for case_id in sorted(set(case_ids))]
        if not wanted:
            return {}
        async with read(self._engine) as tx:
            return {row[0]: case_of(row) for row in await tx.execute(CASES_BY_ID, KEYS.bind(wanted))}

    async def claims(self) -> Sequence[Person]:
        """Every row that claims its person, or says that its registration has ended."""
        async with read(self._engine) as tx:
            return [person_of(row) for row in (await tx.execute(_CLAIMS)).all()]

    async def taken(self) -> Sequence[str]:
        """Ids of all messages taken so far."""
        async with read(self._engine) as tx:
            return (await tx.execute(select(t.INBOX.c.message_id))).scalars().all()

    async def restoring(self) -> set[str]:
        """Persons, by the ledger's digests, whom the ledger has here and who are not fetched yet."""
        query = select(t.CASES).where(t.CASES.c.state == "RESTORING", t.CASES.c.closed_at.is_(None))
        async with read(self._engine) as tx:
            return {digest for row in await tx.execute(query) for digest in case_of(row).data.digests}
