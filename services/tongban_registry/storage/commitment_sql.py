"""False commitments (告知承诺) as people ask for them: what an officer has still to see to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, delete, exists, select, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.report_sql import Moment, Place, Wanted, in_order, rank_of
from tongban_registry.storage.rows import to_us
from tongban_shared.storage.engine import write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tongban_registry.storage.report_sql import Found

FALSE = t.FALSE_COMMITMENT
OWED = and_(FALSE.c.due_at.is_not(None), FALSE.c.answered_at.is_(None))
# On cases: somebody has still to see to what was entered by a false commitment of this one.
FALSE_OWED_OF_CASE = exists().where(FALSE.c.case_id == t.CASES.c.id, OWED)


def follow_ups(wanted: Wanted, moment: Moment, after: Place | None) -> Select[Any]:
    """Those that wait for an officer, with the live claim on each; order and place as `attention`."""
    rank = rank_of(FALSE.c.due_at <= to_us(moment.now))
    live = and_(t.CLAIM.c.case_id == t.CASES.c.id, t.CLAIM.c.until > to_us(moment.now))
    columns = (t.CASES.c.id, t.CASES.c.kind, t.CASES.c.item, t.CASES.c.state, t.CASES.c.data)
    found = (FALSE.c.found, FALSE.c.at, FALSE.c.due_at)
    query = (
        select(*columns, *found, rank.label("rank"), t.CLAIM.c.officer, t.CLAIM.c.until)
        .select_from(FALSE)
        .join(t.CASES, t.CASES.c.id == FALSE.c.case_id)
        .outerjoin(t.CLAIM, live)
        .where(OWED, *wanted.narrowed(moment))
    )
    return in_order(query, (rank, FALSE.c.due_at, t.CASES.c.id), after)


class FalseCommitments:
    """Written by the unit of work that finds them; here only what comes of them. Raises StoreDownError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def answer(self, case_id: str, officer: str, note: str, now: datetime) -> Found | None:
        """Note what was done about it, and end the claim; the one answer that counts, None: none was owed."""
        mine = (
            update(FALSE)
            .where(FALSE.c.case_id == case_id, OWED)
            .values(answered_at=to_us(now), answered_by=officer, answer=note)
        )
        stands = select(FALSE.c.answered_at, FALSE.c.answered_by).where(
            FALSE.c.case_id == case_id, FALSE.c.answered_at.is_not(None)
        )
        async with write(self._engine) as tx:
            if (await tx.execute(mine)).rowcount:
                await tx.execute(delete(t.CLAIM).where(t.CLAIM.c.case_id == case_id))
            return (await tx.execute(stands)).one_or_none()
