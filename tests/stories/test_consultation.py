"""Consultations (远程帮办): a window asks, an expert of the home registry answers, whatever happens."""

from __future__ import annotations

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.guidance import (
    ADVICE,
    EXPERT,
    QUESTION,
    A,
    B,
    advise,
    asking,
    consult,
    kept,
    read,
    under_way,
    words,
)
from tests.stories.stations import NANJING, lives_at, tasks
from tests.stories.windows import ask_for, seen
from tests.stories.world import Country

SOON_H = 0.1


async def later(country: Country, **span: float) -> None:
    """Time passes when everybody has done what there was to do."""
    await country.calm()
    await country.pass_time(**span)


async def ended(country: Country, session: str, state: str = "COMPLETED") -> None:
    """Both sides say the same in the end."""
    await country.until(B, session, state)
    await country.until(A, session, state)


async def test_an_expert_of_another_province_advises_a_window(country: Country) -> None:
    """On the expert's list, answered, read; the case it was about has the outcome in its timeline."""
    person = country.person(A)
    about = await under_way(country, person)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    assert session in await tasks(country, country.sites[A].live.office.org)
    asked = await words(country, A, session)
    assert (asked["about"], asked["question"]) == (about, QUESTION)
    assert asked["screen"]["item"] == "0204"
    assert await advise(country, A, session, outcome="return", materials=["BOOKLET"]) == 202
    view = await seen(country, B, session, "ANSWERED")
    assert (view["outcome"], view["officer"], view["missing_materials"]) == (
        "NEED_MATERIAL",
        EXPERT,
        ["BOOKLET"],
    )
    assert (await words(country, B, session))["advice"] == ADVICE
    await read(country, B, session)
    await ended(country, session)
    for code in (A, B):
        lines = (await country.ask(code, f"/v1/cases/{about}")).json()["timeline"]
        assert [line["event"] for line in lines].count("consultation.need_material") == 1


async def test_the_expert_sees_a_masked_screen(country: Country) -> None:
    """Item, state and kinds of material; nobody's number, name or key, and none in the message either."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    shown = (await country.ask(A, f"/v1/cases/{session}")).text + str(await words(country, A, session))
    sent = country.wire.taken("asked", session).data.decode("utf-8", "replace")
    for text in (*person.identity.values(), person.key):
        assert text not in shown
        assert text not in sent
    assert QUESTION not in sent


async def test_nothing_is_kept_of_what_was_said(country: Country) -> None:
    """Once it is read: who, when and the outcome; no word of question or advice in either database."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")
    await read(country, B, session)
    await ended(country, session)
    for code in (A, B):
        found = await words(country, code, session)
        assert (found["screen"], found["question"], found["advice"]) == (None, None, None)
        assert (found["outcome"], found["officer"]) == ("CAN_ACCEPT", EXPERT)
        text = kept(country, code)
        assert QUESTION not in text
        assert ADVICE not in text


async def test_an_expert_of_the_own_province_advises_a_window(country: Country) -> None:
    """One registry, one session: the home station's officer answers, never the officer who asked."""
    (person,) = lives_at(country, NANJING)
    about = await ask_for(country, "0204", person, A, grade="B")
    assert country.state(A, about) == "CHECKING"
    session = await consult(country, about, person, A)
    assert session in await tasks(country, NANJING)
    assert await advise(country, A, session, officer="window-1") == 409
    assert await advise(country, A, session) == 202
    await read(country, A, session)
    assert (await words(country, A, session))["outcome"] == "CAN_ACCEPT"


async def test_nobody_answers_within_five_minutes(country: Country) -> None:
    """There is an appointment on the next working day, on both sides; the answer is as good then."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    await later(country, hours=SOON_H)
    view = await seen(country, B, session, "APPOINTED")
    assert view["appointment"] == "2026-03-03T17:30:00+08:00"
    assert (await seen(country, A, session, "APPOINTED"))["appointment"] == view["appointment"]
    assert await advise(country, A, session) == 202
    await country.until(B, session, "ANSWERED")
    await read(country, B, session)
    await ended(country, session)


async def test_nobody_comes_to_the_appointment(country: Country) -> None:
    """Then it is the working day after that; the expert's task stays, and the session is never forgotten."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    await later(country, days=2, step_hours=12)
    assert (await seen(country, B, session, "APPOINTED"))["appointment"] == "2026-03-04T17:30:00+08:00"
    assert session in await tasks(country, country.sites[A].live.office.org)


async def test_the_expert_s_province_is_away(country: Country) -> None:
    """The window has its appointment after five minutes all the same; back again, the expert has it too."""
    person = country.person(A)
    about = await under_way(country, person)
    await country.stop(A)
    session = await consult(country, about, person)
    await later(country, hours=SOON_H)
    assert country.state(B, session) == "APPOINTED"
    await country.start(A)
    await country.until(A, session, "APPOINTED")
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")


async def test_a_session_holds_nothing_up(country: Country) -> None:
    """The case that it is about ends while nobody has answered, and the session goes on for itself."""
    person = country.person(A)
    about = await under_way(country, person)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    await country.act(A, about, "decision", {"outcome": "approve", "officer": "archive-1"})
    await country.until(B, about, "COMPLETED")
    assert country.state(A, session) == "OPEN"
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")


async def test_the_window_withdraws(country: Country) -> None:
    """The expert's task ends with it."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    assert (await country.act(B, session, "withdrawal")).status_code == 202
    await ended(country, session, "WITHDRAWN")
    assert await advise(country, A, session) == 409


async def test_a_withdrawal_crosses_the_answer(country: Country) -> None:
    """The window's word holds on both sides, and the advice is gone."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    country.wire.hold("withdrawal", "answered")
    await country.act(B, session, "withdrawal")
    await advise(country, A, session)
    await country.wire.let_go("answered", "withdrawal")
    await ended(country, session, "WITHDRAWN")
    await country.calm()
    assert ADVICE not in kept(country, A) + kept(country, B)


async def test_a_withdrawal_overtakes_its_question(country: Country) -> None:
    """What comes after the end opens nothing again."""
    person = country.person(A)
    about = await under_way(country, person)
    country.wire.hold("asked")
    session = await consult(country, about, person)
    await country.act(B, session, "withdrawal")
    await country.until(A, session, "WITHDRAWN")
    await country.wire.let_go("asked")
    await country.calm()
    assert (country.state(A, session), country.state(B, session)) == ("WITHDRAWN", "WITHDRAWN")


@pytest.mark.parametrize("name", ["asked", "answered", "closed"])
async def test_a_message_is_repeated(country: Country, name: str) -> None:
    """Twice the same changes nothing."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")
    await read(country, B, session)
    await ended(country, session)
    before = [country.timeline(code, session) for code in (A, B)]
    for _ in range(2):
        await country.wire.deliver(country.wire.taken(name, session))
    await country.calm()
    assert [country.timeline(code, session) for code in (A, B)] == before


async def test_the_window_is_put_back_and_asks_again(country: Country) -> None:
    """It has forgotten that it was answered: it gets the same answer, and both end alike (G1)."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    copy = backup(country, B)
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")
    await put_back(country, B, copy)
    await country.until(B, session, "ANSWERED")
    found = await words(country, B, session)
    assert (found["advice"], found["outcome"]) == (ADVICE, "CAN_ACCEPT")
    await read(country, B, session)
    await ended(country, session)


async def test_the_window_is_put_back_and_knows_nothing_of_it(country: Country) -> None:
    """The expert's answer tells what had been asked about; nobody there waits for ever."""
    person = country.person(A)
    about = await under_way(country, person)
    copy = backup(country, B)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    await put_back(country, B, copy)
    assert country.state(B, session) is None
    await advise(country, A, session)
    view = await seen(country, B, session, "ANSWERED")
    assert (view["about"], view["outcome"]) == (about, "CAN_ACCEPT")
    await later(country, days=1.1)
    await ended(country, session)


async def test_the_expert_s_side_is_put_back_and_knows_nothing_of_it(country: Country) -> None:
    """It is asked again in full, with the appointment, and answers as if nothing had been lost."""
    person = country.person(A)
    about = await under_way(country, person)
    copy = backup(country, A)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    await put_back(country, A, copy)
    await country.until(A, session, "OPEN", "APPOINTED")
    await later(country, hours=SOON_H)
    await country.until(A, session, "APPOINTED")
    assert (await words(country, A, session))["question"] == QUESTION
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")


async def test_the_expert_s_side_has_forgotten_its_answer(country: Country) -> None:
    """The window has read it: what it read holds there too, and nobody is asked twice."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    copy = backup(country, A)
    await advise(country, A, session, outcome="refuse", reason_code="NO_RECORD")
    await country.until(B, session, "ANSWERED")
    await read(country, B, session)
    await country.until(A, session, "COMPLETED")
    await put_back(country, A, copy)
    await country.until(A, session, "COMPLETED")
    assert (await words(country, A, session))["outcome"] == "REFUSE"


async def test_a_window_that_forgot_its_withdrawal_is_told(country: Country) -> None:
    """It goes on asking, and hears that nothing is open any more: it may ask anew."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    copy = backup(country, B)
    await country.act(B, session, "withdrawal")
    await country.until(A, session, "WITHDRAWN")
    await put_back(country, B, copy)
    await country.calm()
    await later(country, hours=SOON_H)
    await country.until(B, session, "WITHDRAWN")


async def test_advice_that_nobody_says_they_read_is_closed(country: Country) -> None:
    """A day later both sides drop it."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")
    await later(country, days=1.1)
    await ended(country, session)
    assert ADVICE not in kept(country, B)


async def test_what_is_not_a_window_s_question_is_refused_and_nothing_is_stored(country: Country) -> None:
    """Somebody else's case, one that has ended, another office's, an id number in the words, stray fields."""
    person, other = country.person(A), country.person(B)
    about = await under_way(country, person)
    session = await consult(country, about, person)
    done = await ask_for(country, "0204", other, B)
    before = country.registers.count("cases")
    number = person.identity["id_number"]
    for body, status, code in (
        (asking(country, about, other), 404, "CASE_UNKNOWN"),
        (asking(country, about, person, details={"about": "1" * 21}), 404, "CASE_UNKNOWN"),
        (asking(country, done, other), 409, "STEP_NOT_ALLOWED"),
        (asking(country, session, person), 404, "CASE_UNKNOWN"),
        (asking(country, about, person, accepting_org=f"{B}0199999999"), 422, "FIELD_INVALID"),
        (asking(country, about, person, details={"question": f"证件{number}"}), 422, "FIELD_INVALID"),
        (asking(country, about, person, details={"question": ""}), 422, "FIELD_INVALID"),
        (asking(country, about, person, contact={"channel": "in_site"}), 422, None),
    ):
        answer = await country.ask(B, "/v1/cases", body)
        assert answer.status_code == status, answer.text
        assert code in {None, answer.json()["code"]}
        assert number not in answer.text
    assert (await country.ask(A, "/v1/cases", asking(country, about, person, A))).json()[
        "code"
    ] == "WRONG_PROVINCE"
    assert country.registers.count("cases") == before


async def test_a_case_that_its_window_has_forgotten_can_be_asked_about(country: Country) -> None:
    """Known again by an answer alone, it has no item and no office; the expert sees its state (G1)."""
    person = country.person(A)
    copy = backup(country, B)
    about = await ask_for(country, "0301", person, B)
    await country.until(A, about, "CHECKING")
    await put_back(country, B, copy)
    await country.act(A, about, "decision", {"outcome": "approve", "officer": "bureau-1"})
    await country.until(B, about, "IN_PRODUCTION")
    await country.calm()
    case = await country.case(B, about)
    assert (case.data.accepting_org, case.closed_at) == ("", None)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    assert (await words(country, A, session))["screen"]["state"] == "ACCEPTED"


async def test_only_an_expert_escalates(country: Country) -> None:
    """An officer who decides on an application decides."""
    person = country.person(A)
    about = await under_way(country, person)
    answer = await country.act(A, about, "decision", {"outcome": "escalate", "officer": "archive-1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "STEP_NOT_ALLOWED")
    assert country.state(A, about) == "CHECKING"
