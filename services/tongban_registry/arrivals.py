"""Door 2: from records to messages to decide, each verified before anything of it is decoded further."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from tongban_registry.copies import open_enclosed
from tongban_registry.envelopes import Receipts, sealing_context
from tongban_registry.unit import Arrival, Unit
from tongban_shared.cases.kind import Event
from tongban_shared.errors import WireError
from tongban_shared.ids import CaseId
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.messages.common import Ahead, Receipt, Returned, Started
from tongban_shared.messages.consultation import ConsultationAnswered, ConsultationAsked
from tongban_shared.messages.home import Granting
from tongban_shared.messages.migration import Acceptance, Certificate, Inquire, Offer, Reissue, Settled
from tongban_shared.messages.newborn import BirthRequested
from tongban_shared.messages.register_change import ChangeRequested
from tongban_shared.messages.registration import Notice
from tongban_shared.ports import Family, Position
from tongban_shared.wire import Opened, Refused

if TYPE_CHECKING:
    from tongban_registry.office import Office
    from tongban_shared.cases.kind import Case
    from tongban_shared.ports import Record

# The sender can be believed (its signature is good), so it is told; anything else only goes to quarantine.
LOOKED_AHEAD = 64
# A receipt of an older program does not say by which incarnation.
ANY_INCARNATION = 2**31
SEALED = frozenset(
    {
        *(Offer.name, Reissue.name, BirthRequested.name, ChangeRequested.name),
        *(ConsultationAsked.name, ConsultationAnswered.name),
    }
)
ENCLOSING = frozenset(body.name for body in CONTRACTS if issubclass(body, Granting))
# Messages of a case about another one.
ABOUT = frozenset(contract.name for contract in CONTRACTS if "about" in contract.model_fields)
RETURNED_TO_SENDER = frozenset({"UNKNOWN_TYPE", "UNKNOWN_VERSION", "BAD_BODY"})


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Refused bytes for quarantine: reason, sender as claimed, the bytes in base64."""

    reason: str
    sender: str | None
    parcel: str


@dataclass(slots=True)
class Batch:
    """One poll's records, opened."""

    taken: list[Opened] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    positions: dict[Family, Position] = field(default_factory=dict)
    receipts: dict[str, Receipts] = field(default_factory=dict)
    receipted: set[tuple[str, str, int]] = field(default_factory=set)
    started: dict[str, Any] = field(default_factory=dict)
    ahead: dict[str, Any] = field(default_factory=dict)
    returned: list[Returned] = field(default_factory=list)

    @property
    def message_ids(self) -> list[str]:
        """Ids of all messages to decide."""
        return [taken.message.envelope.id for taken in self.taken]

    def after_start(self, receiver: str, sender: str) -> list[str]:
        """Ids that stand here only if this sender, which has started, has forgotten them."""
        sent = self.started[sender]
        steps = range(1, LOOKED_AHEAD + 1)
        return [f"{sender}-{receiver}-{sent.incarnation}-{sent.seq + step}" for step in steps]

    def looked_up(self, receiver: str) -> list[str]:
        """Ids of all messages that it matters to have seen."""
        after = (self.after_start(receiver, sender) for sender in self.started)
        return [*self.message_ids, *chain.from_iterable(after)]

    @property
    def reused(self) -> list[str]:
        """Ids of ours that a receiver knows under other bytes."""
        return [entry.id for entry in self.returned if entry.code == "ID_REUSED"]

    @property
    def case_ids(self) -> set[str]:
        """Cases they belong to."""
        ids = (taken.message.envelope.case_id for taken in self.taken)
        return {case_id for case_id in ids if case_id}

    def cases_of(self, names: frozenset[str]) -> set[str]:
        """Cases of the messages with these names."""
        envelopes = (taken.message.envelope for taken in self.taken)
        return {e.case_id for e in envelopes if e.case_id and e.type in names}

    def persons_of(self, names: frozenset[str]) -> set[str]:
        """Persons in the messages with these names."""
        messages = (taken.message for taken in self.taken)
        bodies = [message.body for message in messages if message.envelope.type in names]
        return {entry.person for body in bodies for entry in getattr(body, "persons", ())}

    @property
    def told(self) -> set[str]:
        """Persons whom something has befallen."""
        bodies = [taken.message.body for taken in self.taken if taken.message.envelope.type == Notice.name]
        return {cast("Notice", body).person for body in bodies}

    @property
    def asked_about(self) -> set[str]:
        """Cases that messages are about, which may be the first that is heard of them here."""
        messages = (taken.message for taken in self.taken)
        return {cast("Any", message.body).about for message in messages if message.envelope.type in ABOUT}

    def receipt(self, sender: str) -> Receipts:
        """What this unit acknowledges to `sender`."""
        return self.receipts.setdefault(sender, Receipts())


def open_records(office: Office, records: Iterable[Record]) -> Batch:
    """Open every parcel of a poll. A bad message spoils itself, never its parcel."""
    batch = Batch()
    for record in records:
        if record.log_id:  # a replay from quarantine stands in no log
            batch.positions[record.family] = Position(record.log_id, record.position + 1)
        for found in office.opener.open(record.data):
            if isinstance(found, Refused):
                _refuse(batch, found)
            else:
                _sort(batch, found)
    return batch


def _sort(batch: Batch, opened: Opened) -> None:
    body: Any = opened.message.body
    if opened.message.envelope.type == Receipt.name:
        # Only the receiver's own word retires a row, and a message id names its receiver (C5).
        envelope = opened.message.envelope
        ours = f"{envelope.receiver}-{envelope.sender}-"
        told = zip_longest(body.taken, body.digests[: len(body.taken)], fillvalue="")
        said_by = envelope.seq or ANY_INCARNATION
        batch.receipted.update((*entry, said_by) for entry in told if entry[0].startswith(ours))
        batch.returned.extend(entry for entry in body.returned if entry.id.startswith(ours))
    elif opened.message.envelope.type == Started.name:
        batch.started[opened.message.envelope.sender] = body.sent
    elif opened.message.envelope.type == Ahead.name:
        batch.ahead[opened.message.envelope.sender] = body.seen
    else:
        batch.taken.append(opened)


def _refuse(batch: Batch, refused: Refused) -> None:
    batch.refused.append(
        Quarantined(refused.reason, refused.sender, base64.b64encode(refused.raw).decode("ascii"))
    )
    if refused.message_id is not None and refused.sender is not None and refused.reason in RETURNED_TO_SENDER:
        entry = Returned(id=refused.message_id, code=refused.reason)
        batch.receipt(refused.sender).returned.append(entry)


def arrival_of(unit: Unit, opened: Opened, tries: int = 0) -> Arrival | None:
    """A message as an event of this unit, sealed parts opened; None: a bad seal, it is in quarantine."""
    envelope = opened.message.envelope
    body = opened.message.body
    # What belongs to no case belongs to a person, and waits where it would wait for a case.
    place = cast("Notice", body).person if envelope.type == Notice.name else envelope.case_id
    if place is None:
        unit.quarantine("BAD_BODY", envelope.sender, envelope.id, opened.proof)
        return None
    kind, _, name = envelope.type.partition(".")
    event = Event(
        name=name,
        case_id=CaseId(place),
        at=unit.now,
        stamp=unit.counters.next_stamp(),
        body=body,
        message_id=envelope.id,
        sender=envelope.sender,
        opened=opened,
        officer=envelope.officer if envelope.type == Notice.name else None,
    )
    try:
        event = _unfold(unit, event, envelope.type)
    except WireError as error:
        unit.quarantine(error.reason, envelope.sender, envelope.id, opened.proof)
        return None
    return Arrival(event, kind, opened, tries)


def _unfold(unit: Unit, event: Event, wire_type: str) -> Event:
    """Open what is sealed or enclosed in a message."""
    office = unit.office
    if wire_type in SEALED:
        return replace(event, bundle=unseal_offer(office, event))
    if wire_type in ENCLOSING:
        return open_enclosed(office, event)
    if wire_type == Inquire.name:
        enclosed = office.opener.open_proof(event.body.certificate)
        of = enclosed.message.envelope
        if (of.type, of.sender, of.case_id) != (Certificate.name, event.sender, event.case_id):
            raise WireError("BAD_BODY")
        event = replace(event, body=enclosed.message.body, opened=enclosed)
    if wire_type == Settled.name and event.body.certificate:
        return _with_own_certificate(office, event)
    if wire_type in {Inquire.name, Certificate.name} and not _remembers(unit.case(event.case_id)):
        return replace(event, bound=_is_bound(office, event))
    return event


def _with_own_certificate(office: Office, event: Event) -> Event:
    """The destination gives an origin that was put back its own certificate; other proofs are left aside."""
    try:
        enclosed = office.opener.of(event.sender or "").open_proof(event.body.certificate)
    except WireError:
        return event  # the word that it is settled holds without
    of = enclosed.message.envelope
    ours = (of.type, of.sender, of.case_id) == (Certificate.name, office.province, event.case_id)
    return replace(event, opened=enclosed) if ours else event


def _remembers(case: Case | None) -> bool:
    """Whether a destination knows that it accepted."""
    return case is not None and case.state in {"PREPARED", "COMPLETED", "RESTORING", "VERIFYING"}


def _is_bound(office: Office, event: Event) -> bool:
    """Whether a certificate encloses this province's own acceptance in this case. Raises WireError."""
    accepted = office.opener.of(event.sender or "").open_proof(event.body.acceptance).message.envelope
    return (accepted.type, accepted.sender, accepted.case_id) == (
        Acceptance.name,
        office.province,
        event.case_id,
    )


def unseal_offer(office: Office, event: Event) -> bytes:
    """What is sealed in a message, as an offer's bundle: the very bytes of its digest.

    Raises WireError(BAD_SEAL).
    """
    context = sealing_context(event.case_id, event.body)
    bundle = office.signer.unseal(event.sender or "", event.body.sealed, context)
    if sha256(bundle).hexdigest() != event.body.digest:
        raise WireError("BAD_SEAL")
    return bundle


def read_parked(unit: Unit, rows: Sequence[Any]) -> Iterator[Arrival]:
    """Messages parked earlier, opened again."""
    for row in rows:
        try:
            opened = unit.office.opener.open_proof(row.parcel)
        except WireError as error:
            unit.quarantine(error.reason, None, row.message_id, row.parcel)
            unit.changes.unparked.append((row.message_id,))
            continue
        arrival = arrival_of(unit, opened, row.tries)
        if arrival is None:
            unit.changes.unparked.append((row.message_id,))
        else:
            yield arrival
