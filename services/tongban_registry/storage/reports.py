"""What people ask of one province's database beside its work: tasks, figures, hops, access.

Reads see one snapshot. The few writes here are small transactions of their own and touch no case, no person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, or_, select

from tongban_registry.storage import tables as t
from tongban_registry.storage.commitment_sql import FALSE_OWED_OF_CASE, follow_ups
from tongban_registry.storage.rating_sql import OWED_OF_CASE, call_backs
from tongban_registry.storage.report_sql import (
    CLAIMS,
    FORGOTTEN,
    IN_TRANSFER,
    NEW_CLAIM,
    NOTES,
    OPEN,
    PULSE,
    PUT_NOTE,
    RELEASE_ALARM,
    RENEWED_CLAIM,
    TRANSFERS,
    WITHOUT_CASE,
    Found,
    Moment,
    Place,
    Wanted,
    archive,
    attention,
    calls_people,
)
from tongban_registry.storage.rows import from_us, from_us_or_none, to_us
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


# A claim is dropped when its case ends; one on a case that another side ends, some time after it lapsed.
CLAIM_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; `last` is the place after which the next one begins, None when there is none."""

    rows: Sequence[Found]
    last: Place | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a case, and until when nobody else may."""

    case_id: str
    officer: str
    org: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """What alarms are made of; times are the oldest of their kind, None when there is none.

    released_not_held: persons; released_overdue: those of them for more than an hour. releases_unreceipted:
    cases whose destination has not receipted all that was sent to it. promises_broken, statutes_broken: open
    cases beyond their deadline; called_county, called_province: of those, for so long that these are called.
    """

    released_not_held: int
    released_overdue: int
    oldest_released_at: datetime | None
    releases_unreceipted: int
    oldest_unreceipted_release_at: datetime | None
    outbox_pending: int
    oldest_unreceipted_at: datetime | None
    parked: int
    oldest_parked_at: datetime | None
    quarantine: int
    notifications_waiting: int
    oldest_notification_at: datetime | None
    notifications_failed: int
    promises_broken: int
    statutes_broken: int
    called_county: int
    called_province: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One province at one moment. forgotten: open cases without limit or owner, which must be none."""

    pulse: Pulse
    cases_by_state: Mapping[str, int]
    cases_overdue: int
    forgotten: int
    people_in_transfer: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hops:
    """What one side knows of a case's messages: rows of outbox (sent), inbox (taken) and timeline (lines)."""

    sent: Sequence[Found]
    taken: Sequence[Found]
    lines: Sequence[Found]


class Reports:
    """Every method raises StoreDownError when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def _page(self, query: Select[Any], limit: int, place: Callable[[Found], Place]) -> Page:
        """One row more is read than shown, to see whether there are more."""
        async with read(self._engine) as tx:
            rows = (await tx.execute(query.limit(limit + 1))).all()
        shown = rows[:limit]
        return Page(shown, place(shown[-1]) if len(rows) > limit else None)

    # --- cases and claims -----------------------------------------------------------------------------------

    async def attention(self, wanted: Wanted, moment: Moment, after: Place | None, *, limit: int) -> Page:
        """Open cases, overdue first, then by limit; place: rank, due_at, case id."""
        query = attention(wanted, moment, after)
        return await self._page(query, limit, _place)

    async def tasks(self, wanted: Wanted, moment: Moment, after: Place | None, *, limit: int) -> Page:
        """What `attention` finds; call-backs have a `score`, false commitments `found`. Order as there."""
        found: list[Found] = []
        async with read(self._engine) as tx:
            for made in (attention, call_backs, follow_ups):
                query = made(wanted, moment, after)
                found += (await tx.execute(query.limit(limit + 1))).all()
        rows = sorted(found, key=_place)
        shown = rows[:limit]
        return Page(shown, _place(shown[-1]) if len(rows) > limit else None)

    async def archive(self, wanted: Wanted, moment: Moment, after: Place | None, *, limit: int) -> Page:
        """Cases open or closed, newest number first; place: case id."""
        return await self._page(archive(wanted, moment, after), limit, lambda row: (row.id,))

    async def claim(self, claim: Claim, now: datetime) -> Claim | None:
        """Claim a case, or renew; returns the live claim, which may be another's. None: no task."""
        async with write(self._engine) as tx:
            calls = or_(and_(OPEN, calls_people(now)), OWED_OF_CASE, FALSE_OWED_OF_CASE)
            task = select(t.CASES.c.id).where(t.CASES.c.id == claim.case_id, calls)
            if (await tx.execute(task)).scalar() is None:
                return None
            await tx.execute(delete(t.CLAIM).where(t.CLAIM.c.until < to_us(now - CLAIM_KEPT)))
            row = CLAIMS.bind([(claim.case_id, claim.officer, claim.org, to_us(claim.until))])
            renewed = await tx.execute(RENEWED_CLAIM, {**row, "now": to_us(now)})
            if not renewed.rowcount:
                await tx.execute(NEW_CLAIM, row)
            return await _claim(tx, claim.case_id)

    async def release(self, case_id: str, officer: str, now: datetime) -> Claim | None:
        """Give up one's claim; safe to repeat. Returns another's live claim, which stays."""
        async with write(self._engine) as tx:
            mine = delete(t.CLAIM).where(t.CLAIM.c.case_id == case_id, t.CLAIM.c.officer == officer)
            await tx.execute(mine)
            left = await _claim(tx, case_id)
        return left if left is not None and left.until > now else None

    async def live_claim(self, case_id: str, now: datetime) -> Claim | None:
        """Who works on a case at this moment."""
        async with read(self._engine) as tx:
            claim = await _claim(tx, case_id)
        return claim if claim is not None and claim.until > now else None

    # --- figures --------------------------------------------------------------------------------------------

    async def pulse(self, moment: Moment) -> Pulse:
        """One statement, cheap enough to be asked all day."""
        async with read(self._engine) as tx:
            return await _pulse(tx, moment)

    async def figures(self, moment: Moment) -> Figures:
        """Everything that an index answers quickly, however large the register."""
        states = select(t.CASES.c.state, func.count()).where(OPEN).group_by(t.CASES.c.state)
        late = select(func.count()).select_from(t.CASES).where(OPEN, moment.overdue)
        moving = select(t.PERSON.c.state, func.count()).where(IN_TRANSFER).group_by(t.PERSON.c.state)
        async with read(self._engine) as tx:
            return Figures(
                pulse=await _pulse(tx, moment),
                cases_by_state=_counts(await tx.execute(states)),
                cases_overdue=(await tx.execute(late)).scalar_one(),
                forgotten=(await tx.execute(FORGOTTEN)).scalar_one(),
                people_in_transfer=_counts(await tx.execute(moving)),
            )

    async def people(self) -> Mapping[str, int]:
        """Persons by custody state; reads the whole register."""
        query = select(t.PERSON.c.state, func.count()).group_by(t.PERSON.c.state)
        async with read(self._engine) as tx:
            return _counts(await tx.execute(query))

    async def contacts(self) -> Mapping[str, datetime]:
        """The newest message of each sender; reads the whole inbox."""
        sender = func.substr(t.INBOX.c.message_id, 1, 2)
        query = select(sender, func.max(t.INBOX.c.at)).group_by(sender)
        async with read(self._engine) as tx:
            return {code: from_us(at) for code, at in (await tx.execute(query)).all()}

    async def transfers(self, after: Place | None, *, limit: int) -> Page:
        """Persons in transfer with the case that moves them, by case id, then person."""
        order = (func.coalesce(t.PERSON.c.case_id, ""), t.PERSON.c.key)
        query = TRANSFERS.order_by(*order)
        if after is not None:
            query = query.where(or_(order[0] > after[0], (order[0] == after[0]) & (order[1] > after[1])))
        return await self._page(query, limit, lambda row: (row.case_id or "", row.key))

    async def without_case(self) -> int:
        """Persons in transfer whom no open case moves: must be 0 (C3)."""
        async with read(self._engine) as tx:
            return int((await tx.execute(WITHOUT_CASE)).scalar_one())

    async def hops(self, case_id: str) -> Hops | None:
        """The messages of a case as this side sent and took them; None when the case is not known here."""
        sent = (
            select(t.OUTBOX).where(t.OUTBOX.c.case_id == case_id).order_by(t.OUTBOX.c.made_at, t.OUTBOX.c.seq)
        )
        taken = select(t.INBOX.c.message_id, t.INBOX.c.at).where(t.INBOX.c.case_id == case_id)
        lines = select(t.TIMELINE).where(t.TIMELINE.c.case_id == case_id).order_by(t.TIMELINE.c.n)
        async with read(self._engine) as tx:
            known = (await tx.execute(lines)).all()
            if not known:
                return None
            return Hops((await tx.execute(sent)).all(), (await tx.execute(taken)).all(), known)

    # --- notes and access -----------------------------------------------------------------------------------

    async def note(self, key: str) -> str | None:
        """A small fact kept for operators."""
        async with read(self._engine) as tx:
            value: str | None = (await tx.execute(select(t.META.c.value).where(t.META.c.key == key))).scalar()
        return value

    async def put_note(self, key: str, value: str | None) -> None:
        """Keep it, or drop it (None)."""
        async with write(self._engine) as tx:
            if value is None:
                await tx.execute(delete(t.META).where(t.META.c.key == key))
            else:
                await tx.execute(PUT_NOTE, NOTES.bind([(key, value)]))

    async def accesses(
        self, person: tuple[str, str], now: datetime, after: Place | None, *, limit: int
    ) -> Page | None:
        """Who looked at a person's data, newest first, this look too; None unless name and number match."""
        key, check = person
        log = t.ACCESS_LOG.c
        query = select(t.ACCESS_LOG).where(log.person == key).order_by((log.n + 0).desc()).limit(limit + 1)
        async with write(self._engine) as tx:
            known = (await tx.execute(select(t.PERSON.c.name_check).where(t.PERSON.c.key == key))).scalar()
            result = "access_log" if known == check else "absent"
            look = {
                "person": key,
                "actor": "self",
                "purpose": "ACCESS_LOG",
                "result": result,
                "at": to_us(now),
            }
            await tx.execute(t.ACCESS_LOG.insert(), look)
            rows = (await tx.execute(query if after is None else query.where(log.n < after[0]))).all()
        if known != check:
            return None
        shown = rows[:limit]
        return Page(shown, (shown[-1].n,) if len(rows) > limit else None)


def _place(row: Found) -> Place:
    return (row.rank, row.due_at, row.id)


async def _pulse(tx: AsyncConnection, moment: Moment) -> Pulse:
    bounds = {
        "long_ago": to_us(moment.now - RELEASE_ALARM),
        "now": to_us(moment.now),
        "county": to_us(moment.county_before),
        "province": to_us(moment.province_before),
    }
    row = (await tx.execute(PULSE, bounds)).one()
    found: dict[str, Any] = dict(row._mapping)  # noqa: SLF001  # a row's public name for itself
    times = {name: from_us_or_none(value) for name, value in found.items() if name.endswith("_at")}
    return Pulse(**{**found, **times})


async def _claim(tx: AsyncConnection, case_id: str) -> Claim | None:
    row = (await tx.execute(select(t.CLAIM).where(t.CLAIM.c.case_id == case_id))).one_or_none()
    return None if row is None else Claim(row.case_id, row.officer, row.org, from_us(row.until))


def _counts(result: Any) -> dict[str, int]:  # noqa: ANN401  # a result of two columns
    return {name: int(count) for name, count in result.all()}
