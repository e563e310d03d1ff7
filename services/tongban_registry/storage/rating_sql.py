"""Ratings (好差评) as people ask for them, and the call-backs (回访) that bad ones are owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, delete, exists, func, select, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.report_sql import Moment, Place, Wanted, in_order, rank_of
from tongban_registry.storage.rows import to_us
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tongban_registry.storage.report_sql import Found

OWED = and_(t.RATING.c.due_at.is_not(None), t.RATING.c.answered_at.is_(None))
# On cases: a call-back of this one is owed.
OWED_OF_CASE = exists().where(t.RATING.c.case_id == t.CASES.c.id, OWED)


@dataclass(frozen=True, slots=True)
class Marks:
    """How people rated one province's cases; total: the sum of all scores. owed: call-backs not made yet."""

    count: int = 0
    total: int = 0
    owed: int = 0


def call_backs(wanted: Wanted, moment: Moment, after: Place | None) -> Select[Any]:
    """Call-backs that are owed, with the live claim on each, overdue first; place as of `attention`."""
    rank = rank_of(t.RATING.c.due_at <= to_us(moment.now))
    live = and_(t.CLAIM.c.case_id == t.CASES.c.id, t.CLAIM.c.until > to_us(moment.now))
    columns = (t.CASES.c.id, t.CASES.c.kind, t.CASES.c.item, t.CASES.c.state, t.CASES.c.data)
    rating = (t.RATING.c.score, t.RATING.c.indicators, t.RATING.c.at, t.RATING.c.due_at)
    query = (
        select(*columns, *rating, rank.label("rank"), t.CLAIM.c.officer, t.CLAIM.c.until)
        .select_from(t.RATING)
        .join(t.CASES, t.CASES.c.id == t.RATING.c.case_id)
        .outerjoin(t.CLAIM, live)
        .where(OWED, *wanted.narrowed(moment))
    )
    return in_order(query, (rank, t.RATING.c.due_at, t.CASES.c.id), after)


class Ratings:
    """Every method raises StoreDownError when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def marks(self) -> Marks:
        """Of all cases ever rated; reads them all."""
        given = select(func.count(), func.coalesce(func.sum(t.RATING.c.score), 0))
        owed = select(func.count()).select_from(t.RATING).where(OWED)
        async with read(self._engine) as tx:
            count, total = (await tx.execute(given)).one()
            return Marks(count, int(total), (await tx.execute(owed)).scalar_one())

    async def owed(self, case_id: str) -> Found | None:
        """A rating whose call-back is owed: its case and its comment; None where none is."""
        query = (
            select(t.CASES, t.RATING.c.comment)
            .join(t.RATING, t.RATING.c.case_id == t.CASES.c.id)
            .where(t.CASES.c.id == case_id, OWED)
        )
        async with read(self._engine) as tx:
            return (await tx.execute(query)).one_or_none()

    async def answer(self, case_id: str, officer: str, note: str, now: datetime) -> Found | None:
        """Note what came of the call, and end the claim; the one answer that counts, None: none was owed."""
        mine = (
            update(t.RATING)
            .where(t.RATING.c.case_id == case_id, OWED)
            .values(answered_at=to_us(now), answered_by=officer, answer=note)
        )
        stands = select(t.RATING.c.answered_at, t.RATING.c.answered_by).where(
            t.RATING.c.case_id == case_id, t.RATING.c.answered_at.is_not(None)
        )
        async with write(self._engine) as tx:
            if (await tx.execute(mine)).rowcount:
                await tx.execute(delete(t.CLAIM).where(t.CLAIM.c.case_id == case_id))
            return (await tx.execute(stands)).one_or_none()
