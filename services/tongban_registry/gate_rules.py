"""What a registry concludes from its log's end, its fence and the ledger about its own past. Pure (G1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tongban_shared.cases.kind import Case, Side
from tongban_shared.cases.migration_data import S
from tongban_shared.cases.migration_recovery import Recovered
from tongban_shared.ids import CaseId
from tongban_shared.ports import Head, Passage
from tongban_shared.registration import CLAIMING, Person

# An origin has at least asked the ledger before it enters anything; a destination has accepted before that.
GAVE = frozenset({S.RELEASING, S.RELEASED, S.CONFIRMED})
TOOK = frozenset({S.PREPARED, S.RESTORING, S.VERIFYING, S.COMPLETED})


@dataclass(frozen=True, slots=True)
class Missing:
    """A hand-over that the ledger has and this database should know, but does not."""

    case_id: CaseId
    found: Recovered


def is_behind(head: Head, fence: Head | None, chain_at_fence: str | None) -> bool:
    """Whether the database is older than what the fence remembers, or is another one of the same length.

    chain_at_fence: the hash that this database has at the fence's unit; None: it has no such unit.
    """
    if fence is None:
        return False
    if (fence.incarnation, fence.unit) > (head.incarnation, head.unit):
        return True
    return fence.incarnation == head.incarnation and fence.unit > 0 and chain_at_fence != fence.chain


def hand_overs(passages: Iterable[Passage]) -> list[list[Passage]]:
    """The lines of each hand-over together, in the order of the log; a case makes one at most."""
    found: dict[str, list[Passage]] = {}
    for passage in passages:
        found.setdefault(passage.case_id, []).append(passage)
    return list(found.values())


def is_missing(lines: Sequence[Passage], case: Case | None, province: str) -> bool:
    """Whether this database does not know of a hand-over that it must have known before the ledger did."""
    gives = lines[0].origin == province
    if case is None or (case.side is Side.ORIGIN) is not gives:
        return True
    return case.state not in (GAVE if gives else TOOK)


def to_recover(lines: Sequence[Passage], here: Mapping[str, Person], province: str) -> Missing | None:
    """What to tell the case of a hand-over that is missing; None when nobody here is concerned.

    here: register rows of this province by the ledger's digest of the person.
    """
    first = lines[0]
    digests = tuple(line.person for line in lines)
    persons: tuple[str, ...] = ()
    if first.origin == province:
        claimed = [here[line.person] for line in lines if _gave(here.get(line.person), line)]
        if not claimed:
            return None
        persons = tuple(person.key for person in claimed)
    found = Recovered(first.origin, first.destination, first.certificate_digest, persons, digests)
    return Missing(first.case_id, found)


def _gave(person: Person | None, line: Passage) -> bool:
    """Whether this row still claims what the line gave away."""
    return person is not None and person.state in CLAIMING and person.epoch < line.epoch


def prefixes(message_ids: Iterable[str]) -> dict[str, dict[int, int]]:
    """How far each row of messages has arrived without a gap: sender → incarnation → number."""
    numbers: dict[tuple[str, int], set[int]] = {}
    for message_id in message_ids:
        sender, _, number, seq = message_id.split("-")
        numbers.setdefault((sender, int(number)), set()).add(int(seq))
    reached: dict[str, dict[int, int]] = {}
    for (sender, incarnation), seen in numbers.items():
        last = 0
        while last + 1 in seen:
            last += 1
        reached.setdefault(sender, {})[incarnation] = last
    return reached
