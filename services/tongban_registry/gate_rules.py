"""What a registry concludes from its log's end, its fence and the ledger about its own past. Pure (G1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tongban_shared.cases.kind import Case, Side
from tongban_shared.cases.migration_compose import certificate_digest, certificate_of
from tongban_shared.cases.migration_data import S
from tongban_shared.cases.migration_recovery import Recovered
from tongban_shared.ids import CaseId
from tongban_shared.ports import Head, Passage
from tongban_shared.registration import CANCELLED, CLAIMING, Person

# An origin has at least asked the ledger before it enters anything; a destination has accepted before that.
GAVE = frozenset({S.RELEASING, S.RELEASED, S.CONFIRMED})
TOOK = frozenset({S.PREPARED, S.RESTORING, S.VERIFYING, S.COMPLETED})
# Their end is still on its way; a backup taken now has to be told by the ledger's log what became of them.
PROMISED = frozenset({S.PREPARED, S.RELEASING})


@dataclass(frozen=True, slots=True)
class Told:
    """What a case has to be told about its hand-over at the ledger: an event, its body, its persons here."""

    case_id: CaseId
    name: str
    body: Recovered | str
    persons: tuple[str, ...] = ()


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


def to_recover(
    lines: Sequence[Passage], here: Mapping[str, Person], province: str, *, past: bool = False
) -> Told:
    """What to tell the case of a hand-over that is missing.

    here: register rows of this province by the ledger's digest of the person. An origin is told of its own
    even where none of its rows is left to give up: a case that it does not know it would abort. past: all of
    them have been handed over again since; their records are fetched for whoever may ask for them, if they
    come.
    """
    first = lines[0]
    digests, epochs = tuple(line.person for line in lines), tuple(line.epoch for line in lines)
    persons: tuple[str, ...] = ()
    if first.origin == province:
        claimed = [here[line.person] for line in lines if _gave(here.get(line.person), line)]
        persons = tuple(person.key for person in claimed)
    found = Recovered(
        first.origin, first.destination, first.certificate_digest, persons, digests, epochs, past
    )
    return Told(first.case_id, "recovered", found, persons)


def finds_out(passages: Iterable[Passage], cases: Mapping[str, Case], province: str) -> bool:
    """Whether the ledger knows of a hand-over that this database must have known first."""
    return any(is_missing(lines, cases.get(lines[0].case_id), province) for lines in hand_overs(passages))


def catch_up(
    passages: Iterable[Passage],
    cases: Mapping[str, Case],
    here: Mapping[str, Person],
    province: str,
    *,
    put_back: bool = True,
) -> list[Told]:
    """What the cases have to be told before anybody is answered, in the order of the ledger's log.

    A crash may have lost the ledger's word: then it is given again. A database that was put back is told of
    everything that it has forgotten; and a promise in it may have been kept since, and the person moved on.
    """
    found: list[Told] = []
    passages = list(passages)
    newest = {passage.person: passage.epoch for passage in passages}
    for lines in hand_overs(passages):
        case = cases.get(lines[0].case_id)
        if case is not None and case.state == S.RELEASING and _asked(case) == lines[0].certificate_digest:
            found.append(Told(case.id, "appended", "APPENDED"))
        elif put_back and (case is None or _may_be_old(lines, case, province)):
            past = all(newest[line.person] > line.epoch for line in lines)
            found.append(to_recover(lines, here, province, past=past))
    return found


def read_up_to(passages: Sequence[Passage], cases: Mapping[str, Case]) -> int:
    """The line of the ledger's log up to which nothing has to be told again, should this be put back."""
    open_ = (p.seq for p in passages if p.case_id in cases and cases[p.case_id].state in PROMISED)
    return min(open_, default=passages[-1].seq + 1) - 1


def _asked(case: Case) -> str:
    """The certificate that a releasing case has asked the ledger to enter."""
    return certificate_digest(certificate_of(case))


def _may_be_old(lines: Sequence[Passage], case: Case, province: str) -> bool:
    return case.state in PROMISED or is_missing(lines, case, province)


def _gave(person: Person | None, line: Passage) -> bool:
    """Whether this row still claims what the line gave away, and no earlier line did.

    Or has ended: an entry of a past that was put back, and after which the ledger went another way.
    """
    return person is not None and person.state in CLAIMING | CANCELLED and person.epoch == line.epoch - 1


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
