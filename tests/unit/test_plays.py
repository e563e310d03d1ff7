"""What people of the sandbox do with a case, as its registries show it."""

from __future__ import annotations

from typing import Any

import pytest

from tongban_sandbox.plays import PLAYS, Deed, Life, deed_at_home, deed_at_window
from tongban_sandbox.shape import MONTHS
from tongban_sandbox.volumes import CASES_PER_YEAR
from tongban_shared.cases.kinds import KINDS

HOME = "43"


def shown(case_type: str, state: str, owner: str = "officer", internal: str = "") -> dict[str, Any]:
    """A case's view, as far as it is looked at."""
    return {
        "case_type": case_type,
        "state": state,
        "waiting_for": {"owner": owner, "province": HOME},
        "missing_materials": ["BOOKLET"],
        "timeline": [{"state": internal}],
    }


@pytest.mark.parametrize(
    ("case_type", "internal", "step"),
    [
        ("id_card", "IN_PRODUCTION", "made"),
        ("id_card", "AT_COUNTER", "handed_over"),
        ("temporary_id", "AUTHORISED", "printed"),
    ],
)
def test_a_window_reports_what_it_has_done(case_type: str, internal: str, step: str) -> None:
    """Whoever is said to wait: the card is there."""
    case = shown(case_type, "ACCEPTED", "applicant", internal)
    assert deed_at_window(Life("c"), case) == Deed("progress", {"step": step})


def test_every_report_is_one_of_its_case_type() -> None:
    """A misspelt one would be refused at the door for ever."""
    for case_type, play in PLAYS.items():
        assert set(play.reports.values()) <= KINDS[case_type].reports


def test_what_is_played_has_a_share_of_the_year() -> None:
    """And every type with months of its own is played."""
    assert MONTHS.keys() <= set(PLAYS) <= CASES_PER_YEAR.keys()


def test_while_others_have_the_case_nothing_is_done() -> None:
    """At the window while the home registry has it; at home while the window has it."""
    case = shown("certificate", "REVIEWING", "origin")
    assert deed_at_window(Life("c"), case) is None
    assert deed_at_home(Life("c"), shown("id_card", "ACCEPTED", "destination"), HOME) is None


def test_what_is_missing_is_handed_in() -> None:
    """All of it, of grade A."""
    deed = deed_at_window(Life("c"), shown("id_card", "CORRECTION", "applicant"))
    assert deed == Deed("materials", {"materials": [{"kind": "BOOKLET", "grade": "A"}]})


def test_an_officer_sends_a_case_back_once() -> None:
    """The second time it is decided, so every case ends."""
    life, case = Life("c", "REFUSED", sent_back=True), shown("id_card", "REVIEWING")
    first, second = deed_at_home(life, case, HOME), deed_at_home(life, case, HOME)
    assert first == Deed("decision", {"outcome": "return", "materials": ["PHOTO"]}, HOME)
    assert second == Deed("decision", {"outcome": "refuse", "reason_code": "NOT_ELIGIBLE"}, HOME)


def test_a_withdrawal_is_handed_in_where_it_was_accepted() -> None:
    """Also when the home registry's officer has the case."""
    assert deed_at_home(Life("c", "WITHDRAWN"), shown("certificate", "REVIEWING"), HOME) == Deed("withdrawal")


def test_moves_are_decided_where_they_are_accepted() -> None:
    """And never sent back by a home registry."""
    deed = deed_at_window(Life("c", sent_back=True), shown("migration", "REVIEWING"))
    assert deed == Deed("decision", {"outcome": "approve"})
