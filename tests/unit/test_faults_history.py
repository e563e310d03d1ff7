"""The checker of histories finds each lie that is planted, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tongban_sandbox.faults import history
from tongban_sandbox.faults.history import (
    Answer,
    Home,
    Request,
    homes_due,
    wrong_answers,
    wrong_homes,
    wrong_requests,
)

NORTH, SOUTH, WEST = "61", "62", "63"
COMPLETED = "COMPLETED"


def kinds(answers: Sequence[Answer]) -> list[str]:
    """What is wrong with these answers."""
    return [wrong.kind for wrong in wrong_answers(answers)]


def request(case_id: str, destination: str = SOUTH, ended: str | None = COMPLETED) -> Request:
    """One acknowledged application of person 1."""
    return Request(case_id, [1], NORTH, destination, 0.0, 0.0, ended)


def test_a_move_seen_from_outside_is_no_fault() -> None:
    """Epochs that grow, each with its province, are a possible history."""
    answers = [Answer(1, 0, 1, NORTH, 0), Answer(1, 2, 3, SOUTH, 1), Answer(1, 4, 5, NORTH, 2)]
    assert kinds(answers) == []


def test_two_provinces_at_one_epoch_are_found() -> None:
    """However far apart they were said, and whoever asked."""
    assert kinds([Answer(1, 0, 1, NORTH, 3), Answer(1, 90, 91, SOUTH, 3)]) == [history.TWO_PROVINCES]


def test_an_epoch_going_back_is_found() -> None:
    """An answer that began after a higher epoch had been told."""
    assert kinds([Answer(1, 0, 1, SOUTH, 1), Answer(1, 2, 3, NORTH, 0)]) == [history.EPOCH_BACK]


def test_answers_under_way_together_may_come_in_any_order() -> None:
    """The lower epoch may have been true before the higher one: neither had ended when the other began."""
    assert kinds([Answer(1, 0, 5, SOUTH, 1), Answer(1, 4, 6, NORTH, 0)]) == []


def test_an_epoch_going_back_is_found_across_a_long_answer() -> None:
    """A slow answer in between hides nothing."""
    answers = [Answer(1, 0, 9, NORTH, 0), Answer(1, 1, 2, SOUTH, 1), Answer(1, 3, 4, NORTH, 0)]
    assert kinds(answers) == [history.EPOCH_BACK]


def test_other_people_are_no_contradiction() -> None:
    """Each person has a history of their own."""
    assert kinds([Answer(1, 0, 1, NORTH, 1), Answer(2, 2, 3, SOUTH, 0)]) == []


def test_none_for_a_registered_person_is_found() -> None:
    """One "none" is one too many."""
    assert kinds([Answer(1, 0, 1, NORTH, 0), Answer(1, 2, 3, None)]) == [history.NOBODY]


@pytest.mark.parametrize("seed", range(20))
def test_one_lie_among_ten_thousand_answers_is_found(seed: int) -> None:
    """A true history of many people and moves has no fault; with one answer of an old epoch it has."""
    random = Random(seed)
    places = (NORTH, SOUTH, WEST)
    answers = []
    for person in range(100):
        for moment in range(100):
            begin = moment + random.random() / 2
            answers.append(Answer(person, begin, begin + 0.4, places[moment // 20 % 3], moment // 20))
    random.shuffle(answers)
    assert kinds(answers) == []
    answers.insert(random.randrange(len(answers)), Answer(7, 95.0, 95.1, places[3 % 3], 3))
    assert set(kinds(answers)) == {history.EPOCH_BACK}


def test_an_acknowledged_request_that_is_gone_is_found() -> None:
    """So is one that the registers have and nobody asked for, and one whose end has changed."""
    acknowledged = {case_id: request(case_id) for case_id in ("a", "b", "c")}
    known = {"b": COMPLETED, "c": "VOIDED", "d": COMPLETED}
    wrong = {found.kind: found.text for found in wrong_requests(acknowledged, known)}
    assert wrong == {history.GONE: "a", history.UNASKED: "d", history.CHANGED: "c: COMPLETED, now VOIDED"}


def test_an_open_request_may_end_in_any_way() -> None:
    """What was acknowledged and has shown no end yet is only not lost."""
    assert wrong_requests({"a": request("a", ended=None)}, {"a": COMPLETED}) == []


def test_homes_follow_the_completed_cases() -> None:
    """Each completed case is one move and one epoch; a refused one is none."""
    cases = [request("a"), request("b", WEST, "REFUSED"), request("c", NORTH)]
    due = homes_due({1: NORTH, 2: WEST}, cases, COMPLETED)
    assert due == {1: Home(NORTH, 2), 2: Home(WEST, 0)}
    assert wrong_homes(due, due) == []
    found = {1: Home(SOUTH, 1)}
    assert [wrong.kind for wrong in wrong_homes(due, found)] == [history.ELSEWHERE, history.ELSEWHERE]
