"""The unit of work's statements: each takes the whole batch, so their number does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import (
    Changes,
    ParkedRow,
    StoredReply,
    UnreceiptedRow,
    case_of,
    case_row,
    from_us_or_none,
    household_row,
    person_of,
    person_row,
)
from tongban_shared.documents.verify import Status
from tongban_shared.errors import StoreDownError
from tongban_shared.registration import PaperOnFile
from tongban_shared.storage.rowset import RowSet, insert_all, insert_new, rowset, upsert

if TYPE_CHECKING:
    from sqlalchemy import Executable, Table

    from tongban_shared.cases.kind import Case
    from tongban_shared.registration import Person
    from tongban_shared.storage.lines import Line


def _rows_like(table: Table, without: Sequence[str] = (), plus: Mapping[str, Any] | None = None) -> RowSet:
    """A table-valued parameter with a table's columns, in its order, and `plus` behind them."""
    kinds: dict[str, Any] = {}
    for column in table.columns:
        if column.name not in without:
            base = type(column.type)
            kinds[column.name] = base if base in (Text, Integer) else BigInteger
    return rowset(f"new_{table.name}", **kinds, **(plus or {}))


KEYS = rowset("wanted", key=Text)

SEEN = select(t.INBOX.c.message_id, t.INBOX.c.digest).where(t.INBOX.c.message_id == KEYS.c.key)
CASES_BY_ID = select(t.CASES).where(t.CASES.c.id == KEYS.c.key)
PERSONS_BY_KEY = select(t.PERSON).where(t.PERSON.c.key == KEYS.c.key)
RECORDS_BY_PERSON = select(t.RECORD).where(t.RECORD.c.person == KEYS.c.key)
PROOFS_BY_PERSON = select(t.PROOF).where(t.PROOF.c.person == KEYS.c.key)
MEMBERS_BY_HOUSEHOLD = (
    select(t.PERSON)
    .join(t.HOUSEHOLD, t.HOUSEHOLD.c.id == t.PERSON.c.household_id)
    .where(
        t.PERSON.c.household_id == KEYS.c.key,
        t.HOUSEHOLD.c.kind == "FAMILY",
        or_(t.PERSON.c.state == "HELD", t.PERSON.c.state == "FROZEN"),
    )
)
NOTICES_BY_PERSON = select(t.NOTICE).where(t.NOTICE.c.person == KEYS.c.key)
PARKED_BY_CASE = select(t.PARKED).where(t.PARKED.c.case_id == KEYS.c.key)
REPLIES_BY_KEY = select(t.IDEMPOTENCY).where(t.IDEMPOTENCY.c.key == KEYS.c.key)
UNDER_WAY = select(t.ERRAND).where(t.ERRAND.c.person == KEYS.c.key)
PAPERS_BY_PERSON = select(
    t.DOCUMENT.c.person,
    t.DOCUMENT.c.licence_id,
    t.DOCUMENT.c.kind,
    t.DOCUMENT.c.case_id,
    t.DOCUMENT.c.valid_until,
).where(t.DOCUMENT.c.person == KEYS.c.key, t.DOCUMENT.c.status == Status.CURRENT.value)
# What holds no more is enclosed in nothing.
DOCUMENTS_BY_NUMBER = select(t.DOCUMENT.c.licence_id, t.DOCUMENT.c.document).where(
    t.DOCUMENT.c.licence_id == KEYS.c.key, t.DOCUMENT.c.status == Status.CURRENT.value
)
FALSE_BY_PERSON = select(t.FALSE_COMMITMENT.c.person, t.FALSE_COMMITMENT.c.case_id).where(
    t.FALSE_COMMITMENT.c.person == KEYS.c.key
)
RATED = select(t.RATING.c.case_id).where(t.RATING.c.case_id == KEYS.c.key)

UNRECEIPTED = select(
    t.OUTBOX.c.message_id, t.OUTBOX.c.receiver, t.OUTBOX.c.family, t.OUTBOX.c.case_id, t.OUTBOX.c.raw
).where(t.OUTBOX.c.message_id == KEYS.c.key, t.OUTBOX.c.receipted_at.is_(None))

INBOX = _rows_like(t.INBOX)
CASES = _rows_like(t.CASES)
CASES_AFTER = _rows_like(t.CASES, plus={"base": BigInteger})
ERRANDS = _rows_like(t.ERRAND)
TIMELINE = _rows_like(t.TIMELINE, without=("n",))
PERSONS = _rows_like(t.PERSON)
PERSONS_AFTER = _rows_like(t.PERSON, plus={"base": BigInteger})
RECORDS = _rows_like(t.RECORD)
PROOFS = _rows_like(t.PROOF)
HISTORY = _rows_like(t.HISTORY, without=("n",))
NOTICES = _rows_like(t.NOTICE)
HOUSEHOLDS = _rows_like(t.HOUSEHOLD)
OUTBOX = _rows_like(t.OUTBOX)
UNIT = _rows_like(t.UNIT)
PARKED = _rows_like(t.PARKED)
QUARANTINE = _rows_like(t.QUARANTINE, without=("n",))
REPLIES = _rows_like(t.IDEMPOTENCY)
ACCESSES = _rows_like(t.ACCESS_LOG, without=("n",))
RATINGS = _rows_like(t.RATING)
FALSE_COMMITMENTS = _rows_like(t.FALSE_COMMITMENT)
DOCUMENTS = _rows_like(t.DOCUMENT)
COPIES = _rows_like(t.DOCUMENT_COPY)
COPIES_DONE = rowset("copies_done", case_id=Text, status=Text, at=BigInteger)
POSITIONS = _rows_like(t.POSITIONS)
RECEIPTS = rowset("receipts", message_id=Text, digest=Text, incarnation=BigInteger, at=BigInteger)
NOTES = _rows_like(t.META)
WANTED_AGAIN = rowset(
    "again", receiver=Text, prefix=Text, seq=BigInteger, incarnation=BigInteger, at=BigInteger
)
STANDINGS = rowset("standings", licence_id=Text, status=Text)
CONTACTS = _rows_like(t.CONTACT)
CHANGES = rowset(
    "changes",
    id=Text,
    case_id=Text,
    version=BigInteger,
    change=Text,
    urgent=Integer,
    last=Integer,
    made_at=BigInteger,
)
RETURNS = rowset("returns", message_id=Text, at=BigInteger, code=Text)

_MUTABLE_CASE = [c.name for c in t.CASES.columns if c.name not in {"id", "kind", "side", "opened_at"}]
_MUTABLE_PERSON = [c.name for c in t.PERSON.columns if c.name != "key"]

NEW_CASES = insert_all(t.CASES, CASES)
CHANGED_CASES = (
    update(t.CASES)
    .where(t.CASES.c.id == CASES_AFTER.c.id, t.CASES.c.version == CASES_AFTER.c.base)
    .values({name: CASES_AFTER.c[name] for name in _MUTABLE_CASE})
)
NEW_PERSONS = insert_all(t.PERSON, PERSONS)
CHANGED_PERSONS = (
    update(t.PERSON)
    .where(t.PERSON.c.key == PERSONS_AFTER.c.key, t.PERSON.c.version == PERSONS_AFTER.c.base)
    .values({name: PERSONS_AFTER.c[name] for name in _MUTABLE_PERSON})
)
CLOSE_HOUSEHOLDS = update(t.HOUSEHOLD).where(t.HOUSEHOLD.c.id == KEYS.c.key).values(open=0)
OPEN_HOUSEHOLDS = update(t.HOUSEHOLD).where(t.HOUSEHOLD.c.id == KEYS.c.key).values(open=1)
SENT_OFTEN, _OUT = 4, t.OUTBOX.c
# A receipt of an older program tells no digest, nor does a row of one. What was wanted again by a receiver
# that was put back is not retired by what it had said before: that was lost with its database. What has gone
# out often since has arrived: its receiver may have been put back again, unnoticed, to a lower incarnation.
RETIRE = (
    update(t.OUTBOX)
    .where(
        t.OUTBOX.c.message_id == RECEIPTS.c.message_id,
        t.OUTBOX.c.receipted_at.is_(None),
        or_(t.OUTBOX.c.digest.is_(None), RECEIPTS.c.digest == "", t.OUTBOX.c.digest == RECEIPTS.c.digest),
        or_(_OUT.again.is_(None), _OUT.again <= RECEIPTS.c.incarnation, _OUT.tries >= SENT_OFTEN),
    )
    .values(receipted_at=RECEIPTS.c.at, next_try_at=None)
)
RETURN = (
    update(t.OUTBOX)
    .where(t.OUTBOX.c.message_id == RETURNS.c.message_id, t.OUTBOX.c.receipted_at.is_(None))
    .values(receipted_at=RETURNS.c.at, next_try_at=None, returned=RETURNS.c.code)
)
# What a receiver that was put back may have forgotten goes out once more, receipted or not.
SEND_AGAIN = (
    update(t.OUTBOX)
    .where(
        t.OUTBOX.c.receiver == WANTED_AGAIN.c.receiver,
        func.substr(t.OUTBOX.c.message_id, 1, func.length(WANTED_AGAIN.c.prefix)) == WANTED_AGAIN.c.prefix,
        t.OUTBOX.c.seq > WANTED_AGAIN.c.seq,
        t.OUTBOX.c.returned.is_(None),
    )
    .values(receipted_at=None, next_try_at=WANTED_AGAIN.c.at, tries=0, again=WANTED_AGAIN.c.incarnation)
)
ERRANDS_DONE = delete(t.ERRAND).where(t.ERRAND.c.case_id.in_(KEYS.select("key")))
CLAIMS_DONE = delete(t.CLAIM).where(t.CLAIM.c.case_id.in_(KEYS.select("key")))
STAND = (
    update(t.DOCUMENT)
    .where(t.DOCUMENT.c.licence_id == STANDINGS.c.licence_id)
    .values(status=STANDINGS.c.status)
)
UNPARK = delete(t.PARKED).where(t.PARKED.c.message_id.in_(KEYS.select("key")))
LET_GO = (
    update(t.DOCUMENT_COPY)
    .where(t.DOCUMENT_COPY.c.case_id == COPIES_DONE.c.case_id)
    .values(document=None, kept_until=None, status=COPIES_DONE.c.status, as_of=COPIES_DONE.c.at)
)
# A row for each change of those who want to be told, and none for the others.
TELL = insert(t.NOTIFICATION).from_select(
    [*CHANGES.columns, "channel", "next_try_at", "tries"],
    select(
        *(CHANGES.c[name] for name in CHANGES.columns),
        t.CONTACT.c.channel,
        CHANGES.c.made_at,
        literal_column("0"),
    )
    .where(t.CONTACT.c.case_id == CHANGES.c.case_id)
    .suffix_with(text('ON CONFLICT ("id") DO NOTHING')),
    include_defaults=False,
)

PUT_RECORDS = upsert(t.RECORD, RECORDS, ("person",))
PUT_NOTES = upsert(t.META, NOTES, ("key",))
PUT_NOTICES = upsert(t.NOTICE, NOTICES, ("person", "entered_by"))
PUT_PROOFS = upsert(t.PROOF, PROOFS, ("person",))
NEW_HOUSEHOLDS = insert_new(t.HOUSEHOLD, HOUSEHOLDS, ("id",))
_INSERTS = (
    (insert_all(t.INBOX, INBOX), INBOX, "inbox"),
    (upsert(t.ERRAND, ERRANDS, ("person", "kind")), ERRANDS, "errands"),
    (insert_all(t.TIMELINE, TIMELINE), TIMELINE, "timeline"),
    (insert_all(t.HISTORY, HISTORY), HISTORY, "history"),
    (insert_all(t.OUTBOX, OUTBOX), OUTBOX, "outbox"),
    (insert_all(t.UNIT, UNIT), UNIT, "unit"),
    (upsert(t.PARKED, PARKED, ("message_id",)), PARKED, "parked"),
    (insert_all(t.QUARANTINE, QUARANTINE), QUARANTINE, "quarantine"),
    (insert_all(t.IDEMPOTENCY, REPLIES), REPLIES, "replies"),
    (insert_all(t.ACCESS_LOG, ACCESSES), ACCESSES, "accesses"),
    (insert_all(t.DOCUMENT, DOCUMENTS), DOCUMENTS, "documents"),
    (insert_all(t.RATING, RATINGS), RATINGS, "ratings"),
    (upsert(t.DOCUMENT_COPY, COPIES, ("licence_id",)), COPIES, "copies"),
    (insert_all(t.FALSE_COMMITMENT, FALSE_COMMITMENTS), FALSE_COMMITMENTS, "false_commitments"),
    (STAND, STANDINGS, "standings"),
    (upsert(t.POSITIONS, POSITIONS, ("family",)), POSITIONS, "positions"),
    (RETIRE, RECEIPTS, "receipted"),
    (RETURN, RETURNS, "returned"),
    (SEND_AGAIN, WANTED_AGAIN, "wanted_again"),
    (PUT_NOTES, NOTES, "notes"),
    (UNPARK, KEYS, "unparked"),
    (ERRANDS_DONE, KEYS, "errands_done"),
    (CLAIMS_DONE, KEYS, "claims_done"),
    (insert_new(t.CONTACT, CONTACTS, ("case_id",)), CONTACTS, "contacts"),
)


class Audience:
    """Whether anybody here wants to be told anything; while nobody does, nothing is asked for them."""

    def __init__(self, *, anybody: bool = True) -> None:
        self.anybody = anybody


class UnitOfWork:
    """One transaction's reads and writes. Made by RegistryStore.unit()."""

    def __init__(self, line: Line, audience: Audience) -> None:
        self._line = line
        self._audience = audience

    async def seen(self, message_ids: Iterable[str]) -> dict[str, str]:
        """Digests of the messages taken before, by id."""
        return {row[0]: row[1] for row in await self._by_key(SEEN, message_ids)}

    async def cases(self, case_ids: Iterable[str]) -> dict[str, Case]:
        """Cases by id."""
        return {row[0]: case_of(row) for row in await self._by_key(CASES_BY_ID, case_ids)}

    async def persons(self, keys: Iterable[str]) -> dict[str, Person]:
        """Persons by key, without record and proof."""
        return {row[0]: person_of(row) for row in await self._by_key(PERSONS_BY_KEY, keys)}

    async def records(self, keys: Iterable[str]) -> dict[str, str]:
        """Resident forms by person."""
        return {row[0]: row[1] for row in await self._by_key(RECORDS_BY_PERSON, keys)}

    async def proofs(self, keys: Iterable[str]) -> dict[str, str]:
        """Newest certificates by person."""
        return {row[0]: row[1] for row in await self._by_key(PROOFS_BY_PERSON, keys)}

    async def members(self, household_ids: Iterable[str]) -> dict[str, list[Person]]:
        """Members of family households."""
        found: dict[str, list[Person]] = {}
        for row in await self._by_key(MEMBERS_BY_HOUSEHOLD, household_ids):
            person = person_of(row)
            found.setdefault(person.household_id, []).append(person)
        return found

    async def parked(self, case_ids: Iterable[str]) -> Sequence[ParkedRow]:
        """Messages waiting for their cause, of these cases."""
        return [ParkedRow(*row) for row in await self._by_key(PARKED_BY_CASE, case_ids)]

    async def notices(self, persons: Iterable[str]) -> dict[tuple[str, str], tuple[int, int]]:
        """The last notices that took effect, by person and door: incarnation and number."""
        rows = await self._by_key(NOTICES_BY_PERSON, persons)
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    async def replies(self, keys: Iterable[str]) -> dict[str, StoredReply]:
        """Stored replies by idempotency key."""
        rows = await self._by_key(REPLIES_BY_KEY, keys)
        return {row[0]: StoredReply(*row[1:5]) for row in map(tuple, rows)}

    async def under_way(self, persons: Iterable[str]) -> dict[tuple[str, str], str]:
        """The open case of each person that has one here, by person and case type."""
        return {(row[0], row[1]): row[2] for row in await self._by_key(UNDER_WAY, persons)}

    async def papers(self, persons: Iterable[str]) -> dict[str, list[PaperOnFile]]:
        """Documents of each person that are current, expired ones too."""
        found: dict[str, list[PaperOnFile]] = {}
        for person, licence_id, kind, case_id, until in await self._by_key(PAPERS_BY_PERSON, persons):
            paper = PaperOnFile(licence_id, kind, case_id, from_us_or_none(until))
            found.setdefault(person, []).append(paper)
        return found

    async def documents(self, licence_ids: Iterable[str]) -> dict[str, bytes]:
        """Documents of this registry that hold, as signed, by identifier."""
        return {row[0]: row[1].encode() for row in await self._by_key(DOCUMENTS_BY_NUMBER, licence_ids)}

    async def rated(self, case_ids: Iterable[str]) -> set[str]:
        """Those of these cases that have been rated."""
        return {row[0] for row in await self._by_key(RATED, case_ids)}

    async def false_commitments(self, persons: Iterable[str]) -> set[tuple[str, str]]:
        """Those on record of these persons: person and case."""
        return {(row[0], row[1]) for row in await self._by_key(FALSE_BY_PERSON, persons)}

    async def unreceipted(self, message_ids: Iterable[str]) -> dict[str, UnreceiptedRow]:
        """Outbox rows that wait for a receipt, by message id."""
        return {row[0]: UnreceiptedRow(*row) for row in await self._by_key(UNRECEIPTED, message_ids)}

    async def write(self, changes: Changes) -> None:
        """Write a unit's changes, one statement a table. Raises StoreDownError: another writer was faster."""
        await self._write_register(changes)
        await self._write_cases(changes)
        for statement, rows, name in _INSERTS:
            await self._all(statement, rows, getattr(changes, name))
        await self._all(LET_GO, COPIES_DONE, [(of, *to) for of, to in sorted(changes.copies_done.items())])
        if changes.contacts:
            self._audience.anybody = True
        if self._audience.anybody:
            await self._all(TELL, CHANGES, changes.notifications)

    async def _write_register(self, changes: Changes) -> None:
        fresh, changed = _split(changes.persons, changes.person_base, person_row)
        await self._all(NEW_PERSONS, PERSONS, fresh)
        await self._all(CHANGED_PERSONS, PERSONS_AFTER, changed, exactly=len(changed))
        await self._all(
            NEW_HOUSEHOLDS,
            HOUSEHOLDS,
            [household_row(household) for household in changes.households.values()],
        )
        await self._all(PUT_RECORDS, RECORDS, sorted(changes.records.items()))
        await self._all(PUT_PROOFS, PROOFS, sorted(changes.proofs.items()))
        await self._all(
            PUT_NOTICES, NOTICES, [(*of, *order) for of, order in sorted(changes.notices.items())]
        )
        await self._all(CLOSE_HOUSEHOLDS, KEYS, changes.households_closed)
        await self._all(OPEN_HOUSEHOLDS, KEYS, changes.households_opened)

    async def _write_cases(self, changes: Changes) -> None:
        fresh, changed = _split(changes.cases, changes.case_base, case_row)
        await self._all(NEW_CASES, CASES, fresh)
        await self._all(CHANGED_CASES, CASES_AFTER, changed, exactly=len(changed))

    async def _by_key(self, statement: Executable, keys: Iterable[str]) -> Sequence[Any]:
        wanted = [(key,) for key in sorted(set(keys))]
        if not wanted:
            return ()
        return await self._line.fetch(statement, KEYS.bind(wanted))

    async def _all(
        self,
        statement: Executable,
        rows: RowSet,
        values: Sequence[tuple[object, ...]],
        *,
        exactly: int | None = None,
    ) -> None:
        if not values:
            return
        count = await self._line.change(statement, rows.bind(values))
        if exactly is not None and count != exactly:
            raise StoreDownError("another writer changed the same rows; the unit of work is tried again")


Thing = TypeVar("Thing")


def _split(
    things: Mapping[str, Thing], base: Mapping[str, int], row: Callable[[Thing], tuple[object, ...]]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """New rows, and changed rows each with the version they were read at; in key order, against deadlocks."""
    fresh, changed = [], []
    for key in sorted(things):
        if key in base:
            changed.append((*row(things[key]), base[key]))
        else:
            fresh.append(row(things[key]))
    return fresh, changed
