"""What registries tell each other about their rows of messages when one was put back (G1).

On start a registry says how far it remembers having sent; who has more answers that. One that was put back
asks everybody to send again, and issues under new numbers what it sent under numbers that were taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tongban_registry.envelopes import Outgoing
from tongban_registry.storage.gate_sql import BY_PEER, PUT_BACK
from tongban_registry.storage.rows import to_us
from tongban_shared.messages.common import Ahead, Reached, Resend, Started

if TYPE_CHECKING:
    from tongban_registry.arrivals import Batch
    from tongban_registry.storage.rows import UnreceiptedRow
    from tongban_registry.unit import Unit
    from tongban_shared.messages.envelope import Envelope


def ask_again(unit: Unit, reached: Mapping[str, Sequence[Reached]]) -> None:
    """This database was put back: everybody is to send again what came after these."""
    for peer in unit.office.peers:
        sequence = unit.counters.next_sequence(peer)
        body = Resend(has=tuple(reached.get(peer, ())))
        place = (unit.office, unit.counters.incarnation, sequence)
        unit.outgoing.append(Outgoing.to_peer(peer, body, unit.now, place))


def send_again(unit: Unit, envelope: Envelope, body: Resend) -> None:
    """Somebody else's was: from the outbox, receipted or not, whatever they may have forgotten.

    What they receipted before may still be under way; only what they say from now on counts.
    """
    sender, asks = envelope.sender, int(envelope.id.split("-")[2])
    has = {reached.incarnation: reached.seq for reached in body.has}
    for incarnation in range(1, unit.counters.incarnation + 1):
        prefix = f"{unit.office.province}-{sender}-{incarnation}-"
        unit.changes.wanted_again.append((sender, prefix, has.get(incarnation, 0), asks, to_us(unit.now)))


def issue_again(unit: Unit, rows: Sequence[UnreceiptedRow]) -> None:
    """Messages sent under numbers that may have been taken: once more, under new ones."""
    for row in rows:
        sequence = unit.counters.next_sequence(row.receiver)
        place = (unit.office, unit.counters.incarnation, sequence)
        unit.outgoing.append(Outgoing.again(row, place))
        unit.changes.returned.append((row.message_id, to_us(unit.now), "REISSUED"))


def tell_started(unit: Unit, peers: Sequence[str]) -> None:
    """Say what was last sent to each; one who knows of more answers."""
    for peer in peers:
        last = unit.counters.sequences.get(peer, 0)
        unit.words.append((peer, Started(sent=Reached(incarnation=unit.counters.incarnation, seq=last))))


def answer_started(unit: Unit, batch: Batch, seen: Iterable[str]) -> None:
    """A sender that has started has forgotten a message if a later one of theirs stands here."""
    known = set(seen)
    for sender, sent in batch.started.items():
        later = [i for i in batch.after_start(unit.office.province, sender) if i in known]
        if later:
            seq = max(int(message_id.rpartition("-")[2]) for message_id in later)
            unit.words.append((sender, Ahead(seen=Reached(incarnation=sent.incarnation, seq=seq))))


def hear_peers(unit: Unit, batch: Batch, unreceipted: Mapping[str, UnreceiptedRow]) -> bool:
    """Whether a peer has a message of this very incarnation that this database never sent: then it is noted.

    unreceipted: outbox rows of messages that a peer has given back because their numbers were taken. Under an
    old incarnation they are issued again; under this one that waits for the next.
    """
    mine = unit.counters
    ahead = any(
        seen.incarnation == mine.incarnation and seen.seq > mine.sequences.get(sender, 0)
        for sender, seen in batch.ahead.items()
    )
    for row in unreceipted.values():
        if int(row.message_id.split("-")[2]) == mine.incarnation:
            batch.returned = [entry for entry in batch.returned if entry.id != row.message_id]
            ahead = True
        else:
            sequence = mine.next_sequence(row.receiver)
            unit.outgoing.append(Outgoing.again(row, (unit.office, mine.incarnation, sequence)))
    if ahead:
        unit.changes.notes.append((PUT_BACK, BY_PEER))
    return ahead
