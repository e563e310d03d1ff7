"""The protocol with one rule broken, as data: the search must find each. Source: protocol.md §5."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from tongban_registry.register import VERBS
from tongban_registry.writing import Writing
from tongban_sandbox.model.checks import STUCK, TWICE, TWO, ZERO
from tongban_sandbox.model.instances import MOVE, PUT_BACK, RACE
from tongban_sandbox.model.rules import PRODUCT, Rules
from tongban_sandbox.model.state import Instance
from tongban_shared.cases.kind import LIMIT, NEW, OK, Case, CaseKind, Event, Side, Step, Verdict, Waits
from tongban_shared.cases.migration import MIGRATION
from tongban_shared.cases.migration_data import S
from tongban_shared.cases.migration_rules import judge_permit
from tongban_shared.custody import Entry, Hop, Judgement, Place
from tongban_shared.ports import Custody, Verdict as LedgerVerdict
from tongban_shared.registration import Registration, Surroundings


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule, where it is searched, and the promise that must be seen to break."""

    name: str
    rules: Rules
    fault: str
    instance: Instance = MOVE


def _table(side: Side, state: str, message: str, **changes: object) -> CaseKind:
    """The case table with one line changed."""
    key = (side, state, message, OK)
    line: Step = dataclasses.replace(MIGRATION.steps[key], **changes)  # type: ignore[arg-type]  # as given
    return dataclasses.replace(MIGRATION, steps={**MIGRATION.steps, key: line})


def _prepare_and_hold(case: Case, event: Event, around: Surroundings) -> Writing:
    prepared = VERBS["prepare"](case, event, around)
    return Writing(persons=[replace(person, state=Registration.HELD) for person in prepared.persons])


def _permit_always(case: Case, event: Event, around: Surroundings) -> Verdict:
    return judge_permit(case, event, around) if case.state == NEW else Verdict()


def _enter_always(
    hops: Iterable[Hop], _current: Mapping[str, Custody], past: Mapping[Place, Custody]
) -> Judgement:
    judgement = Judgement()
    for hop in hops:
        judgement.verdicts.append(LedgerVerdict.APPENDED)
        for person, epoch in hop.persons:
            known = past.get((person, epoch + 1))
            if known is None or known.certificate_digest != hop.certificate_digest:
                entry = Entry(person, epoch + 1, hop.destination, hop.certificate_digest, hop.case_id)
                judgement.entries.append(entry)
    return judgement


_AT_ONCE: Final[dict[str, object]] = {
    "writes": None,
    "sends": "ledger.append",
    "next": S.RELEASING,
    "waits": Waits.LEDGER,
    "limit": timedelta(hours=1),
}
_FREEZES_TWICE: Final = dataclasses.replace(MIGRATION, judges={**MIGRATION.judges, "permit": _permit_always})

MUTANTS: Final = (
    Mutant(
        "the destination activates before the release",
        dataclasses.replace(PRODUCT, verbs={**VERBS, "prepare": _prepare_and_hold}),
        TWO,
    ),
    Mutant(
        "the origin releases without an acceptance",
        Rules(_table(Side.ORIGIN, S.FROZEN, LIMIT, **_AT_ONCE)),
        ZERO,
    ),
    Mutant(
        "the destination drops on a timer what it accepted",
        Rules(_table(Side.DESTINATION, S.PREPARED, LIMIT, writes="drop", next=S.EXPIRED, limit=None)),
        ZERO,
    ),
    Mutant("a database that is put back passes no gate", Rules(gate=False), TWO, PUT_BACK),
    Mutant("the inbox forgets what it took", Rules(inbox=False), TWICE),
    Mutant("the outbox believes the broker", Rules(retire_on_receipt=False), STUCK),
    Mutant(
        "the ledger compares nothing, and the origin freezes twice",
        Rules(_FREEZES_TWICE, ledger=_enter_always),
        TWO,
        dataclasses.replace(RACE, limits=0),
    ),
)
