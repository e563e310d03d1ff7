"""What a unit of work reads beside the cases: by the names of the messages and commands that need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tongban_shared.cases.kinds import KINDS

if TYPE_CHECKING:
    from tongban_registry.arrivals import Batch
    from tongban_registry.commands import Command
    from tongban_registry.loaded import Loaded

READS_PERSONS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.persons)
READS_MEMBERS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.members)
READS_PROOFS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.proofs)
READS_PAPERS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.papers)
READS_UNDER_WAY = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.under_way)
READS_RECORDS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.records)

READS_TRANSFERS = frozenset(f"{kind.name}.{name}" for kind in KINDS.values() for name in kind.reads.transfers)


def befallen(batch: Batch, commands: Sequence[Command], loaded: Loaded) -> set[str]:
    """Persons whom a command at the door, or a case that may end a registration, is about."""
    at_the_door = {person for c in commands if c.name == "register" for person in c.persons}
    return at_the_door | persons_for(READS_TRANSFERS, batch, commands, loaded)


def persons_for(names: frozenset[str], batch: Batch, commands: Sequence[Command], loaded: Loaded) -> set[str]:
    """Persons of the messages and commands with these names, and of all whose case was held up."""
    known = ((command, loaded.cases.get(command.case_id or "")) for command in commands)
    deciding = {case.id for command, case in known if case and f"{case.kind}.{command.name}" in names}
    held_up = {row.case_id for row in loaded.parked}
    applied = {p for c in commands if f"{c.kind}.{c.name}" in names for p in c.persons}
    return batch.persons_of(names) | loaded.persons_of(batch.cases_of(names) | deciding | held_up) | applied
