"""The statements of reports.py, and the conditions they are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    update,
)

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import to_us
from tongban_shared.storage.rowset import insert_new, rowset, upsert
from tongban_shared.supervision import Escalation, called_before

if TYPE_CHECKING:
    from tongban_shared.provinces import WorkingCalendar

Found = Row[Any]
"""One row of an answer."""
Place = tuple[int | str, ...]
"""Where a page ended: the values that its order is made of."""

NOTES = rowset("notes", key=Text, value=Text)
CLAIMS = rowset("claims", case_id=Text, officer=Text, org=Text, until=BigInteger)
PUT_NOTE = upsert(t.META, NOTES, ("key",))
NEW_CLAIM = insert_new(t.CLAIM, CLAIMS, ("case_id",))
# Mine already, or nobody's any more. One statement, so that of two officers one is too late.
RENEWED_CLAIM = (
    update(t.CLAIM)
    .where(t.CLAIM.c.case_id == CLAIMS.c.case_id)
    .where(or_(t.CLAIM.c.officer == CLAIMS.c.officer, t.CLAIM.c.until <= bindparam("now", type_=BigInteger)))
    .values(officer=CLAIMS.c.officer, org=CLAIMS.c.org, until=CLAIMS.c.until)
)

# Written out, not bound: only then does SQLite see that the partial index holds what is asked for.
IN_TRANSFER = t.PERSON.c.state.in_(
    literal_column(f"'{state}'") for state in ("FROZEN", "RELEASED", "PREPARED")
)
OPEN = t.CASES.c.closed_at.is_(None)
# Released, and nobody holds yet: after so long people are called (guards.md O1).
RELEASE_ALARM = timedelta(hours=1)
CALLED = ("ORIGIN", "DESTINATION", "LEDGER", "THIRD_PARTY")
UNRECEIPTED = t.OUTBOX.c.next_try_at.is_not(None)


def _last(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Of a case's newest line."""
    # The sum keeps PostgreSQL from walking down the key of all lines to find it.
    return (
        select(column)
        .where(t.TIMELINE.c.case_id == t.CASES.c.id)
        .order_by((t.TIMELINE.c.n + 0).desc())
        .limit(1)
        .correlate(t.CASES)
        .scalar_subquery()
    )


_LIMIT_PASSED = _last(t.TIMELINE.c.event).like("%.limit")


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and for when promises must have been that have called in county and province by now."""

    now: datetime
    county_before: datetime
    province_before: datetime

    @classmethod
    def of(cls, now: datetime, calendar: WorkingCalendar) -> Moment:
        """By the working days of a province. now: aware."""
        county, province = (
            called_before(now, level, calendar) for level in (Escalation.COUNTY, Escalation.PROVINCE)
        )
        return cls(now, county, province)

    @property
    def overdue(self) -> ColumnElement[bool]:
        """A step's limit has passed without the step, or the whole case is beyond its promise."""
        return or_(t.CASES.c.due_at <= to_us(self.now), _promise_broken(self.now), _LIMIT_PASSED)


def _promise_broken(now: datetime) -> ColumnElement[bool]:
    """Beyond what the applicant was promised; at the deadline itself a case is still in time."""
    # Not NULL where nothing is promised, or its opposite would not be true.
    return and_(t.CASES.c.promised_at.is_not(None), t.CASES.c.promised_at < to_us(now))


def calls_people(now: datetime) -> ColumnElement[bool]:
    """Cases for people: an officer decides, or somebody is to be called because an answer does not come.

    Called is whoever let a limit or the promise pass; a destination that has not settled an hour after the
    release; and the ledger's keeper when it knows of another hand-over (I1).
    """
    cases = t.CASES.c
    silent = and_(cases.state == "RELEASED", _last(t.TIMELINE.c.at) <= to_us(now - RELEASE_ALARM))
    return or_(
        cases.waits == "OFFICER",
        and_(
            cases.waits.in_(CALLED),
            or_(cases.due_at <= to_us(now), _LIMIT_PASSED, _promise_broken(now), silent),
        ),
        and_(cases.waits == "LEDGER", cases.refusal.is_not(None)),
    )


def _move_of(org: str) -> ColumnElement[bool]:
    """Whether it is this office's move: what an officer decides is the answering station's, if one is known.

    All else is the accepting office's. The record is compact JSON and a code holds no quote: each text is
    that field, nothing else.
    """
    data, waits = t.CASES.c.data, t.CASES.c.waits
    answering, accepting = (
        data.contains(f'"{name}":"{org}"', autoescape=True) for name in ("answering_org", "accepting_org")
    )
    answered, accepted = (
        data.contains(f'"{name}":"', autoescape=True) for name in ("answering_org", "accepting_org")
    )
    return or_(
        and_(answering, or_(waits == "OFFICER", ~accepted)),
        and_(accepting, or_(waits != "OFFICER", ~answered)),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: each field narrows, None does not. org: whose move it is. number: begin of the case id.

    called: those for people.
    """

    called: bool = False
    states: frozenset[str] | None = None
    waits: str | None = None
    org: str | None = None
    province: str | None = None
    overdue: bool | None = None
    number: str | None = None
    item: str | None = None

    def conditions(self, moment: Moment) -> list[ColumnElement[bool]]:
        """As SQL."""
        return [*([calls_people(moment.now)] if self.called else ()), *self.narrowed(moment)]

    def narrowed(self, moment: Moment) -> list[ColumnElement[bool]]:
        """The same of any case, whether or not it calls somebody."""
        cases = t.CASES.c
        found: list[ColumnElement[bool]] = []
        if self.states is not None:
            found.append(cases.state.in_(sorted(self.states)))
        if self.waits is not None:
            found.append(cases.waits == self.waits)
        if self.org is not None:
            found.append(_move_of(self.org))
        if self.province is not None:
            found.append(or_(cases.origin == self.province, cases.destination == self.province))
        if self.overdue is not None:
            found.append(moment.overdue if self.overdue else ~moment.overdue)
        if self.number is not None:
            found += [cases.id >= self.number, cases.id < f"{self.number}~"]
        if self.item is not None:
            found.append(cases.item == self.item)
        return found


def attention(wanted: Wanted, moment: Moment, after: Place | None) -> Select[Any]:
    """Open cases with their live claims, overdue first, then by limit. `rank`: 0 overdue, 1 not."""
    rank = rank_of(moment.overdue)
    order = (rank, t.CASES.c.due_at, t.CASES.c.id)
    live = and_(t.CLAIM.c.case_id == t.CASES.c.id, t.CLAIM.c.until > to_us(moment.now))
    query = (
        select(t.CASES, rank.label("rank"), t.CLAIM.c.officer, t.CLAIM.c.until)
        .outerjoin(t.CLAIM, live)
        .where(OPEN, *wanted.conditions(moment))
    )
    return in_order(query, order, after)


def rank_of(overdue: ColumnElement[bool]) -> ColumnElement[int]:
    """0 overdue, 1 not."""
    return case((overdue, 0), else_=1)


def in_order(query: Select[Any], order: Sequence[ColumnElement[Any]], after: Place | None) -> Select[Any]:
    """By these, from behind that place on."""
    ordered = query.order_by(*order)
    if after is None:
        return ordered
    return ordered.where(tuple_(*order) > tuple_(*(literal(value) for value in after)))


def archive(wanted: Wanted, moment: Moment, after: Place | None) -> Select[Any]:
    """Cases open or not, newest number first: in the order of the key, since there may be very many."""
    rank = case((and_(OPEN, moment.overdue), 0), else_=1)
    query = (
        select(t.CASES, rank.label("rank"), literal(None).label("officer"), literal(None).label("until"))
        .where(*wanted.conditions(moment))
        .order_by(t.CASES.c.id.desc())
    )
    return query if after is None else query.where(t.CASES.c.id < after[0])


_SINCE = (
    select(func.max(t.HISTORY.c.at))
    .where(t.HISTORY.c.person == t.PERSON.c.key, t.HISTORY.c.case_id == t.PERSON.c.case_id)
    .correlate(t.PERSON)
    .scalar_subquery()
)
# Persons in transfer with the case that moves them; a case that is missing or closed is what C3 forbids.
TRANSFERS = (
    select(
        t.PERSON.c.key,
        t.PERSON.c.epoch,
        t.PERSON.c.state,
        t.PERSON.c.case_id,
        t.PERSON.c.moved_to,
        t.CASES.c.waits,
        t.CASES.c.due_at,
        t.CASES.c.closed_at,
        t.CASES.c.id.label("known_case"),
        _SINCE.label("since"),
    )
    .outerjoin(t.CASES, t.CASES.c.id == t.PERSON.c.case_id)
    .where(IN_TRANSFER)
)
WITHOUT_CASE = (
    select(func.count())
    .select_from(t.PERSON)
    .outerjoin(t.CASES, and_(t.CASES.c.id == t.PERSON.c.case_id, OPEN))
    .where(IN_TRANSFER, t.CASES.c.id.is_(None))
)
_RELEASED_AT = and_(
    t.HISTORY.c.person == t.PERSON.c.key,
    t.HISTORY.c.case_id == t.PERSON.c.case_id,
    t.HISTORY.c.state == "RELEASED",
)
_LONG_AGO = bindparam("long_ago", type_=BigInteger)
_RELEASED = (
    select(
        func.count(t.PERSON.c.key.distinct()).label("released_not_held"),
        func.count(case((t.HISTORY.c.at <= _LONG_AGO, t.PERSON.c.key)).distinct()).label("released_overdue"),
        func.min(t.HISTORY.c.at).label("oldest_released_at"),
    )
    .select_from(t.PERSON)
    .outerjoin(t.HISTORY, _RELEASED_AT)
    .where(t.PERSON.c.state == literal_column("'RELEASED'"), IN_TRANSFER)
    .subquery()
)
_UNRECEIPTED_RELEASES = (
    select(
        func.count(t.CASES.c.id.distinct()).label("releases_unreceipted"),
        func.min(t.OUTBOX.c.made_at).label("oldest_unreceipted_release_at"),
    )
    .select_from(t.CASES)
    .join(t.OUTBOX, and_(t.OUTBOX.c.case_id == t.CASES.c.id, UNRECEIPTED))
    .where(OPEN, t.CASES.c.state == literal_column("'RELEASED'"))
    .subquery()
)
_OWED = (
    select(
        func.count().label("outbox_pending"),
        func.min(t.OUTBOX.c.made_at).label("oldest_unreceipted_at"),
    )
    .where(UNRECEIPTED)
    .subquery()
)
# A parked row tells its last try; when the message came first stands in the inbox.
_PARKED = (
    select(func.count().label("parked"), func.min(t.INBOX.c.at).label("oldest_parked_at"))
    .select_from(t.PARKED)
    .join(t.INBOX, t.INBOX.c.message_id == t.PARKED.c.message_id)
    .subquery()
)
_QUARANTINED = select(func.count().label("quarantine")).select_from(t.QUARANTINE).subquery()
_UNTOLD = (
    select(
        func.count().label("notifications_waiting"),
        func.min(t.NOTIFICATION.c.made_at).label("oldest_notification_at"),
    )
    .where(t.NOTIFICATION.c.next_try_at.is_not(None))
    .subquery()
)
_NEVER_TOLD = (
    select(func.count().label("notifications_failed")).where(t.NOTIFICATION.c.failed.is_not(None)).subquery()
)
_NOW, _COUNTY, _PROVINCE = (bindparam(name, type_=BigInteger) for name in ("now", "county", "province"))


def _broken(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
    return func.count(case((condition, t.CASES.c.id))).label(name)


# A statutory deadline is never before the promised one: the catalogue is not read otherwise.
_BROKEN = (
    select(
        func.count().label("promises_broken"),
        _broken(t.CASES.c.statutory_at < _NOW, "statutes_broken"),
        _broken(t.CASES.c.promised_at < _COUNTY, "called_county"),
        _broken(t.CASES.c.promised_at < _PROVINCE, "called_province"),
    )
    .where(OPEN, t.CASES.c.promised_at < _NOW)
    .subquery()
)
_PARTS = (_RELEASED, _UNRECEIPTED_RELEASES, _OWED, _PARKED, _QUARANTINED, _UNTOLD, _NEVER_TOLD, _BROKEN)
# What alarms are made of, in one statement and one row. long_ago: released before it is overdue.
PULSE = select(*(column for part in _PARTS for column in part.c)).select_from(
    reduce(lambda joined, part: joined.join(part, true()), _PARTS[1:], cast("FromClause", _PARTS[0]))
)
# Must be 0: an open case without limit or without anybody whose move it is (C3).
FORGOTTEN = (
    select(func.count())
    .select_from(t.CASES)
    .where(OPEN, or_(t.CASES.c.due_at.is_(None), t.CASES.c.waits == "NOBODY"))
)
