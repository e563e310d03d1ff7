"""Outgoing messages: from draft to envelope, sealed, signed with the unit, packed in parcels."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from tongban_shared.messages.codec import decode_message, encode_message
from tongban_shared.messages.common import Receipt, Returned
from tongban_shared.messages.envelope import Envelope
from tongban_shared.ports import Family
from tongban_shared.wire import Header, Leaf, SignedUnit, pack, sign_unit

if TYPE_CHECKING:
    from datetime import datetime

    from tongban_registry.office import Office
    from tongban_registry.storage.rows import UnreceiptedRow
    from tongban_shared.cases.kind import Case, Draft, Event
    from tongban_shared.messages.envelope import Body, Contract

# Message ids of receipts are not stored: a lost receipt is made anew when the message comes again.
RECEIPT_SEQUENCE = 0
# No message that is kept has this incarnation, so that a receipt's id is never another message's.
RECEIPT_INCARNATION = 0


AMONG_REGISTRIES = "REGISTRY"


class Outgoing(msgspec.Struct, frozen=True):
    """A message of this unit, encoded. `case_id` and `seq` None or 0: a receipt, not kept in the outbox."""

    message_id: str
    to: str
    family: Family
    raw: bytes
    seq: int = RECEIPT_SEQUENCE
    case_id: str | None = None
    name: str = ""

    @staticmethod
    def of(draft: Draft, case: Case, event: Event, place: tuple[Office, int, int]) -> Outgoing:
        """Put a draft in its envelope; what is personal in it is sealed for the receiver.

        What it encloses is in its body already.
        """
        office, incarnation, sequence = place
        body = draft.body
        if body is None:
            raise ValueError("a question to the ledger has no envelope")
        message_id = f"{office.province}-{draft.to}-{incarnation}-{sequence}"
        if draft.bundle is not None:
            context = sealing_context(case.id, body)
            body = body.model_copy(update={"sealed": office.signer.seal(draft.to, draft.bundle, context)})
        envelope = Envelope(
            id=message_id,
            type=body.name,
            body_v=body.v,
            case_id=case.id,
            cause=event.message_id,
            sender=office.province,
            receiver=draft.to,
            org=office.org,
            officer=event.officer,
            purpose=case.kind.upper(),
            basis=body.basis,
            person=case.persons[0] if case.persons else None,
            deadline=case.due_at,
            seq=sequence,
            at=event.at,
        )
        raw = encode_message(envelope, body)
        return Outgoing(message_id, draft.to, body.family, raw, sequence, case.id, body.name)

    @staticmethod
    def again(row: UnreceiptedRow, place: tuple[Office, int, int]) -> Outgoing:
        """A stored message of ours under another number; what is sealed in it is bound to its case alone."""
        office, incarnation, sequence = place
        message = decode_message(row.raw.encode(), office.province, row.receiver)
        number = f"{office.province}-{row.receiver}-{incarnation}-{sequence}"
        envelope = replace(cast("Any", message.envelope), id=number, seq=sequence)
        raw = encode_message(envelope, message.body)
        family = Family(row.family)
        return Outgoing(number, row.receiver, family, raw, sequence, row.case_id, envelope.type)

    @staticmethod
    def to_peer(
        to: str,
        body: Body,
        at: datetime,
        place: tuple[Office, int, int],
        *,
        person: str | None = None,
        officer: str | None = None,
    ) -> Outgoing:
        """A message between registries that belongs to no case, kept like any other until its receipt."""
        office, incarnation, sequence = place
        envelope = Envelope(
            id=f"{office.province}-{to}-{incarnation}-{sequence}",
            type=body.name,
            body_v=body.v,
            sender=office.province,
            receiver=to,
            org=office.org,
            officer=officer,
            purpose=AMONG_REGISTRIES,
            basis=body.basis,
            person=person,
            seq=sequence,
            at=at,
        )
        return Outgoing(
            envelope.id, to, body.family, encode_message(envelope, body), sequence, None, body.name
        )


def sealing_context(case_id: str, body: Contract) -> bytes:
    """What a sealed bundle is bound to: this case and this digest, so that it can't be moved to another."""
    digest: str = getattr(body, "digest", "")
    return f"{case_id} {digest}".encode()


@dataclass(slots=True)
class Receipts:
    """What this unit acknowledges to one sender."""

    taken: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)

    def take(self, message_id: str, digest: str) -> None:
        """One message; digest: of its bytes."""
        self.taken.append(message_id)
        self.digests.append(receipted_digest(digest))

    def body(self) -> Receipt:
        """As it is sent."""
        return Receipt(taken=tuple(self.taken), digests=tuple(self.digests), returned=tuple(self.returned))


def receipted_digest(digest: str) -> str:
    """What a receipt tells of a message's SHA-256: enough to tell two messages of one number apart."""
    return digest[:16]


def unkept_messages(
    notes: Iterable[tuple[str, Body]], office: Office, now: datetime, unit: str
) -> Iterator[Outgoing]:
    """Words between registries that may be lost: to whom, and what. seq is the incarnation that says them."""
    incarnation, number = unit.split(".")
    for to, body in notes:
        envelope = Envelope(
            id=f"{office.province}-{to}-{RECEIPT_INCARNATION}-{number}",
            type=body.name,
            body_v=body.v,
            sender=office.province,
            receiver=to,
            org=office.org,
            purpose="RECEIPT" if body.name == Receipt.name else AMONG_REGISTRIES,
            basis=body.basis,
            seq=int(incarnation),
            at=now,
        )
        yield Outgoing(envelope.id, to, Family.COMMON, encode_message(envelope, body))


def receipt_messages(
    receipts: dict[str, Receipts], office: Office, now: datetime, unit: str
) -> Iterator[Outgoing]:
    """One receipt per sender, not kept: it rides in the unit's parcel."""
    bodies = ((sender, receipt.body()) for sender, receipt in receipts.items())
    return unkept_messages(bodies, office, now, unit)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Bytes for one receiver and family."""

    to: str
    family: Family
    data: bytes = field(repr=False)
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A unit's messages under their one signature."""

    unit: SignedUnit
    messages: tuple[Outgoing, ...]

    @property
    def header_text(self) -> str:
        """The unit's signed header as stored, so that every message can be sent again byte for byte."""
        return header_text(self.unit.header)

    def parcels(self) -> Iterator[Parcel]:
        """All messages for one receiver and family in as few records as fit; a receipt rides along."""
        groups: dict[tuple[str, Family], list[Leaf]] = {}
        receipts: list[tuple[str, Leaf]] = []
        for message, leaf in zip(self.messages, self.unit.leaves, strict=True):
            if message.seq == RECEIPT_SEQUENCE:
                receipts.append((message.to, leaf))
            else:
                groups.setdefault((message.to, message.family), []).append(leaf)
        riding = dict(groups.keys())
        for to, leaf in receipts:
            groups.setdefault((to, riding.get(to, Family.COMMON)), []).append(leaf)
        for (to, family), leaves in groups.items():
            yield from parcels_of(self.unit.header, leaves, to, family)


def sign_messages(office: Office, unit: str, messages: Iterable[Outgoing]) -> Sealed | None:
    """Sign all messages of a unit of work at once; None when there are none."""
    listed = tuple(messages)
    if not listed:
        return None
    return Sealed(sign_unit(office.signer, unit, [message.raw for message in listed]), listed)


def parcels_of(header: Header, leaves: Iterable[Leaf], to: str, family: Family) -> Iterator[Parcel]:
    """Pack messages of one unit for one receiver; CloudEvents attributes go as headers (binary mode)."""
    for number, data in enumerate(pack(header, leaves)):
        yield Parcel(
            to,
            family,
            data,
            {
                "ce_specversion": "1.0",
                "ce_id": f"{header.sender}/{header.unit}/{to}/{family.value}/{number}",
                "ce_source": f"/provinces/{header.sender}",
                "ce_type": "tongban.parcel.v1",
                "ce_subject": to,
                "content-type": "application/vnd.tongban.parcel",
            },
        )


def header_text(header: Header) -> str:
    """A unit's header for its row, JSON."""
    return msgspec.json.encode(header).decode("ascii")


def header_of(text: str) -> Header:
    """A unit's header from its row."""
    return msgspec.json.decode(text, type=Header)


def path_text(leaf: Leaf) -> str:
    """A leaf's path for the outbox row, base64."""
    return base64.b64encode(leaf.path).decode("ascii")


def leaf_of(index: int, path: str, raw: str) -> Leaf:
    """A leaf from its outbox row."""
    return Leaf(index, base64.b64decode(path), raw.encode("utf-8"))
