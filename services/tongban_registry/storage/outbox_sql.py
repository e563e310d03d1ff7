"""What the exit asks of the outbox beside what is due: a lane's rows, which are kept back while it is silent.

A lane is a receiver and a family. A row that is kept back has its next try far ahead, and yet it has one:
what nobody remembered would still go out one day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Text, and_, case, func, select, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import Waiting, to_us
from tongban_shared.storage.engine import read, write
from tongban_shared.storage.rowset import rowset

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

KEPT_BACK = timedelta(days=30)
# A row that is not kept back has its next try within five minutes.
FAR = timedelta(minutes=10)
IDS = rowset("ids", message_id=Text)
HOLDS = rowset("holds", message_id=Text, next_try_at=BigInteger)

_UNRECEIPTED = t.OUTBOX.c.next_try_at.is_not(None)
_LANES = (
    select(t.OUTBOX.c.receiver, t.OUTBOX.c.family)
    .where(_UNRECEIPTED)
    .group_by(t.OUTBOX.c.receiver, t.OUTBOX.c.family)
)
_RETIRED = select(t.OUTBOX.c.message_id).where(
    t.OUTBOX.c.message_id == IDS.c.message_id, t.OUTBOX.c.next_try_at.is_(None)
)
_HOLD = (
    update(t.OUTBOX)
    .where(t.OUTBOX.c.message_id == HOLDS.c.message_id, _UNRECEIPTED)
    .values(next_try_at=HOLDS.c.next_try_at)
)


class Lane(NamedTuple):
    """One receiver and family: what is read in one order there."""

    receiver: str
    family: str


class Left(NamedTuple):
    """What has no receipt in a lane: how much is kept back, and the unit that the oldest message is of."""

    kept: int
    unit: int


class LaneRows:
    """Every method raises StoreDownError when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def tried(self, tries: int) -> Sequence[Lane]:
        """Lanes in which a message was tried so often without receipt."""
        query = _LANES.having(func.max(t.OUTBOX.c.tries) >= tries)
        async with read(self._engine) as tx:
            return [Lane(*row) for row in (await tx.execute(query)).all()]

    async def hold(self, message_ids: Sequence[str], now: datetime) -> None:
        """Keep these back; they count no try."""
        until = to_us(now + KEPT_BACK)
        async with write(self._engine) as tx:
            await tx.execute(_HOLD, HOLDS.bind([(message_id, until) for message_id in message_ids]))

    async def retired(self, message_ids: Sequence[str]) -> set[str]:
        """Those of them that have a receipt by now."""
        async with read(self._engine) as tx:
            return set((await tx.execute(_RETIRED, IDS.bind([(name,) for name in message_ids]))).scalars())

    async def left(self, lane: Lane, now: datetime) -> Left:
        """What has no receipt in a lane."""
        far = case((t.OUTBOX.c.next_try_at > to_us(now + FAR), 1), else_=0)
        query = select(func.sum(far), func.min(t.OUTBOX.c.unit)).where(_in(lane))
        async with read(self._engine) as tx:
            kept, unit = (await tx.execute(query)).one()
        return Left(int(kept or 0), unit or 0)

    async def under_way(self, lane: Lane, now: datetime) -> int:
        """How many of a lane are not kept back and have no receipt."""
        query = select(func.count()).where(_in(lane), t.OUTBOX.c.next_try_at <= to_us(now + FAR))
        async with read(self._engine) as tx:
            return int((await tx.execute(query)).scalar_one())

    async def probe(self, lane: Lane) -> tuple[str, Waiting] | None:
        """The row that was tried least, with its unit's header; None when all have receipts."""
        query = (
            select(t.OUTBOX, t.UNIT.c.header)
            .join(t.UNIT, t.UNIT.c.n == t.OUTBOX.c.unit)
            .where(_in(lane))
            .order_by(t.OUTBOX.c.tries, t.OUTBOX.c.next_try_at)
            .limit(1)
        )
        async with read(self._engine) as tx:
            row = (await tx.execute(query)).one_or_none()
        if row is None:
            return None
        place = (row.message_id, row.receiver, row.family, row.unit, row.leaf)
        return row.header, Waiting(*place, row.path, row.raw, row.tries)

    async def let_go(self, lane: Lane, now: datetime, limit: int, *, tries: int) -> int:
        """Make so many of those kept back due now, tried so often. Returns how many there were."""
        some = (
            select(t.OUTBOX.c.message_id)
            .where(_in(lane), t.OUTBOX.c.next_try_at > to_us(now + FAR))
            .order_by(t.OUTBOX.c.next_try_at)
            .limit(limit)
        )
        statement = update(t.OUTBOX).where(t.OUTBOX.c.message_id.in_(some))
        async with write(self._engine) as tx:
            return (await tx.execute(statement.values(next_try_at=to_us(now), tries=tries))).rowcount


def _in(lane: Lane) -> ColumnElement[bool]:
    return and_(_UNRECEIPTED, t.OUTBOX.c.receiver == lane.receiver, t.OUTBOX.c.family == lane.family)
