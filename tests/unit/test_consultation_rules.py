"""A consultation's table: every message in every state, in whatever order, whoever has forgotten what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from tongban_shared.cases.common import Application, Decision
from tongban_shared.cases.consultation import CONSULTATION, STEPS
from tongban_shared.cases.consultation_data import C, ConsultationData, Screen
from tongban_shared.cases.consultation_rules import OUTCOMES, next_day
from tongban_shared.cases.kind import LIMIT, NEW, Case, Event, Side, Waits
from tongban_shared.decide import Fate, Outcome, decide
from tongban_shared.ids import CaseId
from tongban_shared.messages import consultation as m
from tongban_shared.provinces import WorkingCalendar, load_provinces
from tongban_shared.registration import Surroundings

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # a Monday
HOME, WINDOW, OTHER = "32", "33", "44"
NUMBER, ABOUT = CaseId("33022026030200000001R"), CaseId("33022026030200000002Q")
SCREEN = Screen(item="0204", state="REVIEWING", handed_in=("ID_CARD",))
CALENDARS: Mapping[str, WorkingCalendar] = {
    str(code): profile.calendar for code, profile in load_provinces().items()
}
TOMORROW = next_day(AT, [CALENDARS[HOME]])
LATER = next_day(TOMORROW, [CALENDARS[HOME]])
TOLD: Mapping[str, Any] = {
    "about": ABOUT,
    "outcome": "NEED_MATERIAL",
    "answered_by": f"{HOME}0000000000",
    "officer": "expert-1",
    "answered_at": AT,
}
FROM_WINDOW, FROM_EXPERT = ("asked", "closed", "withdrawal"), ("answered", "ended")
MESSAGES = (*FROM_WINDOW, *FROM_EXPERT)


def around(province: str) -> Surroundings:
    """A registry with nobody in it."""
    return Surroundings(
        province=province,
        org=f"{province}0000000000",
        contact="示例",
        now=AT,
        permit_valid_days=40,
        correction_days=30,
        people={},
        members={},
        calendars=CALENDARS,
    )


def case(side: Side, state: str, expert: str = HOME) -> Case:
    """A session of a window in WINDOW."""
    answered = state in {C.ANSWERED, C.COMPLETED}
    over = state in CONSULTATION.terminal
    data = ConsultationData(
        about=ABOUT,
        accepting_org=f"{WINDOW}0000000000",
        answering_org=f"{expert}0000000000",
        screen=None if over else SCREEN,
        question="" if over else "示例问题",
        advice="示例意见" if state == C.ANSWERED else "",
        outcome="CAN_ACCEPT" if answered else "",
        officer="expert-1" if answered else None,
        answered_at=AT if answered else None,
        appointment=TOMORROW if state == C.APPOINTED else None,
    )
    return Case(NUMBER, "consultation", side, state, 1, "0701", expert, WINDOW, (), data, AT)


def body_of(message: str, appointment: datetime | None = None, outcome: str = "approve") -> object:
    """A body for each message and command of the table."""
    sealed = {"digest": "0" * 64, "sealed": ""}
    screen = {"item": "0204", "state": "REVIEWING", "handed_in": ("ID_CARD",), "missing": ()}
    asked = {"about": ABOUT, "asked_by": f"{WINDOW}0000000000", "appointment": appointment}
    return {
        "apply": Application(case(Side.DESTINATION, NEW).data, HOME, "0701"),
        "decision": Decision(outcome, note="示例意见"),
        "asked": m.ConsultationAsked(**asked, **screen, **sealed),  # type: ignore[arg-type]
        "answered": m.ConsultationAnswered(**TOLD, materials=("PHOTO",), **sealed),  # type: ignore[arg-type]
        "closed": m.ConsultationClosed(**TOLD),
        "withdrawal": m.ConsultationWithdrawal(about=ABOUT),
        "ended": m.ConsultationEnded(about=ABOUT),
    }.get(message)


def put(known: Case | None, message: str, side: Side, **more: Any) -> Outcome | None:  # noqa: ANN401
    """One event, at the registry of that side."""
    sender = None if message not in MESSAGES else (HOME if side is Side.DESTINATION else WINDOW)
    body = body_of(message, more.get("appointment"), more.get("outcome", "approve"))
    event = Event(
        message, NUMBER, AT, 7, body=body, sender=sender, officer="expert-1", bundle="示例".encode()
    )
    return decide(known, event, CONSULTATION, around(WINDOW if side is Side.DESTINATION else HOME))


def test_every_event_in_every_state_has_an_answer_and_an_owner() -> None:
    """Taken, late or refused, never a crash; what stays open names whose move it is; each line is used."""
    seen = set()
    messages = {step.message for step in STEPS}
    for side, state, message, expert, agreed in product(
        Side, (NEW, *C), sorted(messages), (HOME, WINDOW), (None, TOMORROW, LATER)
    ):
        known = case(side, str(state), expert if side is Side.DESTINATION else HOME)
        told = put(known, message, side, appointment=agreed)
        if told is None or told.fate is not Fate.TAKEN:
            continue
        seen.add((side, str(state), message))
        ended = told.case.state in CONSULTATION.terminal
        assert ended == (told.case.waits is Waits.NOBODY) == (told.case.due_at is None)
        assert not ended or (told.case.data.question, told.case.data.advice) == ("", "")
    assert seen == {(step.side, str(state), step.message) for step in STEPS for state in step.states()}


@pytest.mark.parametrize("side", Side)
def test_no_message_of_the_other_side_waits_or_is_refused(side: Side) -> None:
    """Whatever was put back, lost, doubled or crossed: there is a line for it, or it is late."""
    came = FROM_EXPERT if side is Side.DESTINATION else FROM_WINDOW
    for state, message, agreed in product(C, came, (None, TOMORROW)):
        if (state == C.ASKED and side is Side.ORIGIN) or (state == C.OPEN and side is Side.DESTINATION):
            continue  # the window's alone; and of a session within one registry no message ever comes
        told = put(case(side, str(state)), message, side, appointment=agreed)
        assert told is not None
        assert told.fate in {Fate.TAKEN, Fate.LATE}, (state, message)


def test_every_message_alone_makes_its_session_known_again() -> None:
    """Either side may have been put back to before all of it (G1)."""
    for side, came in ((Side.DESTINATION, FROM_EXPERT), (Side.ORIGIN, FROM_WINDOW)):
        for message in came:
            told = put(None, message, side)
            assert told is not None
            assert (told.fate, told.case.data.about) == (Fate.TAKEN, ABOUT)


@pytest.mark.parametrize("first", [None, TOMORROW, LATER])
@pytest.mark.parametrize("second", [None, TOMORROW, LATER])
def test_of_two_questions_the_later_appointment_counts(
    first: datetime | None, second: datetime | None
) -> None:
    """In either order; an earlier one that comes late changes nothing."""
    told = put(None, "asked", Side.ORIGIN, appointment=first)
    assert told is not None
    then = put(told.case, "asked", Side.ORIGIN, appointment=second)
    assert then is not None
    wanted = [one for one in (first, second) if one is not None]
    agreed = max(wanted) if wanted else None
    assert then.case.data.appointment == agreed
    assert then.case.state == (C.APPOINTED if wanted else C.OPEN)


@pytest.mark.parametrize(("told", "outcome"), OUTCOMES.items())
def test_an_expert_says_one_of_four_things(told: str, outcome: str) -> None:
    """Each ends the waiting, and is logged in the case that was asked about as a code."""
    answered = put(case(Side.ORIGIN, C.OPEN), "decision", Side.ORIGIN, outcome=told)
    assert answered is not None
    assert (answered.case.state, answered.case.data.outcome) == (C.ANSWERED, outcome)
    event = Event("decision", NUMBER, AT, 7)
    assert CONSULTATION.logs(answered.case, event) == f"consultation.{outcome.lower()}"


def test_five_minutes_and_then_an_appointment() -> None:
    """The window waits five minutes; then it is tomorrow by close of office, and the expert is told."""
    asked = put(None, "apply", Side.DESTINATION)
    assert asked is not None
    assert asked.case.due_at == AT + timedelta(minutes=5)
    told = put(asked.case, LIMIT, Side.DESTINATION)
    assert told is not None
    assert told.draft is not None
    assert isinstance(told.draft.body, m.ConsultationAsked)
    assert told.draft.body.appointment == told.case.due_at == TOMORROW


def test_an_appointment_is_on_a_day_when_both_provinces_work() -> None:
    """A holiday of the expert's province, or of the window's, is none; nor is a weekend of the country."""
    friday = datetime(2026, 3, 6, 1, 0, tzinfo=UTC)
    plain = CALENDARS[HOME]
    monday = next_day(friday, [plain])
    assert monday.astimezone(UTC).isoformat() == "2026-03-09T09:30:00+00:00"
    own = type(plain)(
        plain.time_zone, plain.office_opens, plain.office_closes, frozenset({monday.date()}), frozenset()
    )
    for calendars in ([plain, own], [own, plain]):
        assert next_day(friday, calendars) == monday + timedelta(days=1)


def test_what_was_read_holds_on_both_sides() -> None:
    """An expert's side that was put back learns from the window which advice it read."""
    told = put(case(Side.ORIGIN, C.OPEN), "closed", Side.ORIGIN)
    assert told is not None
    assert (told.case.state, told.case.data.outcome) == (C.COMPLETED, "NEED_MATERIAL")


def test_nobody_but_the_expert_s_registry_answers() -> None:
    """The window's officers can't advise themselves while another province is asked."""
    told = put(case(Side.DESTINATION, C.APPOINTED), "decision", Side.DESTINATION)
    assert told is not None
    assert (told.fate, told.code) == (Fate.REFUSED, "STEP_NOT_ALLOWED")


def test_words_show_in_no_repr() -> None:
    """Neither of the record nor of an answer."""
    known = case(Side.ORIGIN, C.ANSWERED)
    shown = f"{known.data!r} {known!r} {Decision('approve', note='示例意见')!r}"
    assert "示例" not in shown
    assert "示例" in replace(known.data).question
