"""What registers and ledger say of one person, and what it means; and what may be done about it."""

from __future__ import annotations

import pytest

from tongban_sandbox.reconcile.judge import IN_ORDER, Evidence, Verdict, judge
from tongban_sandbox.reconcile.repairs import repairs, where
from tongban_shared.commitment_wire import Line, Row

A, B, C = "32", "44", "51"
DIGEST = "d" * 32
CASE, EARLIER = "440120260101000000010", "320120250101000000010"
LINES = (Line(DIGEST, 0, A, ""), Line(DIGEST, 1, B, CASE))


def row(state: str, epoch: int, to: str | None = None, step: str | None = None) -> Row:
    """One register's row; with a step, the case that moves it."""
    return Row(DIGEST, epoch, state, to, CASE if step else None, step)


def evidence(newest: tuple[int, str] | None, *silent: str, **rows: Row) -> Evidence:
    """What is known: rows by province, each named p and its code."""
    by_province = {name.removeprefix("p"): there for name, there in rows.items()}
    return Evidence(DIGEST, newest, LINES if newest else (), by_province, frozenset(silent))


MOVED = (1, B)
CASES: list[tuple[Evidence, Verdict]] = [
    # at home
    (evidence((0, A), p32=row("HELD", 0)), Verdict.HOME),
    (
        evidence((0, A), p32=row("FROZEN", 0, B, "FROZEN"), p44=row("PREPARED", 1, A, "PREPARED")),
        Verdict.HOME,
    ),
    (evidence((0, A), p32=row("FROZEN", 0, B, "RELEASING"), p44=row("PREPARED", 1)), Verdict.HOME),
    (evidence((0, A), p32=row("CANCELLED_DEATH", 0)), Verdict.HOME),
    (evidence(MOVED, p32=row("CONFIRMED", 0, B), p44=row("HELD", 1)), Verdict.HOME),
    (evidence(MOVED, p32=row("RELEASED", 0, B, "RELEASED"), p44=row("HELD", 1)), Verdict.HOME),
    (evidence(MOVED, p32=row("RELEASED", 0, B, "RELEASED"), p44=row("FROZEN", 1, C, "FROZEN")), Verdict.HOME),
    # between the ledger's entry and the settlement
    (
        evidence(MOVED, p32=row("FROZEN", 0, B, "RELEASING"), p44=row("PREPARED", 1, A, "PREPARED")),
        Verdict.IN_TRANSFER,
    ),
    (
        evidence(MOVED, p32=row("RELEASED", 0, B, "RELEASED"), p44=row("PREPARED", 1, A, "PREPARED")),
        Verdict.IN_TRANSFER,
    ),
    # put back, and fetching the record (G1)
    (
        evidence(MOVED, p32=row("CONFIRMED", 0, B), p44=row("ABSENT", -1, None, "RESTORING")),
        Verdict.FETCHED_BACK,
    ),
    (
        evidence(MOVED, p32=row("RELEASED", 0, B), p44=row("PREPARED", 1, A, "VERIFYING")),
        Verdict.FETCHED_BACK,
    ),
    # nobody anywhere
    (evidence(None), Verdict.NOBODY),
    # somebody concerned says nothing
    (evidence(MOVED, B, p32=row("RELEASED", 0, B, "RELEASED")), Verdict.SILENT),
    (evidence(MOVED, A, p44=row("PREPARED", 1, A, "PREPARED")), Verdict.SILENT),
    # lost
    (evidence(MOVED, p32=row("CONFIRMED", 0, B)), Verdict.LOST),
    (evidence(MOVED, p32=row("RELEASED", 0, B, "RELEASED")), Verdict.LOST),
    (evidence(MOVED, p32=row("CONFIRMED", 0, B), p44=row("PREPARED", 1, A, "PREPARED")), Verdict.LOST),
    (evidence(MOVED, p32=row("RELEASED", 0, C, "RELEASED"), p44=row("PREPARED", 1)), Verdict.LOST),
    (evidence((0, A)), Verdict.LOST),
    (evidence((2, A), p32=row("CONFIRMED", 0, B), p44=row("CONFIRMED", 1, A)), Verdict.LOST),
    # doubled, also while others are silent
    (evidence(MOVED, p32=row("HELD", 0), p44=row("HELD", 1)), Verdict.DOUBLED),
    (evidence(MOVED, p32=row("FROZEN", 0, B, "RELEASING"), p44=row("HELD", 1)), Verdict.DOUBLED),
    (evidence((0, A), p32=row("HELD", 0), p44=row("HELD", 0)), Verdict.DOUBLED),
    (evidence(MOVED, A, p51=row("HELD", 1), p44=row("HELD", 1)), Verdict.DOUBLED),
    (evidence(MOVED, p32=row("HELD", 0), p51=row("HELD", 2)), Verdict.DOUBLED),
    # one home, and another than the ledger's
    (evidence(MOVED, p32=row("HELD", 0)), Verdict.ELSEWHERE),
    (evidence(MOVED, p32=row("FROZEN", 0, B, "FROZEN"), p44=row("PREPARED", 1)), Verdict.ELSEWHERE),
    (evidence(MOVED, p44=row("HELD", 0)), Verdict.ELSEWHERE),
    (evidence((0, A), p44=row("HELD", 1)), Verdict.ELSEWHERE),
    # the ledger does not know them
    (evidence(None, p32=row("HELD", 0)), Verdict.UNENTERED),
    (evidence(None, p32=row("RELEASED", 3, B), p44=row("HELD", 4)), Verdict.UNENTERED),
]


@pytest.mark.parametrize(("known", "verdict"), CASES)
def test_what_is_known_of_a_person_means(known: Evidence, verdict: Verdict) -> None:
    """Each combination of rows and ledger has one meaning; whatever is a fault has a repair."""
    assert judge(known) is verdict
    if verdict not in IN_ORDER and verdict is not Verdict.SILENT:
        assert repairs(verdict, known)


def steps(known: Evidence) -> str:
    """What is to be done, as one text."""
    return "\n".join(repairs(judge(known), known))


def test_who_lost_a_record_recalls_it() -> None:
    """The ledger's holder goes through its gate, which asks the origin of the case."""
    text = steps(evidence(MOVED, p32=row("CONFIRMED", 0, B)))
    assert f"Restart {B}" in text
    assert f"recalls the record of case {CASE} from {A}" in text


def test_a_first_registration_comes_from_a_copy_or_from_paper() -> None:
    """At epoch 0 no other province has the record."""
    text = steps(evidence((0, A)))
    assert f"put back the newest copy of {A}'s database" in text
    assert "paper form" in text


def test_a_row_below_the_ledger_s_epoch_is_void() -> None:
    """Its province applies the hand-over that it has forgotten; the ledger's holder stands."""
    text = steps(evidence(MOVED, p32=row("HELD", 0), p44=row("HELD", 1)))
    assert f"its row at epoch 0 is void since case {CASE} gave the person to {B}" in text
    assert f"{B} at epoch 1 stands" in text


def test_a_row_that_no_line_made_is_void() -> None:
    """Nobody holds without a line of the ledger (I3)."""
    text = steps(evidence((0, A), p32=row("HELD", 0), p44=row("HELD", 0)))
    assert f"Pause {B}" in text
    assert "no line of the ledger ever made it holder at epoch 0" in text


def test_a_claim_beyond_the_ledger_points_at_the_ledger() -> None:
    """A ledger that was put back is behind: hand-overs stop until its newest copy is in place."""
    assert "which the ledger has not reached" in steps(evidence((0, A), p44=row("HELD", 1)))
    assert "Stop all hand-overs" in steps(evidence(None, p32=row("RELEASED", 3, B), p44=row("HELD", 4)))


def test_each_register_s_word_is_shown() -> None:
    """Rows, missing rows and silence, each by province."""
    known = evidence(MOVED, C, p32=row("RELEASED", 0, B, "RELEASED"))
    assert where(known) == [
        f"{A}: RELEASED at epoch 0 to {B}, case {CASE}",
        f"{B}: no row",
        f"{C}: does not answer",
    ]
