"""The registry's database behind plain methods: units of work, and the reads around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Text, exists, func, or_, select, update

from tongban_registry.office import Counters
from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import (
    StoredReply,
    Waiting,
    case_of,
    household_row,
    person_of,
    person_row,
    to_us,
)
from tongban_registry.storage.sql import (
    HOUSEHOLDS,
    NEW_HOUSEHOLDS,
    NEW_PERSONS,
    PERSONS,
    PUT_RECORDS,
    RECORDS,
    Audience,
    UnitOfWork,
)
from tongban_shared.ports import Family, Position
from tongban_shared.storage.engine import open_engine, read, write
from tongban_shared.storage.rowset import rowset
from tongban_shared.storage.writer import Writer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tongban_shared.cases.kind import Case
    from tongban_shared.registration import Household, Person

INCARNATION = "incarnation"
RESENDS = rowset("resends", message_id=Text, next_try_at=BigInteger)

_LAST_UNIT = (
    select(t.UNIT.c.n, t.UNIT.c.stamp, t.UNIT.c.chain, exists(select(t.CONTACT.c.case_id)))
    .order_by(t.UNIT.c.n.desc())
    .limit(1)
)
_PENDING = (
    select(t.OUTBOX, t.UNIT.c.header)
    .join(t.UNIT, t.UNIT.c.n == t.OUTBOX.c.unit)
    .where(t.OUTBOX.c.next_try_at.is_not(None))
    .order_by(t.OUTBOX.c.next_try_at)
)
_RESENT = (
    update(t.OUTBOX)
    .where(t.OUTBOX.c.message_id == RESENDS.c.message_id, t.OUTBOX.c.next_try_at.is_not(None))
    .values(next_try_at=RESENDS.c.next_try_at, tries=t.OUTBOX.c.tries + 1)
)


class RegistryStore:
    """One province's database. Every method raises StoreDownError when it does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.writer = Writer(engine)
        self.audience = Audience()

    @classmethod
    async def open(cls, url: str) -> RegistryStore:
        """Open a migrated database."""
        return cls(await open_engine(url))

    async def close(self) -> None:
        """Close all connections."""
        await self.writer.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """One transaction; commits when the block ends, or nothing happened."""
        async with self.writer.unit() as line:
            yield UnitOfWork(line, self.audience)

    async def counters(self) -> Counters:
        """Where this registry's numbers stand; and whether anybody here wants to be told anything."""
        async with read(self.engine) as tx:
            incarnation = (
                await tx.execute(select(t.META.c.value).where(t.META.c.key == INCARNATION))
            ).scalar()
            number = int(incarnation or 1)
            last = (await tx.execute(_LAST_UNIT)).one_or_none() or (0, 0, "", False)
            self.audience.anybody = bool(last[3])
            mine = t.OUTBOX.c.message_id.like(f"__-__-{number}-%")
            rows = await tx.execute(
                select(t.OUTBOX.c.receiver, func.max(t.OUTBOX.c.seq))
                .where(mine)
                .group_by(t.OUTBOX.c.receiver)
            )
            return Counters(number, last[0], last[1], {row[0]: row[1] for row in rows}, last[2])

    async def positions(self) -> Mapping[Family, Position]:
        """Where reading goes on, by family."""
        async with read(self.engine) as tx:
            rows = (await tx.execute(select(t.POSITIONS))).all()
        return {Family(row.family): Position(row.log_id, row.next) for row in rows}

    async def seed(self, households: Sequence[Household], persons: Sequence[Person]) -> None:
        """Enter first registrations, all or none."""
        async with write(self.engine) as tx:
            await tx.execute(NEW_HOUSEHOLDS, HOUSEHOLDS.bind([household_row(h) for h in households]))
            await tx.execute(NEW_PERSONS, PERSONS.bind([person_row(p) for p in persons]))
            await tx.execute(PUT_RECORDS, RECORDS.bind([(p.key, p.record) for p in persons]))

    async def due_cases(self, now: datetime, limit: int) -> Sequence[str]:
        """Cases whose limit has passed, oldest first."""
        query = (
            select(t.CASES.c.id)
            .where(t.CASES.c.due_at.is_not(None), t.CASES.c.due_at <= to_us(now))
            .order_by(t.CASES.c.due_at)
            .limit(limit)
        )
        async with read(self.engine) as tx:
            return (await tx.execute(query)).scalars().all()

    async def ever_moved(self) -> Sequence[tuple[str, int]]:
        """Key and epoch of all who have ever moved, here or away."""
        query = select(t.PERSON.c.key, t.PERSON.c.epoch).where(
            or_(t.PERSON.c.epoch > 0, t.PERSON.c.moved_to.is_not(None))
        )
        async with read(self.engine) as tx:
            return [(key, epoch) for key, epoch in (await tx.execute(query)).all()]

    async def waiting_for_ledger(self) -> Sequence[Case]:
        """Cases whose question to the ledger has no answer yet."""
        query = select(t.CASES).where(t.CASES.c.waits == "LEDGER", t.CASES.c.closed_at.is_(None))
        async with read(self.engine) as tx:
            return [case_of(row) for row in (await tx.execute(query)).all()]

    async def pending(self, until: datetime, limit: int) -> Sequence[tuple[str, Waiting]]:
        """Outbox rows without receipt whose next try is due, each with its unit's header."""
        query = _PENDING.where(t.OUTBOX.c.next_try_at <= to_us(until)).limit(limit)
        async with read(self.engine) as tx:
            rows = (await tx.execute(query)).all()
        return [
            (
                row.header,
                Waiting(
                    row.message_id, row.receiver, row.family, row.unit, row.leaf, row.path, row.raw, row.tries
                ),
            )
            for row in rows
        ]

    async def resent(self, tries: Sequence[tuple[str, datetime]]) -> None:
        """Note the next try of rows that are being sent again."""
        async with write(self.engine) as tx:
            await tx.execute(_RESENT, RESENDS.bind([(message_id, to_us(at)) for message_id, at in tries]))

    async def hurry_outbox(self, now: datetime) -> int:
        """At start: everything without receipt is due at once. Returns how many messages that is."""
        statement = update(t.OUTBOX).where(t.OUTBOX.c.next_try_at.is_not(None)).values(next_try_at=to_us(now))
        async with write(self.engine) as tx:
            return (await tx.execute(statement)).rowcount

    async def lookup(self, key: str, access: tuple[str, str, str | None], at: datetime) -> Person | None:
        """One person's row, and who looked when, in one transaction. access: actor, purpose, case id."""
        actor, purpose, case_id = access
        async with write(self.engine) as tx:
            row = (await tx.execute(select(t.PERSON).where(t.PERSON.c.key == key))).one_or_none()
            proof = (await tx.execute(select(t.PROOF.c.proof).where(t.PROOF.c.person == key))).scalar()
            entry = {
                "person": key,
                "actor": actor,
                "purpose": purpose,
                "case_id": case_id,
                "result": "absent" if row is None else "registration",
                "at": to_us(at),
            }
            await tx.execute(t.ACCESS_LOG.insert(), entry)
        return None if row is None else person_of(row, proof=proof or "")

    async def reply(self, key: str) -> StoredReply | None:
        """The reply stored for an idempotency key."""
        query = select(t.IDEMPOTENCY).where(t.IDEMPOTENCY.c.key == key)
        async with read(self.engine) as tx:
            row = (await tx.execute(query)).one_or_none()
        return None if row is None else StoredReply(row.digest, row.status, row.reply, row.case_id)

    async def takes_members(self, household_no: str) -> bool:
        """Whether a household exists here and is open."""
        query = select(t.HOUSEHOLD.c.open).where(t.HOUSEHOLD.c.id == household_no)
        async with read(self.engine) as tx:
            return bool((await tx.execute(query)).scalar())

    async def case(self, case_id: str) -> tuple[Case, Sequence[Any]] | None:
        """One case with its timeline rows."""
        async with read(self.engine) as tx:
            row = (await tx.execute(select(t.CASES).where(t.CASES.c.id == case_id))).one_or_none()
            if row is None:
                return None
            lines = await tx.execute(
                select(
                    t.TIMELINE.c.case_id,
                    t.TIMELINE.c.at,
                    t.TIMELINE.c.province,
                    t.TIMELINE.c.event,
                    t.TIMELINE.c.actor,
                    t.TIMELINE.c.state,
                    t.TIMELINE.c.sent,
                )
                .where(t.TIMELINE.c.case_id == case_id)
                .order_by(t.TIMELINE.c.n)
            )
            return case_of(row), [tuple(line) for line in lines.all()]
