"""容缺受理: what is secondary may follow; the case is accepted, and nothing is decided before it came."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.stories.backups import backup, put_back
from tests.stories.stations import EDUCATION, NANJING, asked, lives_at, put
from tests.stories.windows import FIRST, application
from tests.stories.world import Country
from tongban_shared.notifications import Change, load_templates

A, B = "32", "33"
SPOUSE, JOB = "0104", "0101"
# Five working days after Monday 2 March, at the close of office.
DUE = "2026-03-09T17:30:00+08:00"
STUDIES = {"changes": {"education_code": "20"}}
Body = dict[str, Any]


def promising(body: Body, *kinds: str) -> Body:
    """The application without these materials, which will follow."""
    kept = [material for material in body["materials"] if material["kind"] not in kinds]
    return body | {"materials": kept, "deferred_materials": list(kinds)}


async def deferred(country: Country, at: str, body: Body) -> str:
    """Put an application of which something follows; the case's number."""
    case = await put(country, body, at)
    view = (await country.ask(at, f"/v1/cases/{case}")).json()
    assert (view["state"], view["waiting_for"]["until"]) == ("ACCEPTED", DUE)
    assert view["waiting_for"]["owner"] == "applicant"
    assert view["deferred_materials"] == view["missing_materials"] == body["deferred_materials"]
    return case


async def brings(country: Country, at: str, case: str, *kinds: str) -> Body:
    """Hand in what was to follow; the case's view."""
    body = {"materials": [{"kind": kind, "grade": "A"} for kind in kinds]}
    answer = await country.act(at, case, "materials", body)
    assert answer.status_code == 202, answer.text
    view: Body = answer.json()
    return view


async def refused(country: Country, body: Body) -> str:
    """The code with which the door refuses it; nothing is stored."""
    answer = await country.ask(B, "/v1/cases", body)
    assert answer.status_code == 422, answer.text
    assert country.registers.rows(B, "SELECT count(*) FROM cases")[0][0] == 0
    return str(answer.json()["code"])


def two_follow(country: Country) -> Body:
    """A move to B for which two booklets are to follow."""
    body = country.application(country.person(A), B, item=SPOUSE)
    return promising(body, "BOOKLET", "SPOUSE_BOOKLET")


# It follows


@pytest.mark.parametrize(
    ("item", "end"), [(JOB, "COMPLETED"), (FIRST, "REQUESTED"), (EDUCATION, "COMPLETED")]
)
async def test_what_may_follow_follows_and_the_case_goes_on(country: Country, item: str, end: str) -> None:
    """A move, a card and a change of the register alike: accepted at once, and on with the last paper."""
    at = A if item == EDUCATION else B
    bodies = {
        JOB: lambda: country.application(country.person(A), B),
        FIRST: lambda: application(country, FIRST, country.person(A), B),
        EDUCATION: lambda: asked(country, EDUCATION, lives_at(country, NANJING)[0], NANJING, details=STUDIES),
    }
    case = await deferred(country, at, promising(bodies[item](), "BOOKLET"))
    await brings(country, at, case, "BOOKLET")
    await country.until(at, case, end)
    assert "deferred_materials" not in (await country.ask(at, f"/v1/cases/{case}")).json()


async def test_nothing_is_decided_before_it_came(country: Country) -> None:
    """No officer can decide, no other province hears of it, and the promise does not run."""
    person = country.person(A)
    case = await deferred(country, B, promising(country.application(person, B), "BOOKLET"))
    await country.pass_time(days=3)
    early = await country.act(B, case, "decision", {"outcome": "approve", "officer": "o-1"})
    assert (early.status_code, early.json()["code"]) == (409, "STEP_NOT_ALLOWED")
    assert country.state(A, case) is None
    view = await brings(country, B, case, "BOOKLET")
    assert view["deadlines"]["promised_at"] > "2026-03-10"
    await country.until(A, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_a_part_of_it_moves_no_date(country: Country) -> None:
    """The day was counted once, from the application."""
    case = await deferred(country, B, two_follow(country))
    await country.pass_time(days=2)
    view = await brings(country, B, case, "SPOUSE_BOOKLET")
    assert (view["deferred_materials"], view["waiting_for"]["until"]) == (["BOOKLET"], DUE)
    await country.pass_time(days=6)
    assert country.state(B, case) == "EXPIRED"


async def test_days_off_do_not_count(country: Country) -> None:
    """Qingming, 4 to 6 April 2026: five working days from the first of April end on the ninth."""
    await country.pass_time(days=30)
    case = await put(country, promising(country.application(country.person(A), B), "BOOKLET"), B)
    view = (await country.ask(B, f"/v1/cases/{case}")).json()
    assert view["waiting_for"]["until"] == "2026-04-09T17:30:00+08:00"


async def test_with_the_ledger_down_it_is_looked_for_afterwards(country: Country) -> None:
    """Who answers is asked when there is something to answer."""
    country.ledger.down = True
    body = asked(country, EDUCATION, lives_at(country, NANJING)[0], NANJING, details=STUDIES)
    case = await deferred(country, A, promising(body, "BOOKLET"))
    assert (await brings(country, A, case, "BOOKLET"))["state"] == "RECEIVED"
    country.ledger.down = False
    await country.pass_time(hours=2)
    await country.until(A, case, "COMPLETED")


# It does not


@pytest.mark.parametrize("item", [JOB, FIRST])
async def test_what_does_not_come_in_time_ends_the_case(country: Country, item: str) -> None:
    """Expired as an incomplete application, and not an hour before its time; then it is too late."""
    person = country.person(A)
    plain = country.application(person, B) if item == JOB else application(country, FIRST, person, B)
    case = await deferred(country, B, promising(plain, "BOOKLET"))
    await country.pass_time(days=7, hours=8)
    assert country.state(B, case) == "DEFERRED"
    await country.pass_time(hours=1)
    view = (await country.ask(B, f"/v1/cases/{case}")).json()
    assert (view["state"], view["refusal"]["code"]) == ("EXPIRED", "CORRECTION_OVERDUE")
    late = {"materials": [{"kind": "BOOKLET", "grade": "A"}]}
    assert (await country.act(B, case, "materials", late)).status_code == 409
    await put(country, plain, B)  # and may apply anew, with all of it


async def test_the_applicant_is_told_once_with_list_and_day(country: Country) -> None:
    """Accepted, what is to follow and till when; then nothing, but that the case has expired."""
    contact = {"contact": {"channel": "sms", "address": "13800138000"}}
    case = await deferred(country, B, two_follow(country) | contact)
    await brings(country, B, case, "BOOKLET")
    await country.pass_time(days=8)
    rows = country.registers.rows(B, "SELECT change FROM notification ORDER BY version")
    first, last = (msgspec.json.decode(text, type=Change) for (text,) in rows)
    assert (first.told, first.missing) == ("ACCEPTED", ("BOOKLET", "SPOUSE_BOOKLET"))
    assert first.until is not None
    assert "容缺受理" in load_templates().of(first.told, first.variant).zh.text
    assert (last.told, last.last) == ("EXPIRED", True)


async def test_it_can_be_withdrawn(country: Country) -> None:
    """Nobody else has heard of it."""
    for at, body in ((B, two_follow(country)), (B, application(country, FIRST, country.person(A), B))):
        case = await deferred(
            country, at, body if "deferred_materials" in body else promising(body, "BOOKLET")
        )
        assert (await country.act(at, case, "withdrawal")).json()["state"] == "WITHDRAWN"


async def test_what_this_registry_refuses_anyway_waits_for_nothing(country: Country) -> None:
    """A court's hold is known at home: nobody fetches a booklet in vain."""
    (person,) = lives_at(country, NANJING)
    await country.hold(person, "HOLD")
    case = await put(
        country, promising(asked(country, EDUCATION, person, NANJING, details=STUDIES), "BOOKLET"), A
    )
    view = (await country.ask(A, f"/v1/cases/{case}")).json()
    assert (view["state"], view["refusal"]["code"]) == ("REFUSED", "HOLD")


# Who may not


async def test_who_lacks_more_than_may_follow_gets_the_one_notice(country: Country) -> None:
    """All that is missing is asked for, once, within the days of a correction."""
    body = country.application(country.person(A), B, without=("HOST_CONSENT",))
    case = await put(country, promising(body, "BOOKLET"), B)
    view = (await country.ask(B, f"/v1/cases/{case}")).json()
    assert (view["state"], view["missing_materials"]) == ("CORRECTION", ["BOOKLET", "HOST_CONSENT"])


async def test_what_the_catalogue_does_not_mark_is_handed_in(country: Country) -> None:
    """The consent of whom they join never follows; a main material is missing as ever."""
    body = country.application(country.person(A), B)
    assert await refused(country, promising(body, "HOST_CONSENT")) == "NOT_DEFERRABLE"
    assert await refused(country, promising(body, "ID_CARD")) == "MATERIAL_MISSING"


async def test_only_what_is_asked_for_and_not_here_can_follow(country: Country) -> None:
    """Neither what was handed in, nor what the item does not ask for."""
    body = country.application(country.person(A), B)
    assert await refused(country, body | {"deferred_materials": ["BOOKLET"]}) == "FIELD_INVALID"
    assert await refused(country, body | {"deferred_materials": ["TAX_RECORD"]}) == "FIELD_INVALID"


# A window that is put back


async def test_a_window_put_back_to_the_wait_finds_who_has_moved(country: Country) -> None:
    """It has forgotten what was brought and decided; the person is registered there all the same (G1)."""
    person = country.person(A)
    case = await deferred(country, B, promising(country.application(person, B), "BOOKLET"))
    copy = backup(country, B)
    await brings(country, B, case, "BOOKLET")
    await country.until(A, case, "CONFIRMED")
    await put_back(country, B, copy)
    await country.until(B, case, "COMPLETED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_a_window_put_back_to_the_wait_asks_once_more(country: Country) -> None:
    """What was brought is brought again, and the home registry answers as it did (G1)."""
    case = await deferred(country, B, promising(application(country, FIRST, country.person(A), B), "BOOKLET"))
    copy = backup(country, B)
    await brings(country, B, case, "BOOKLET")
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "o-2"})
    await country.until(B, case, "IN_PRODUCTION")
    await put_back(country, B, copy)
    assert country.state(B, case) == "DEFERRED"
    await brings(country, B, case, "BOOKLET")
    await country.until(B, case, "IN_PRODUCTION")
