"""The parts of `tongban faults` that need no server: the watch, the table, the command's options."""

from __future__ import annotations

from collections import Counter

import pytest
import typer
from typer.testing import CliRunner

from tongban_sandbox.faults.campaign import Row
from tongban_sandbox.faults.command import faults
from tongban_sandbox.faults.crowd import Crowd
from tongban_sandbox.faults.figures import quantile, seconds
from tongban_sandbox.faults.history import Answer, Request, Wrong
from tongban_sandbox.faults.table import FAULTS
from tongban_sandbox.faults.verdict import Found
from tongban_sandbox.faults.watch import Watch
from tongban_sandbox.state import Plan
from tongban_shared.fault_points import POINTS
from tongban_shared.ids import Province

HERE, THERE, ELSEWHERE = Province("32"), Province("43"), Province("44")


def answer(begin_s: float, province: str = HERE, source: str = "registry") -> Answer:
    """An answer that took a tenth of a second."""
    return Answer(1, begin_s, begin_s + 0.1, province, 0, source)


def ended(asked_s: float, destination: str = THERE) -> Request:
    """A case that ended a second after it was handed in."""
    return Request("c", [1], HERE, destination, asked_s, asked_s, "COMPLETED", asked_s + 1.0)


async def test_well_is_the_first_answer_and_the_first_new_case_that_count() -> None:
    """What began before the end of the fault does not count, nor what others answered or concerns others."""
    watch = Watch(frozenset({HERE}), gateway=1, since_s=10.0)
    watch.answer(answer(9.9), 1)
    watch.answer(answer(11.0), 0)
    watch.answer(answer(11.0, source="ledger"), 1)
    watch.answer(answer(11.0, THERE), 1)
    watch.answer(answer(12.0), 1)
    watch.answer(answer(20.0), 1)
    watch.completed(ended(9.5), HERE, 1)
    watch.completed(ended(12.0, ELSEWHERE), THERE, 1)
    watch.completed(ended(12.0), HERE, 0)
    watch.completed(ended(13.0), HERE, 1)
    assert (watch.answered_s, watch.completed_s) == (12.1, 14.0)
    assert await watch.well(1.0) == 4.0


def test_p99_of_few_values_is_the_worst() -> None:
    """By the nearest rank, of a hundred the last but one; nothing is interpolated below what was seen."""
    values = [0.1 * n for n in range(1, 11)]
    assert (seconds(values, 50), seconds(values, 99), seconds([], 99)) == ("0.5 s", "1.0 s", "")
    assert quantile([0.0] * 99 + [9.0], 99) == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        Found(persons_lost=1),
        Found(persons_doubled=1),
        Found(wrong=[Wrong("none", "")]),
        Found(faults=["a case is open"]),
    ],
)
def test_a_row_is_good_only_without_any_fault(bad: Found) -> None:
    """One of anything, a note, or one recovery beyond the bound spoils it."""
    row = Row(FAULTS[0], bound_s=5.0, took_s=[4.9], found=Found())
    assert row.good
    assert not Row(FAULTS[0], bound_s=5.0, took_s=[4.9], found=bad).good
    assert not Row(FAULTS[0], bound_s=5.0, took_s=[4.9, 5.1], found=Found()).good
    assert not Row(FAULTS[0], bound_s=5.0, took_s=[4.9], notes=["not well"], found=Found()).good


def test_every_fault_point_is_struck() -> None:
    """The table has each point of the product, and each fault once."""
    names = Counter(fault.name for fault in FAULTS)
    assert [name for name, count in names.items() if count > 1] == []
    assert set(POINTS) - set(names) == set()


def test_nobody_has_two_cases_at_once() -> None:
    """Who is drawn is free, moves elsewhere, and touches the provinces that are asked for."""
    crowd = Crowd((HERE, THERE, ELSEWHERE), Plan(scale=400_000))
    seen: set[int] = set()
    while (drawn := crowd.movers(frozenset({HERE}), frozenset({ELSEWHERE}))) is not None:
        party, destination = drawn
        assert not seen & set(party.persons)
        assert party.home != destination != ELSEWHERE
        seen.update(party.persons)
        party.busy = True
    assert len(seen) > len(crowd.first_homes) // 2


def test_unknown_faults_are_named() -> None:
    """A misspelt name is an error, not a run without faults; --list names them all."""
    app = typer.Typer()
    app.command()(faults)
    wrong = CliRunner().invoke(app, ["--only", "kil-registry"])
    assert (wrong.exit_code, "kil-registry" in wrong.output) == (2, True)
    listed = CliRunner().invoke(app, ["--list"]).output
    assert [fault.name for fault in FAULTS if fault.name not in listed] == []
