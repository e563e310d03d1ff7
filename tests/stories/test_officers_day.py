"""Time and the officer's day: lights over what was promised, four eyes, reasons, ratings."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.registry.country import OFFICER, OTHER, A, B, claim, code_of, ok, waiting
from tests.registry.test_alarms import firing
from tests.stories.world import Country
from tongban_shared.ids import CaseId, Province, make_case_id
from tongban_shared.web.problems import PROBLEMS, REASONED_DECISION, refusal_record

APPROVE = {"outcome": "approve"}
COMMENT = "柜台说过两次不一样的话"
BAD = {"score": 2, "channel": "window", "indicators": ["SKILL", "ATTITUDE"], "comment": COMMENT}


async def deadlines(country: Country, case_id: str) -> dict[str, Any]:
    """What the accepting province shows."""
    view: dict[str, Any] = (await ok(country, B, f"/v1/cases/{case_id}"))["deadlines"]
    return view


async def seen(country: Country, case_id: str) -> tuple[str, str | None]:
    """Light and level of a task, which are those of its case."""
    tasks = (await ok(country, B, "/v1/tasks"))["items"]
    (found,) = [(task["light"], task["escalation"]) for task in tasks if task["case_id"] == case_id]
    shown = await deadlines(country, case_id)
    assert (shown["light"], shown["escalation"]) == found
    return found


# --- time


async def test_a_correction_stops_the_clock(country: Country) -> None:
    """A week with the applicant is a week more for the office; meanwhile the light stays as it was."""
    case_id = await country.apply(country.person(A), B, grade="B", without=("BOOKLET", "HOST_CONSENT"))
    await country.pass_time(days=7)
    standing = await deadlines(country, case_id)
    assert (standing["light"], standing["escalation"]) == ("green", None)
    given = [{"kind": kind, "grade": "B"} for kind in ("BOOKLET", "HOST_CONSENT")]
    await country.act(B, case_id, "materials", {"materials": given})
    await country.until(B, case_id, "REVIEWING")
    shown = await deadlines(country, case_id)
    assert shown["promised_at"] == "2026-03-16T17:30:00+08:00"
    assert (shown["light"], shown["provisional"]) == ("green", False)
    await country.pass_time(days=4)
    assert await seen(country, case_id) == ("green", None)


async def test_what_was_broken_before_a_correction_stays_broken(country: Country) -> None:
    """Nobody gets rid of a red light by asking for a paper."""
    case_id = await waiting(country, country.person(A))
    await country.pass_time(days=8)
    await country.act(B, case_id, "decision", {"outcome": "return"})
    await country.until(B, case_id, "CORRECTION")
    await country.pass_time(days=1)
    assert (await deadlines(country, case_id))["light"] == "red"
    view = await ok(country, B, "/v1/ops/overview")
    assert view["breaches"]["promised"] == 1


async def test_stops_outlive_a_restart(country: Country) -> None:
    """When a clock stood still stands in the database with the case."""
    case_id = await country.apply(country.person(A), B, grade="B", without=("BOOKLET", "HOST_CONSENT"))
    await country.pass_time(days=2)
    given = [{"kind": kind, "grade": "B"} for kind in ("BOOKLET", "HOST_CONSENT")]
    await country.act(B, case_id, "materials", {"materials": given})
    await country.until(B, case_id, "REVIEWING")
    before = await deadlines(country, case_id)
    await country.crash(B)
    await country.start(B)
    case = await country.case(B, case_id)
    assert len(case.stops) == 1
    assert await deadlines(country, case_id) == before


async def test_a_task_turns_yellow_then_red_and_climbs(country: Country) -> None:
    """With the calendar of the province: five working days, then station, county, province."""
    late = await waiting(country, country.person(A))
    climbed = [await seen(country, late)]
    for hours in (4 * 24 + 9, 3 * 24, 24, 2 * 24):
        await country.pass_time(hours=hours)
        climbed.append(await seen(country, late))
    assert climbed == [
        ("green", None),
        ("yellow", None),
        ("red", "station"),
        ("red", "county"),
        ("red", "province"),
    ]


async def test_a_broken_promise_sorts_first(country: Country) -> None:
    """Above what has time, however soon that one's own step is due."""
    late = await waiting(country, country.person(A))
    await country.pass_time(days=8)
    fresh = await waiting(country, country.person(A))
    tasks = (await ok(country, B, "/v1/tasks"))["items"]
    assert [(task["case_id"], task["overdue"], task["light"]) for task in tasks] == [
        (late, True, "red"),
        (fresh, False, "green"),
    ]


async def test_whoever_owes_a_broken_promise_is_called(country: Country) -> None:
    """A case that waits for the origin beyond its promise is a task here, before that step's own limit."""
    country.wire.dropping.add("offer")
    case_id = await country.apply(country.person(A), B)
    await country.until(B, case_id, "PERMITTED")
    assert (await ok(country, B, "/v1/tasks"))["items"] == []
    await country.pass_time(days=8)
    (task,) = (await ok(country, B, "/v1/tasks"))["items"]
    assert (task["kind"], task["light"], task["whom"]["province"]) == ("CALL", "red", A)


async def test_breaches_are_counted_and_the_last_level_is_an_alarm(country: Country) -> None:
    """In metrics and overview alike; the province is called by an alert, the levels before it are not."""
    await waiting(country, country.person(A))
    await country.pass_time(days=8)
    assert await firing(country, B) == set()
    assert (await ok(country, B, "/v1/ops/overview"))["breaches"] == {
        "promised": 1,
        "statutory": 0,
        "station": 1,
        "county": 0,
        "province": 0,
    }
    await country.pass_time(days=3)
    assert await firing(country, B) == {"CalledProvince"}
    view = await ok(country, B, "/v1/ops/overview")
    assert (view["alarms"], view["breaches"]["province"]) == (["CALLED_PROVINCE"], 1)
    await country.pass_time(days=50)
    assert (await ok(country, B, "/v1/ops/overview"))["breaches"]["statutory"] == 1


# --- four eyes, and reasons


async def accepted_by(country: Country, officer: str) -> CaseId:
    """A case before its officer, taken in by one of them."""
    body = country.application(country.person(A), B, grade="B") | {"officer": officer}
    answer = await country.ask(B, "/v1/cases", body)
    assert answer.status_code == 202, answer.text
    case_id = CaseId(answer.json()["case_id"])
    await country.until(B, case_id, "REVIEWING")
    return case_id


async def test_who_took_it_in_does_not_sign_it(country: Country) -> None:
    """The same officer is refused and nothing changes; another one's decision is taken."""
    case_id = await accepted_by(country, OFFICER)
    refused = await country.act(B, case_id, "decision", APPROVE | {"officer": OFFICER})
    assert code_of(refused) == (409, "FOUR_EYES")
    assert country.state(B, case_id) == "REVIEWING"
    assert (await country.act(B, case_id, "decision", APPROVE | {"officer": OTHER})).status_code == 202
    await country.until(B, case_id, "COMPLETED")


async def test_a_refusal_shows_its_legal_basis(country: Country) -> None:
    """An officer's reason comes to the applicant with words, article, contact and right of appeal."""
    case_id = await waiting(country, country.person(A))
    given = {"outcome": "refuse", "reason_code": "REFUSED_BY_DESTINATION"}
    await country.act(B, case_id, "decision", given)
    await country.until(B, case_id, "REFUSED")
    refusal = (await ok(country, B, f"/v1/cases/{case_id}"))["refusal"]
    assert (refusal["code"], refusal["legal_basis"]) == ("REFUSED_BY_DESTINATION", "户口登记条例第十条")
    assert refusal["contact"]
    assert refusal["appeal"]


@pytest.mark.parametrize("code", ["NO_SUCH_REASON", "STORE_DOWN", "TASK_CLAIMED"])
async def test_a_reason_that_is_none_is_refused_at_the_door(country: Country, code: str) -> None:
    """Neither an unknown code nor one that is no refusal is stored."""
    case_id = await waiting(country, country.person(A))
    answer = await country.act(B, case_id, "decision", {"outcome": "refuse", "reason_code": code})
    assert code_of(answer) == (422, "FIELD_INVALID")
    assert code not in answer.text
    assert country.state(B, case_id) == "REVIEWING"


def test_every_refusal_has_a_legal_basis() -> None:
    """Of each published code, and of one that is not."""
    for code in (*PROBLEMS, "SOMETHING_OLD"):
        assert refusal_record(code, "0571-0")["legal_basis"], code
    assert refusal_record("HOLD", "0571-0")["legal_basis"] == REASONED_DECISION


# --- ratings


async def rate(country: Country, case_id: str, body: object, **headers: str) -> httpx.Response:
    """A rating at the accepting province."""
    return await country.ask(B, f"/v1/cases/{case_id}/rating", body, **headers)


async def decided(country: Country) -> CaseId:
    """A case that two officers have brought to its end."""
    case_id = await accepted_by(country, "officer-0")
    await country.act(B, case_id, "decision", APPROVE | {"officer": OFFICER})
    await country.until(B, case_id, "COMPLETED")
    return case_id


async def test_an_ended_case_is_rated_once(country: Country) -> None:
    """The second rating is a conflict, whatever it says; the same key gets the first answer again."""
    case_id = await country.move(country.person(A), B)
    good = {"score": 5, "channel": "online", "indicators": ["EASE"], "comment": COMMENT}
    first = await rate(country, case_id, good, Idempotency_Key="k")
    assert (first.status_code, first.json()["score"], first.json()["call_back_until"]) == (201, 5, None)
    assert COMMENT not in first.text
    again = await rate(country, case_id, good, Idempotency_Key="k")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert code_of(await rate(country, case_id, BAD)) == (409, "RATING_EXISTS")
    marks = (await ok(country, B, "/v1/ops/overview"))["ratings"]
    assert marks == {"count": 1, "mean": 5.0, "call_backs_owed": 0}


async def test_a_case_under_way_is_not_rated(country: Country) -> None:
    """Nor one that is not known, nor at the other side of it."""
    case_id = await waiting(country, country.person(A))
    assert code_of(await rate(country, case_id, BAD)) == (409, "CASE_OPEN")
    other = await country.ask(A, f"/v1/cases/{case_id}/rating", BAD)
    assert code_of(other) == (422, "WRONG_PROVINCE")
    absent = make_case_id(Province(B), "01", date(2026, 3, 2), 99_999_999)
    assert code_of(await rate(country, absent, BAD)) == (404, "CASE_UNKNOWN")
    assert country.registers.count("rating") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 0},
        {"score": 6},
        {"score": "5"},
        {"score": 2.5},
        {"channel": "phone"},
        {"indicators": ["EASE"]},
        {"indicators": [COMMENT]},
        {"comment": "x" * 501},
    ],
)
async def test_a_rating_that_is_none_is_refused(country: Country, wrong: dict[str, object]) -> None:
    """A clear problem that repeats nothing, and nothing is stored."""
    case_id = await country.move(country.person(A), B)
    answer = await rate(country, case_id, BAD | wrong)
    assert code_of(answer) == (422, "FIELD_INVALID")
    assert COMMENT not in answer.text
    assert country.registers.count("rating") == 0


async def test_a_bad_rating_is_called_back(country: Country) -> None:
    """A task with fifteen working days, for somebody who did not handle the case; an answer ends it."""
    case_id = await decided(country)
    assert (await rate(country, case_id, BAD)).json()["call_back_until"] == "2026-03-23T17:30:00+08:00"
    (task,) = (await ok(country, B, "/v1/tasks"))["items"]
    assert (task["kind"], task["score"], task["indicators"]) == ("CALL_BACK", 2, ["ATTITUDE", "SKILL"])
    assert (task["due_at"], task["light"], task["overdue"]) == ("2026-03-23T17:30:00+08:00", "green", False)
    assert COMMENT not in str(task)
    assert (await claim(country, case_id, OTHER)).json()["comment"] == COMMENT
    done = {"officer": OTHER, "note": "已致歉并说明"}
    for _ in range(2):
        view = await ok(country, B, f"/v1/tasks/{case_id}/answered", done)
        assert view["answered_by"] == OTHER
    assert (await ok(country, B, "/v1/tasks"))["items"] == []
    assert country.registers.count("claim") == 0
    assert (await ok(country, B, "/v1/ops/overview"))["ratings"]["call_backs_owed"] == 0


async def test_who_was_rated_neither_reads_nor_answers(country: Country) -> None:
    """Not who took the case in, not who decided: for both the comment stays closed."""
    case_id = await decided(country)
    await rate(country, case_id, BAD)
    for officer in ("officer-0", OFFICER):
        refused = await claim(country, case_id, officer)
        assert code_of(refused) == (409, "FOUR_EYES")
        assert COMMENT not in refused.text
        answered = {"officer": officer, "note": "x"}
        assert code_of(await country.ask(B, f"/v1/tasks/{case_id}/answered", answered)) == (409, "FOUR_EYES")
    assert len((await ok(country, B, "/v1/tasks"))["items"]) == 1


async def test_of_two_who_call_back_one_answers(country: Country) -> None:
    """A claim keeps the other away, and what is answered is no task any more."""
    case_id = await decided(country)
    await rate(country, case_id, BAD)
    await claim(country, case_id, OTHER)
    answered = {"officer": "officer-3", "note": "x"}
    path = f"/v1/tasks/{case_id}/answered"
    assert code_of(await country.ask(B, path, answered)) == (409, "TASK_CLAIMED")
    await ok(country, B, path, answered | {"officer": OTHER})
    assert code_of(await country.ask(B, path, answered)) == (404, "TASK_UNKNOWN")


async def test_a_call_back_turns_red_and_sorts_among_the_others(country: Country) -> None:
    """Overdue call-backs stand with overdue cases, page by page each once."""
    case_id = await decided(country)
    await rate(country, case_id, BAD)
    await country.pass_time(days=22)
    fresh = await waiting(country, country.person(A))
    path, found = "/v1/tasks?limit=1", []
    while path:
        answer = await country.ask(B, path)
        found += [(task["case_id"], task["light"]) for task in answer.json()["items"]]
        path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert found == [(case_id, "red"), (fresh, "green")]


async def test_no_log_holds_a_comment(country: Country) -> None:
    """Neither a rating nor its answer leaves words in the log."""
    case_id = await decided(country)
    with capture_logs() as logs:
        await rate(country, case_id, BAD)
        await claim(country, case_id, OTHER)
        await ok(country, B, f"/v1/tasks/{case_id}/answered", {"officer": OTHER, "note": COMMENT})
    assert COMMENT not in str(logs)
