"""Commitments (告知承诺) checked later by an officer: a false one is put on its person's record.

What was granted by it is revoked where the case type can (rule CM); else it is recorded, and somebody's task.
Who is on record commits themselves no more in this registry. Source: 国办发〔2020〕42号, domain.md §4.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tongban_registry.storage.rows import to_us
from tongban_shared.cases.home import BROKEN
from tongban_shared.cases.kind import Case, Side
from tongban_shared.decide import Fate
from tongban_shared.working_days import deadline

if TYPE_CHECKING:
    from tongban_registry.commands import Command
    from tongban_registry.unit import Unit

GRANTED = "COMPLETED"
# An assumption, as for a call-back.
FOLLOW_UP_WORKING_DAYS = 15


@dataclass(frozen=True, slots=True)
class Check:
    """What an officer found out about a commitment. note: how; of no resident by name."""

    holds: bool
    note: str = field(repr=False)


def on_record(unit: Unit, command: Command) -> bool:
    """Whether somebody who commits themselves now did so falsely before."""
    data = command.body.data
    false = {person for person, _ in unit.false_commitments}
    return data.commitment is not None and data.persons[0].person in false


def why_not(unit: Unit, case: Case) -> str | None:
    """Why this case's commitment is not to be checked; None: it is."""
    if case.side is not Side.DESTINATION:
        return "WRONG_PROVINCE"
    if case.data.commitment is None:
        return "NO_COMMITMENT"
    if case.closed_at is None:
        return "CASE_OPEN"
    return "COMMITMENT_CHECKED" if (case.persons[0], case.id) in unit.false_commitments else None


def take_check(unit: Unit, case: Case, command: Command) -> Case:
    """The case after the check; a false commitment is on record with what is to be done about it."""
    check: Check = command.body
    officer = command.officer or "officer"
    if check.holds:
        unit.remark(case, "commitment_holds", officer)
        return case
    granted, due_at = case.state == GRANTED, None
    revoked = _revoked(unit, case, officer) if granted else None
    if revoked is None:
        unit.remark(case, BROKEN, officer)
        if granted:
            days = deadline(unit.now, FOLLOW_UP_WORKING_DAYS, unit.office.profile.calendar)
            due_at = to_us(days)
    found = (case.id, case.persons[0], to_us(unit.now), officer, check.note)
    unit.put_false_commitment((*found, due_at, None, None, None))
    return revoked or case


def _revoked(unit: Unit, case: Case, officer: str) -> Case | None:
    """The case with what was granted taken back; None: its type has no way back."""
    outcome = unit.decide(unit.event(BROKEN, case.id, officer=officer), case.kind)
    return outcome.case if outcome is not None and outcome.fate is Fate.TAKEN else None
