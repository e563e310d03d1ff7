"""Claims of birth certificates (出生医学证明) at the custody ledger: one province registers the child.

Pure, as custody.py beside it. A claim is taken by the first case that asks, given back by that case alone,
and for ever that case's once a child has been entered under it. Source: services.md S6, decision 0012.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from tongban_shared.custody import NOBODY, Entry, Hop, Place, judge
from tongban_shared.ids import CaseId, Province
from tongban_shared.ports import Birth, BirthHeld, Custody, Verdict

CHILDREN_MAX: Final = 4
"""Of one birth (一胎多孩), and so of one case."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who has a certificate: province, case; person: the ledger's name of the child, empty until entered."""

    province: Province
    case_id: str
    person: str = ""


FREE: Final = BirthHeld(Province(""), CaseId(""))
"""Nobody has it."""


@dataclass(slots=True)
class Claims:
    """What came of a batch: answers in order; claims to write, None: given back."""

    answers: list[BirthHeld] = field(default_factory=list)
    changed: dict[str, Claimed | None] = field(default_factory=dict)


@dataclass(slots=True)
class Entered:
    """What came of entering children: verdicts in order, lines, newest entries, claims that have a child."""

    verdicts: list[Verdict] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    newest: dict[str, Custody] = field(default_factory=dict)
    changed: dict[str, Claimed] = field(default_factory=dict)


def birth_mark(case_id: str) -> str:
    """In place of a certificate's digest at epoch 0: which case entered the child; 64 hex characters."""
    return sha256(f"birth {case_id}".encode()).hexdigest()


def claim(births: Iterable[Birth], known: Mapping[str, Claimed]) -> Claims:
    """All certificates of a birth, or none: the first case wins, the same case gets the same answer again."""
    found = Claims()
    for birth in births:
        held = _held(birth, known, found.changed)
        other = next((one for one in held if one is not None and not _is_of(one, birth)), None)
        if other is None:
            for certificate, one in zip(birth.certificates, held, strict=True):
                if one is None:
                    found.changed[certificate] = Claimed(birth.province, birth.case_id)
        found.answers.append(_answer(birth, held) if other is None else _told(other))
    return found


def release(births: Iterable[Birth], known: Mapping[str, Claimed]) -> Claims:
    """A case gives back what it has, unless a child has been entered under it; nobody else's claim moves."""
    found = Claims()
    for birth in births:
        held = _held(birth, known, found.changed)
        mine = [one for one in held if one is not None and _is_of(one, birth)]
        if any(one.person for one in mine):
            found.answers.append(_answer(birth, held))
            continue
        for certificate, one in zip(birth.certificates, held, strict=True):
            if one in mine:
                found.changed[certificate] = None
        found.answers.append(FREE)
    return found


def enter(
    births: Iterable[Birth],
    known: Mapping[str, Claimed],
    current: Mapping[str, Custody],
    past: Mapping[Place, Custody],
) -> Entered:
    """Children at epoch 0, all of a birth or none, each under a claim of this very case.

    CONFLICT: the claim is not this case's, another child was entered under it, or somebody has the key.
    """
    found = Entered()
    for birth in births:
        if not _may_enter(birth, _held(birth, known, found.changed)):
            found.verdicts.append(Verdict.CONFLICT)
            continue
        judgement = judge([hop_of(birth)], {**current, **found.newest}, {**past, **_places(found.entries)})
        found.verdicts += judgement.verdicts
        found.entries += judgement.entries
        found.newest |= judgement.newest
        if judgement.verdicts == [Verdict.APPENDED]:
            pairs = zip(birth.certificates, birth.persons, strict=True)
            found.changed |= {c: Claimed(birth.province, birth.case_id, person) for c, person in pairs}
    return found


def hop_of(birth: Birth) -> Hop:
    """The children's first registration."""
    persons = tuple((person, NOBODY) for person in birth.persons)
    return Hop(None, birth.province, persons, birth_mark(birth.case_id), birth.case_id)


def _places(entries: Iterable[Entry]) -> dict[Place, Custody]:
    return {(e.person, e.epoch): Custody(e.holder, e.epoch, e.certificate_digest) for e in entries}


def _held(
    birth: Birth, known: Mapping[str, Claimed], changed: Mapping[str, Claimed | None]
) -> list[Claimed | None]:
    return [changed[c] if c in changed else known.get(c) for c in birth.certificates]


def _is_of(held: Claimed, birth: Birth) -> bool:
    return (held.province, held.case_id) == (birth.province, birth.case_id)


def _may_enter(birth: Birth, held: Sequence[Claimed | None]) -> bool:
    if len(birth.persons) != len(birth.certificates):
        return False
    pairs = zip(held, birth.persons, strict=True)
    return all(one is not None and _is_of(one, birth) and one.person in ("", person) for one, person in pairs)


def _answer(birth: Birth, held: Iterable[Claimed | None]) -> BirthHeld:
    """The case itself has it, with the children entered under it."""
    persons = tuple(one.person for one in held if one is not None and one.person)
    return BirthHeld(birth.province, birth.case_id, persons)


def _told(other: Claimed) -> BirthHeld:
    """Another case has it."""
    return BirthHeld(other.province, CaseId(other.case_id), (other.person,) if other.person else ())
