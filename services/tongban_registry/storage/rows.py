"""Rows to plain data and back. Times are microseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.ids import CaseId
from tongban_shared.registration import Household, Person, Registration

if TYPE_CHECKING:
    from sqlalchemy import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_persons = msgspec.json.Decoder(tuple[str, ...])
# What each kind of case keeps in `cases.data`.
_data = {"migration": msgspec.json.Decoder(MigrationData)}


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
        person.proof,
        person.proof_digest,
        person.record,
        to_us_or_none(person.valid_from),
        to_us_or_none(person.valid_to),
    )


def person_of(row: Row[Any]) -> Person:
    """A person from a row; a row without `proof` and `record` (a household member) has them empty."""
    fields = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping
    return Person(
        key=row.key,
        version=row.version,
        epoch=row.epoch,
        state=Registration(row.state),
        record_version=row.record_version,
        name_check=row.name_check,
        birth_date=date.fromisoformat(row.birth_date),
        household_id=row.household_id,
        head=bool(row.head),
        hold=bool(row.hold),
        case_id=CaseId(row.case_id) if row.case_id else None,
        moved_to=row.moved_to,
        proof=fields.get("proof", ""),
        proof_digest=row.proof_digest,
        record=fields.get("record", ""),
        valid_from=from_us_or_none(row.valid_from),
        valid_to=from_us_or_none(row.valid_to),
    )


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
    )


def case_of(row: Row[Any]) -> Case:
    """A case from its row."""
    return Case(
        id=CaseId(row.id),
        kind=row.kind,
        side=Side(row.side),
        state=row.state,
        version=row.version,
        item=row.item,
        origin=row.origin,
        destination=row.destination,
        persons=_persons.decode(row.persons),
        data=_data[row.kind].decode(row.data),
        waits=Waits(row.waits),
        refusal=row.refusal,
        retry_at=from_us_or_none(row.retry_at),
        opened_at=from_us(row.opened_at),
        due_at=from_us_or_none(row.due_at),
        closed_at=from_us_or_none(row.closed_at),
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


@dataclass(slots=True)
class Changes:
    """Everything one unit of work writes: rows in the order of each table's columns.

    case_base and person_base: versions as read, for the guard; what is not in them is new.
    """

    inbox: list[tuple[object, ...]] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    case_base: dict[str, int] = field(default_factory=dict)
    applicants: list[tuple[object, ...]] = field(default_factory=list)
    applicants_done: list[tuple[object, ...]] = field(default_factory=list)
    timeline: list[tuple[object, ...]] = field(default_factory=list)
    persons: dict[str, Person] = field(default_factory=dict)
    person_base: dict[str, int] = field(default_factory=dict)
    history: list[tuple[object, ...]] = field(default_factory=list)
    households: dict[str, Household] = field(default_factory=dict)
    households_closed: list[tuple[object, ...]] = field(default_factory=list)
    heads: list[tuple[object, ...]] = field(default_factory=list)
    outbox: list[tuple[object, ...]] = field(default_factory=list)
    unit: list[tuple[object, ...]] = field(default_factory=list)
    receipted: list[tuple[object, ...]] = field(default_factory=list)
    returned: list[tuple[object, ...]] = field(default_factory=list)
    parked: list[tuple[object, ...]] = field(default_factory=list)
    unparked: list[tuple[object, ...]] = field(default_factory=list)
    quarantine: list[tuple[object, ...]] = field(default_factory=list)
    replies: list[tuple[object, ...]] = field(default_factory=list)
    accesses: list[tuple[object, ...]] = field(default_factory=list)
    positions: list[tuple[object, ...]] = field(default_factory=list)
    claims_done: list[tuple[object, ...]] = field(default_factory=list)
