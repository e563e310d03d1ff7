"""Rows to plain data and back. Times are microseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.kinds import KINDS
from tongban_shared.documents.verify import Status
from tongban_shared.registration import Household, Person, Registration
from tongban_shared.working_days import Stop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tongban_registry.writing import Copy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_persons = msgspec.json.Decoder(tuple[str, ...])
_stops = msgspec.json.Decoder(tuple[tuple[int, int], ...])
_data = {name: msgspec.json.Decoder(kind.data) for name, kind in KINDS.items()}


# Dictionaries and a cache: these run for every row of every batch.
_STATES = {state.value: state for state in Registration}
_SIDES = {side.value: side for side in Side}
_WAITS = {waits.value: waits for waits in Waits}


@lru_cache(maxsize=50_000)
def _date(text: str) -> date:
    return date.fromisoformat(text)


def to_us(moment: datetime) -> int:
    """Aware time to microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def to_us_or_none(moment: datetime | None) -> int | None:
    """The same, None stays None."""
    return None if moment is None else to_us(moment)


def from_us(value: int) -> datetime:
    """Microseconds since 1970 to aware UTC."""
    return _EPOCH + timedelta(microseconds=value)


def from_us_or_none(value: int | None) -> datetime | None:
    """The same, None stays None."""
    return None if value is None else from_us(value)


def person_row(person: Person) -> tuple[object, ...]:
    """In the order of the table's columns."""
    return (
        person.key,
        person.version,
        person.epoch,
        person.state.value,
        person.record_version,
        person.name_check,
        person.birth_date.isoformat(),
        person.household_id,
        int(person.head),
        int(person.hold),
        person.case_id,
        person.moved_to,
        person.proof_digest,
        to_us_or_none(person.valid_from),
        to_us_or_none(person.valid_to),
    )


def person_of(row: Iterable[Any], record: str = "", proof: str = "") -> Person:
    """A person from its row; record and proof stand in tables of their own."""
    (
        key,
        version,
        epoch,
        state,
        record_version,
        check,
        born,
        home,
        head,
        hold,
        case_id,
        moved_to,
        digest,
        start,
        end,
    ) = row
    return Person(
        key=key,
        epoch=epoch,
        state=_STATES[state],
        record_version=record_version,
        name_check=check,
        birth_date=_date(born),
        household_id=home,
        head=bool(head),
        version=version,
        hold=bool(hold),
        case_id=case_id,
        moved_to=moved_to,
        proof=proof,
        proof_digest=digest,
        record=record,
        valid_from=from_us_or_none(start),
        valid_to=from_us_or_none(end),
    )


def copy_row(copy: Copy) -> tuple[object, ...]:
    """In the order of the table's columns."""
    place = (copy.licence_id, copy.case_id, copy.person, copy.kind)
    known = (Status.CURRENT.value, to_us(copy.as_of), to_us_or_none(copy.kept_until))
    return (*place, copy.document.decode(), *known)


def household_row(household: Household) -> tuple[object, ...]:
    """In the order of the table's columns."""
    return (household.id, household.kind, household.station, household.address, int(household.open))


def case_row(case: Case) -> tuple[object, ...]:
    """In the order of the table's columns."""
    return (
        case.id,
        case.kind,
        case.side.value,
        str(case.state),
        case.version,
        case.item,
        case.origin,
        case.destination,
        _encode(case.persons).decode(),
        _encode(case.data).decode(),
        case.waits.value,
        case.refusal,
        to_us_or_none(case.retry_at),
        to_us(case.opened_at),
        to_us_or_none(case.due_at),
        to_us_or_none(case.closed_at),
        to_us_or_none(case.promised_at),
        to_us_or_none(case.statutory_at),
        to_us_or_none(case.stopped_at),
        stops_text(case.stops),
        case.accepted_by,
    )


def stops_text(stops: tuple[Stop, ...]) -> str | None:
    """Stops as pairs of times, None for the many cases that have none."""
    return _encode([(to_us(stop.since), to_us(stop.until)) for stop in stops]).decode() if stops else None


def stops_of(text: str | None) -> tuple[Stop, ...]:
    """The same backwards."""
    pairs = _stops.decode(text) if text is not None else ()
    return tuple(Stop(from_us(since), from_us(until)) for since, until in pairs)


def case_of(row: Iterable[Any]) -> Case:
    """A case from its row."""
    number, kind, side, state, version, item, origin, destination, persons, data, *rest = row
    waits, refusal, retry_at, opened_at, due_at, closed_at, *clock = rest
    promised_at, statutory_at, stopped_at, stops, accepted_by = clock
    return Case(
        id=number,
        kind=kind,
        side=_SIDES[side],
        state=state,
        version=version,
        item=item,
        origin=origin,
        destination=destination,
        persons=_persons.decode(persons),
        data=_data[kind].decode(data),
        waits=_WAITS[waits],
        refusal=refusal,
        retry_at=from_us_or_none(retry_at),
        opened_at=from_us(opened_at),
        due_at=from_us_or_none(due_at),
        closed_at=from_us_or_none(closed_at),
        promised_at=from_us_or_none(promised_at),
        statutory_at=from_us_or_none(statutory_at),
        stopped_at=from_us_or_none(stopped_at),
        stops=stops_of(stops),
        accepted_by=accepted_by,
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """An outbox row to send again."""

    message_id: str
    receiver: str
    family: str
    unit: int
    leaf: int
    path: str
    raw: str
    tries: int


class ParkedRow(NamedTuple):
    """A message that waits for its cause, in the order of the table's columns."""

    message_id: str
    case_id: str
    parcel: str
    tries: int
    at: int


class UnreceiptedRow(NamedTuple):
    """A message of ours that waits for its receipt."""

    message_id: str
    receiver: str
    family: str
    case_id: str | None
    raw: str


class StoredReply(msgspec.Struct, frozen=True):
    """A reply given earlier for an idempotency key."""

    digest: str
    status: int
    reply: str
    case_id: str | None


@dataclass(slots=True)
class Changes:
    """Everything one unit of work writes: rows in the order of each table's columns.

    case_base and person_base: versions as read, for the guard; what is not in them is new. notices: by person
    and door, incarnation and number of the last that took effect. copies_done: by case, how its document
    stands now, and since when that is known.
    """

    inbox: list[tuple[object, ...]] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    case_base: dict[str, int] = field(default_factory=dict)
    errands: list[tuple[object, ...]] = field(default_factory=list)
    errands_done: list[tuple[object, ...]] = field(default_factory=list)
    timeline: list[tuple[object, ...]] = field(default_factory=list)
    persons: dict[str, Person] = field(default_factory=dict)
    person_base: dict[str, int] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    history: list[tuple[object, ...]] = field(default_factory=list)
    notices: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    households: dict[str, Household] = field(default_factory=dict)
    households_closed: list[tuple[object, ...]] = field(default_factory=list)
    households_opened: list[tuple[object, ...]] = field(default_factory=list)
    outbox: list[tuple[object, ...]] = field(default_factory=list)
    unit: list[tuple[object, ...]] = field(default_factory=list)
    receipted: list[tuple[object, ...]] = field(default_factory=list)
    returned: list[tuple[object, ...]] = field(default_factory=list)
    parked: list[tuple[object, ...]] = field(default_factory=list)
    unparked: list[tuple[object, ...]] = field(default_factory=list)
    quarantine: list[tuple[object, ...]] = field(default_factory=list)
    replies: list[tuple[object, ...]] = field(default_factory=list)
    accesses: list[tuple[object, ...]] = field(default_factory=list)
    documents: list[tuple[object, ...]] = field(default_factory=list)
    copies: list[tuple[object, ...]] = field(default_factory=list)
    copies_done: dict[str, tuple[str, int]] = field(default_factory=dict)
    standings: list[tuple[object, ...]] = field(default_factory=list)
    positions: list[tuple[object, ...]] = field(default_factory=list)
    wanted_again: list[tuple[object, ...]] = field(default_factory=list)
    notes: list[tuple[object, ...]] = field(default_factory=list)
    ratings: list[tuple[object, ...]] = field(default_factory=list)
    false_commitments: list[tuple[object, ...]] = field(default_factory=list)
    claims_done: list[tuple[object, ...]] = field(default_factory=list)
    contacts: list[tuple[object, ...]] = field(default_factory=list)
    notifications: list[tuple[object, ...]] = field(default_factory=list)
