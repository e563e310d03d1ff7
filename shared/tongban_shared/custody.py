"""The custody ledger's judgement (归属账本): who holds a person, and whether a hand-over may be entered.

Pure: no clock, no I/O. The service and the in-memory ledger both judge with it. Source: protocol.md §2, I1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from tongban_shared.ids import Province
from tongban_shared.ports import Custody, Verdict

NOBODY: Final = -1
"""The epoch before the first: a first registration is a hop from nobody at -1 to a province at 0."""
GENESIS: Final = "0" * 64
"""The hash before the first entry of the log."""

Place = tuple[str, int]
"""A person (in the service: the keyed digest of one) and an epoch; each place is taken once, for ever."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A hand-over of all its persons or of none: each from its epoch at origin to the next at destination.

    origin: None for a first registration, which has neither case nor certificate.
    """

    origin: Province | None
    destination: Province
    persons: tuple[Place, ...]
    certificate_digest: str = ""
    case_id: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: at `epoch` this certificate made `holder` the person's province."""

    person: str
    epoch: int
    holder: Province
    certificate_digest: str
    case_id: str
    origin: Province | None = None


@dataclass(slots=True)
class Judgement:
    """Verdicts in the order of the hops; entries to append; the newest entry of each person they change."""

    verdicts: list[Verdict] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    newest: dict[str, Custody] = field(default_factory=dict)


def first(person: str, province: Province) -> Hop:
    """A first registration as a hop."""
    return Hop(origin=None, destination=province, persons=((person, NOBODY),))


def judge(hops: Iterable[Hop], current: Mapping[str, Custody], past: Mapping[Place, Custody]) -> Judgement:
    """Judge hops one after another, each on what those before it left: compare-and-set.

    A hop whose entries all stand in the ledger already is a repeat, and APPENDED: a sender that lost the
    answer may ask again, also when the persons have moved on. current: newest entry by person. past: entries
    at the places that the hops lead to; not needed for persons whose newest entry is at the hop's epoch.
    """
    judgement = Judgement()
    entered: dict[Place, Custody] = {}
    for hop in hops:
        newest = {person: judgement.newest.get(person) or current.get(person) for person, _ in hop.persons}
        there = [(person, epoch + 1) for person, epoch in hop.persons]
        if _may_be_entered(hop, newest):
            for person, epoch in there:
                entry = Custody(hop.destination, epoch, hop.certificate_digest)
                entered[person, epoch] = judgement.newest[person] = entry
                place = (person, epoch, hop.destination)
                judgement.entries.append(Entry(*place, hop.certificate_digest, hop.case_id, hop.origin))
            judgement.verdicts.append(Verdict.APPENDED)
        else:
            found = [entered.get(place) or past.get(place) for place in there]
            judgement.verdicts.append(Verdict.APPENDED if _is_repeat(hop, found) else Verdict.CONFLICT)
    return judgement


def _may_be_entered(hop: Hop, newest: Mapping[str, Custody | None]) -> bool:
    if not 0 < len(newest) == len(hop.persons) or hop.origin == hop.destination:
        return False  # nobody, somebody twice, or no hand-over at all
    return all(_holds(hop.origin, epoch, newest[person]) for person, epoch in hop.persons)


def _holds(origin: Province | None, epoch: int, newest: Custody | None) -> bool:
    if origin is None or newest is None:
        return origin is None and newest is None and epoch == NOBODY
    return newest.province == origin and newest.epoch == epoch


def _is_repeat(hop: Hop, found: Iterable[Custody | None]) -> bool:
    wanted = (hop.destination, hop.certificate_digest)
    entries = list(found)
    return bool(entries) and all(
        entry is not None and (entry.province, entry.certificate_digest) == wanted for entry in entries
    )


def chain(before: str, entry: Entry, recorded_at_us: int) -> str:
    """The hash of a line over the hash before it: a changed, missing or moved line breaks all after it.

    The origin is not hashed by itself: it is the holder at the epoch before, whose line is.
    """
    fields = (
        entry.person,
        entry.epoch,
        entry.holder,
        entry.certificate_digest,
        entry.case_id,
        recorded_at_us,
    )
    return sha256("\n".join((before, *map(str, fields))).encode()).hexdigest()
