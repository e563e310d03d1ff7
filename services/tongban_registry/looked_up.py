"""Documents that were looked up instead of handed in (免提交), within the unit of work that relies on them.

The door looked before the unit began; what was taken back since is found here. Source: rule LW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tongban_registry.storage.rows import to_us
from tongban_shared.cases.common import TRUSTED_GRADE, MaterialIn, Supplied

if TYPE_CHECKING:
    from tongban_registry.commands import Command
    from tongban_registry.loaded import Loaded
    from tongban_registry.unit import Unit
    from tongban_shared.cases.kind import Case


def looked_up(command: Command) -> Sequence[MaterialIn]:
    """What this command brings that was looked up."""
    if command.name == "apply":
        brought = command.body.data.materials
    else:
        brought = command.body.materials if isinstance(command.body, Supplied) else ()
    return [material for material in brought if material.waived_by_licence is not None]


def holders(loaded: Loaded, commands: Sequence[Command]) -> set[str]:
    """Whose documents these commands rely on."""
    relying = [command for command in commands if looked_up(command)]
    known = (loaded.cases.get(command.case_id or "") for command in relying)
    theirs = [*(command.persons for command in relying), *(case.persons for case in known if case)]
    return {persons[0] for persons in theirs if persons}


def taken_back(unit: Unit, persons: Sequence[str], command: Command) -> bool:
    """Whether a document that this registry issued, and so vouches for, holds no more.

    persons: of the case, the applicant first; none where a registry that was put back forgot them (G1).
    """
    relied_on = {m.waived_by_licence for m in looked_up(command) if m.grade == TRUSTED_GRADE}
    current = {paper.licence_id for person in persons[:1] for paper in unit.papers_of(person)}
    return not relied_on <= current


def log_look_ups(unit: Unit, case: Case, command: Command) -> None:
    """Who looked at which document of the applicant, for that person's access log."""
    place = (command.officer or "system", "DOCUMENT", case.id)
    for person in case.persons[:1]:
        rows = ((person, *place, m.kind, to_us(unit.now)) for m in looked_up(command))
        unit.changes.accesses.extend(rows)
