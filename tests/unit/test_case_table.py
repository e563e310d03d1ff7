"""The checks that run when a case type is loaded: a bad table does not start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tongban_shared.cases import newborn
from tongban_shared.cases.kind import Side, Step, Waits, check_table, index_steps
from tongban_shared.cases.migration import LATE, MIGRATION, STEPS, TERMINAL
from tongban_shared.cases.migration_data import S
from tongban_shared.cases.newborn_data import N
from tongban_shared.errors import CaseTableError

DAY = timedelta(days=1)


def with_step(step: Step) -> list[Step]:
    """The migration's table with one more line."""
    return [*STEPS, step]


def changed(message: str, side: Side, **changes: object) -> list[Step]:
    """The migration's table with the lines of one message on one side changed."""
    return [
        replace(step, **changes) if (step.message, step.side) == (message, side) else step  # type: ignore[arg-type]
        for step in STEPS
    ]


def line(side: Side, state: str, message: str, **columns: object) -> Step:
    """One line, harmless but for what is given."""
    plain = {"verdict": "planted", "writes": None, "sends": None, "next": state}
    rest = {"waits": Waits.ORIGIN, "limit": DAY, "source": "test"}
    return Step(side=side, state=state, message=message, **{**plain, **rest, **columns})  # type: ignore[arg-type]


def test_the_table_of_the_migration_is_good() -> None:
    """What is in service passes its own checks."""
    check_table(STEPS, TERMINAL)


BAD = {
    "the destination releases": with_step(
        line(Side.DESTINATION, S.PREPARED, "acceptance", writes="release", sends="certificate")
    ),
    "a release without the ledger": with_step(
        line(Side.ORIGIN, S.FROZEN, "acceptance", writes="release", sends="certificate", next=S.RELEASED)
    ),
    "a release without a certificate": changed("appended", Side.ORIGIN, sends=None),
    "nobody ever releases": [step for step in STEPS if step.writes != "release"],
    "a timer drops what was accepted": with_step(
        line(Side.DESTINATION, S.PREPARED, "limit", writes="drop", next=S.EXPIRED, limit=None)
    ),
    "a withdrawal drops what was accepted": with_step(
        line(Side.DESTINATION, S.PREPARED, "withdraw", writes="drop", next=S.WITHDRAWN, limit=None)
    ),
    "held without a certificate": with_step(
        line(Side.DESTINATION, S.PERMITTED, "offer", writes="hold", next=S.COMPLETED, limit=None)
    ),
    "an open state without a limit": changed("permit", Side.ORIGIN, limit=None),
    "an ended state with a limit": changed("settled", Side.ORIGIN, limit=DAY),
    "a limit that nothing follows": [
        step for step in STEPS if not (step.message == "limit" and step.state == S.PREPARED)
    ],
    "a state that nobody limits": with_step(line(Side.ORIGIN, S.OPEN, "permit", next="LIMBO")),
}


@pytest.mark.parametrize("steps", BAD.values(), ids=BAD.keys())
def test_a_bad_table_is_refused(steps: list[Step]) -> None:
    """A table that could lose or double a person, or let somebody wait for ever, raises CaseTableError."""
    with pytest.raises(CaseTableError):
        check_table(steps, TERMINAL)


def test_a_first_holder_is_made_by_the_ledger_s_word_alone() -> None:
    """A newborn is written on `entered`, and on nothing else."""
    early = line(Side.ORIGIN, N.CLAIMING, "claimed", writes="enter")
    check_table(newborn.STEPS, newborn.NEWBORN.terminal)
    with pytest.raises(CaseTableError):
        check_table([*newborn.STEPS, early], newborn.NEWBORN.terminal)


def test_two_lines_for_one_event_are_refused() -> None:
    """A table that answers one event twice is no table."""
    with pytest.raises(CaseTableError):
        index_steps([*STEPS, STEPS[0]])


def test_every_column_is_known() -> None:
    """Every message sent can be composed, every verb exists, every state has a public word."""
    from tongban_registry.register import VERBS  # noqa: PLC0415

    assert {step.sends for step in STEPS if step.sends} <= set(MIGRATION.composes)
    assert {step.writes for step in STEPS if step.writes} <= set(VERBS)
    assert {str(step.next) for step in STEPS} <= set(MIGRATION.public)


def test_every_line_has_its_source() -> None:
    """Each line cites a rule."""
    assert all(step.source for step in STEPS)


def test_late_is_never_also_a_line() -> None:
    """What is overtaken by events in a state has no line there that would take it."""
    lines = {(step.side, state, step.message) for step in STEPS for state in step.states()}
    assert not lines & LATE


def test_every_state_can_be_reached_and_left() -> None:
    """From NEW every state of a side is reached; every open one leads to an end."""
    for side in Side:
        edges = {(state, str(s.next)) for s in STEPS if s.side is side for state in s.states()}
        reached = _closure({"NEW"}, edges)
        named = {state for edge in edges for state in edge}
        assert reached == named
        back = {(end, start) for start, end in edges}
        assert _closure({str(end) for end in TERMINAL} & named, back) == named


def _closure(start: set[str], edges: set[tuple[str, str]]) -> set[str]:
    found = set(start)
    while more := {end for begin, end in edges if begin in found} - found:
        found |= more
    return found
