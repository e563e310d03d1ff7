"""What the proof of custody reads of a register: all of it once, and persons as they stand now. No writes.

The register is read along its key in short transactions, so that no snapshot is held open for minutes. What
changes meanwhile is found by the history, which has a line for each change of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select

from tongban_registry.storage import tables as t
from tongban_registry.storage.report_sql import IN_TRANSFER, WITHOUT_CASE
from tongban_registry.storage.rows import case_of
from tongban_registry.storage.sql import KEYS
from tongban_shared.storage.engine import read
from tongban_shared.storage.plain import plain_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# Rows are made on the event loop, which others need too: a few ms at a time.
PAGE_ROWS: Final = 5_000
FETCHED_BACK: Final = ("RESTORING", "VERIFYING", "ENTERING")
"""Internal states of a case in which the ledger has its persons here and no row claims them yet: records are
being fetched, or a newborn's is about to be written."""

_PAGE = (
    select(t.PERSON.c.key, t.PERSON.c.epoch, t.PERSON.c.state, t.PERSON.c.moved_to)
    .where(t.PERSON.c.key > bindparam("after"))
    .order_by(t.PERSON.c.key)
    .limit(PAGE_ROWS)
)
_OF_CASE = and_(t.CASES.c.id == t.PERSON.c.case_id, t.CASES.c.closed_at.is_(None))
_COLUMNS = (
    t.PERSON.c.key,
    t.PERSON.c.epoch,
    t.PERSON.c.state,
    t.PERSON.c.moved_to,
    t.PERSON.c.case_id,
    t.CASES.c.state.label("step"),
    t.CASES.c.destination,
    t.CASES.c.origin,
    t.CASES.c.waits,
)
_NOW = select(*_COLUMNS).outerjoin(t.CASES, _OF_CASE).where(t.PERSON.c.key == KEYS.c.key)
_CHANGED = (
    select(t.HISTORY.c.n, t.HISTORY.c.person)
    .where(t.HISTORY.c.n > bindparam("after"))
    .order_by(t.HISTORY.c.n)
    .limit(PAGE_ROWS)
)
_LAST_LINE = select(func.coalesce(func.max(t.HISTORY.c.n), 0))
_SINCE = (
    select(func.max(t.HISTORY.c.at))
    .where(t.HISTORY.c.person == t.PERSON.c.key, t.HISTORY.c.case_id == t.PERSON.c.case_id)
    .correlate(t.PERSON)
    .scalar_subquery()
    .label("since")
)
# Whoever is prepared counts at the origin, and is listed there.
_GOING = and_(IN_TRANSFER, t.PERSON.c.state != "PREPARED")
_STRAY = t.CASES.c.id.is_(None)
_OLDEST = (
    select(*_COLUMNS, _SINCE)
    .outerjoin(t.CASES, _OF_CASE)
    .where(IN_TRANSFER, or_(t.PERSON.c.state != "PREPARED", _STRAY))
    .order_by(_STRAY.desc(), "since", t.PERSON.c.key)
)
_GOING_COUNT = select(func.count()).select_from(t.PERSON).where(_GOING)
_FETCHED_BACK = select(t.CASES).where(t.CASES.c.state.in_(FETCHED_BACK), t.CASES.c.closed_at.is_(None))


class Standing(NamedTuple):
    """A person's row and the open case that moves it. since: µs since 1970, of persons in transfer only."""

    key: str
    epoch: int
    state: str
    moved_to: str | None
    case_id: str | None
    step: str | None
    destination: str | None
    origin: str | None
    waits: str | None
    since: int | None = None


class CustodyRows:
    """One register, read only. Every method raises StoreDownError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, after: str) -> Sequence[tuple[str, int, str, str | None]]:
        """The next rows in the order of their key: key, epoch, state, moved to. None left: an empty page."""
        async with read(self._engine) as tx:
            rows: Any = await plain_rows(tx, _PAGE, {"after": after})
        return rows  # type: ignore[no-any-return]  # rows of these four columns

    async def now(self, keys: Sequence[str]) -> Sequence[Standing]:
        """These persons as they stand; those who have no row are left out."""
        if not keys:
            return ()
        return [Standing(*row) for row in await self._all(_NOW, KEYS.bind((key,) for key in keys))]

    async def last_line(self) -> int:
        """The number of the newest line of the history."""
        async with read(self._engine) as tx:
            return int((await tx.execute(_LAST_LINE)).scalar_one())

    async def changed(self, after: int) -> Mapping[int, str]:
        """Lines later than one, some thousand at most: number, and the person whose row was changed."""
        return {row.n: row.person for row in await self._all(_CHANGED, {"after": after})}

    async def going(self, limit: int) -> tuple[int, int, Sequence[Standing]]:
        """Persons in transfer from here: how many; how many without open case; these, and then the oldest."""
        async with read(self._engine) as tx:
            total = int((await tx.execute(_GOING_COUNT)).scalar_one())
            stray = int((await tx.execute(WITHOUT_CASE)).scalar_one())
            rows = (await tx.execute(_OLDEST.limit(limit))).all() if total or stray else ()
        return total, stray, [Standing(*row) for row in rows]

    async def fetched_back(self) -> Mapping[str, tuple[str, str]]:
        """Persons, by the ledger's digests, whose records are on their way back: case, and its state."""
        cases = [case_of(row) for row in await self._all(_FETCHED_BACK, {})]
        return {digest: (case.id, str(case.state)) for case in cases for digest in case.data.digests}

    async def _all(self, statement: Any, given: Mapping[str, Any]) -> Sequence[Any]:  # noqa: ANN401
        async with read(self._engine) as tx:
            found: Sequence[Any] = (await tx.execute(statement, given)).all()
        return found
