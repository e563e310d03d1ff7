"""What was refused and what waits in vain, for people: quarantine, parked messages, and who did what.

Reads see one snapshot. The few writes are small transactions of their own and touch no case, no person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, or_, select

from tongban_registry.storage import tables as t
from tongban_registry.storage.report_sql import NOTES, PUT_NOTE, Found, Place
from tongban_registry.storage.reports import Page
from tongban_registry.storage.rows import to_us
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

ACT = "ops.act."
# The inbox tells when a message came first; its parked row, when it was tried last.
_PARKED = (
    select(t.PARKED.c.message_id, t.PARKED.c.case_id, t.PARKED.c.tries, t.INBOX.c.at.label("since"))
    .select_from(t.PARKED)
    .join(t.INBOX, t.INBOX.c.message_id == t.PARKED.c.message_id)
    .order_by(t.INBOX.c.at, t.PARKED.c.message_id)
)


class Waiting(NamedTuple):
    """A parked message and the case that it waits for."""

    message_id: str
    case_id: str


class Refusals:
    """Every method raises StoreDownError when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, after: Place | None, *, limit: int) -> Page:
        """What was refused, newest first, without the bytes; place: row number."""
        q = t.QUARANTINE.c
        query = select(q.n, q.reason, q.sender, q.message_id, q.at).order_by(q.n.desc()).limit(limit + 1)
        async with read(self._engine) as tx:
            rows = (await tx.execute(query if after is None else query.where(q.n < after[0]))).all()
        return Page(rows[:limit], (rows[limit - 1].n,) if len(rows) > limit else None)

    async def one(self, number: int) -> Found | None:
        """One refused parcel, with its bytes."""
        async with read(self._engine) as tx:
            return (await tx.execute(select(t.QUARANTINE).where(t.QUARANTINE.c.n == number))).one_or_none()

    async def forget_taken(self, message_id: str) -> None:
        """Let a quarantined message be decided as if it came for the first time: it had no effect so far."""
        async with write(self._engine) as tx:
            await tx.execute(delete(t.INBOX).where(t.INBOX.c.message_id == message_id))

    async def refused_again(self, parcel: Found) -> str | None:
        """Why a replayed parcel was refused after its replay; None when it was not."""
        q = t.QUARANTINE.c
        same = q.parcel == parcel.parcel
        if parcel.message_id is not None:
            same = or_(same, q.message_id == parcel.message_id)
        query = select(q.reason).where(q.n > parcel.n, same).order_by(q.n.desc()).limit(1)
        async with read(self._engine) as tx:
            reason: str | None = (await tx.execute(query)).scalar()
        return reason

    async def settle(self, number: int, at: datetime, act: str) -> None:
        """Take one out of quarantine and note who did what and why, JSON; both or none. For good."""
        key = f"{ACT}{to_us(at):020}.{number}"
        async with write(self._engine) as tx:
            await tx.execute(delete(t.QUARANTINE).where(t.QUARANTINE.c.n == number))
            await tx.execute(PUT_NOTE, NOTES.bind([(key, act)]))

    async def acts(self, after: Place | None, *, limit: int) -> Page:
        """What people did with refused messages, newest first; place: the note's key."""
        key = t.META.c.key
        query = (
            select(key, t.META.c.value)
            .where(key >= ACT, key < f"{ACT}~", *([key < after[0]] if after else []))
            .order_by(key.desc())
            .limit(limit + 1)
        )
        async with read(self._engine) as tx:
            rows = (await tx.execute(query)).all()
        return Page(rows[:limit], (rows[limit - 1].key,) if len(rows) > limit else None)

    async def parked(self, after: Place | None, *, limit: int) -> Page:
        """Messages that wait for their cause, the oldest first; place: since, message id."""
        at, message_id = t.INBOX.c.at, t.PARKED.c.message_id
        query = _PARKED.limit(limit + 1)
        if after is not None:
            query = query.where(or_(at > after[0], (at == after[0]) & (message_id > after[1])))
        async with read(self._engine) as tx:
            rows = (await tx.execute(query)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(rows[:limit], None if last is None else (last.since, last.message_id))

    async def waiting_too_long(self, since: datetime, many: int, limit: int) -> Sequence[Waiting]:
        """Parked messages that came before a moment, or are not among the newest `many`; oldest first."""
        count = select(func.count()).select_from(t.PARKED)
        async with read(self._engine) as tx:
            beyond = max(0, int((await tx.execute(count)).scalar_one()) - many)
            rows = (await tx.execute(_PARKED.limit(limit))).all()
        late = [row for rank, row in enumerate(rows) if rank < beyond or row.since <= to_us(since)]
        return [Waiting(row.message_id, row.case_id) for row in late]
