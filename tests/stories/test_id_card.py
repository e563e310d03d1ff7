"""Identity cards: captured where people live, signed at home, made and handed over where they live."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.folk import Resident
from tests.stories.windows import (
    FIRST,
    REISSUE,
    REPLACE,
    TEMPORARY,
    application,
    ask_for,
    report,
    seen,
    standing,
)
from tests.stories.world import Country

A, B, C = "32", "33", "44"
APPROVE = {"outcome": "approve"}


async def hold_a_card(country: Country, person: Resident, at: str = B) -> dict[str, Any]:
    """The person has a card that was issued by A; the view of its case."""
    case = await ask_for(country, REPLACE, person, at)
    await seen(country, at, case, "IN_PRODUCTION")
    assert await report(country, at, case, "made") == 202
    assert await report(country, at, case, "handed_over") == 202
    await country.until(A, case, "COMPLETED")
    return await seen(country, at, case, "COMPLETED")


async def test_a_card_is_replaced_far_from_home(country: Country) -> None:
    """Applied for in B, signed by A at once, made and handed over in B; nobody moves."""
    person = country.person(A)
    view = await hold_a_card(country, person)
    (paper,) = view["documents"]
    assert paper["kind"] == "ID_CARD"
    told = (await country.ask(A, f"/v1/documents/{paper['licence_id']}")).json()
    assert {f["name"]: f["value"] for f in told["fields"]}["person_1.name"] == person.name
    assert country.registers.holder(person.key) == (A, 0)


async def test_a_first_card_is_reviewed_at_home_within_five_days(country: Country) -> None:
    """Whoever has none yet is for an officer of the home county bureau, whose move it is until then."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    view = await seen(country, B, case, "REQUESTED")
    assert (view["waiting_for"]["province"], view["waiting_for"]["owner"]) == (A, "origin")
    await country.act(A, case, "decision", APPROVE)
    await seen(country, B, case, "IN_PRODUCTION")


@pytest.mark.parametrize(
    "code",
    ["DATA_MISMATCH", "NO_FINGERPRINT_APPEARANCE_CHANGED", "NUMBER_DISPUTE", "DOCUMENT_FRAUD", "BAD_CREDIT"],
)
async def test_a_refusal_names_reason_basis_and_contact(country: Country, code: str) -> None:
    """异地受理十条准则 Art. 6."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "refuse", "reason_code": code})
    refusal = (await seen(country, B, case, "REFUSED"))["refusal"]
    assert refusal["code"] == code
    assert refusal["legal_basis"]
    assert refusal["contact"]


async def test_a_portrait_is_taken_again(country: Country) -> None:
    """The officer asks for all that is needed in one notice; the case goes on when it is there."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    wanted = {"outcome": "return", "materials": ["PHOTO", "BOOKLET"]}
    assert (await country.act(A, case, "decision", wanted)).status_code == 202
    view = await seen(country, B, case, "RETURNED")
    assert (view["state"], view["missing_materials"]) == ("CORRECTION", ["PHOTO", "BOOKLET"])
    one = {"materials": [{"kind": "PHOTO", "grade": "A"}]}
    await country.act(B, case, "materials", one)
    view = await seen(country, B, case, "RETURNED")
    assert view["missing_materials"] == ["BOOKLET"]
    await country.act(B, case, "materials", {"materials": [{"kind": "BOOKLET", "grade": "A"}]})
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", APPROVE)
    await seen(country, B, case, "IN_PRODUCTION")


@pytest.mark.parametrize("wanted", [[], ["NO_SUCH_THING"]])
async def test_a_notice_names_what_is_needed(country: Country, wanted: list[str]) -> None:
    """An officer who asks for nothing, or for what is no material, is told so; the case stays as it is."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    answer = await country.act(A, case, "decision", {"outcome": "return", "materials": wanted})
    assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_INVALID")
    assert country.state(A, case) == "CHECKING"


async def test_what_is_not_handed_in_ends_the_case_on_both_sides(country: Country) -> None:
    """Thirty days; then the window's case has expired, and nobody at home waits for it."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "return", "materials": ["PHOTO"]})
    await country.until(B, case, "RETURNED")
    await country.pass_time(days=31, step_hours=24 * 10)
    assert (country.state(B, case), country.state(A, case)) == ("EXPIRED", "WITHDRAWN")


async def test_withdrawn_while_something_is_owed(country: Country) -> None:
    """The home registry's case ends with it."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "return", "materials": ["PHOTO"]})
    await country.until(B, case, "RETURNED")
    await country.act(B, case, "withdrawal")
    await country.until(B, case, "WITHDRAWN")
    assert country.state(A, case) == "WITHDRAWN"


async def test_a_second_application_joins_the_first(country: Country) -> None:
    """Wherever it is made, it is refused with the number of the one that is under way."""
    person = country.person(A)
    first = await ask_for(country, FIRST, person, B)
    await country.until(A, first, "CHECKING")
    second = await ask_for(country, FIRST, person, C)
    view = await seen(country, C, second, "REFUSED")
    assert (view["refusal"]["code"], view["other_case"]) == ("DUPLICATE_CASE", first)
    at_home = await country.ask(A, "/v1/cases", application(country, FIRST, person, A))
    assert (at_home.status_code, at_home.json()["code"]) == (409, "DUPLICATE_CASE")
    assert at_home.json()["instance"].endswith(first)


async def test_after_a_refusal_one_may_apply_again(country: Country) -> None:
    """A case that has ended stands in nobody's way."""
    person = country.person(A)
    first = await ask_for(country, FIRST, person, B)
    await country.until(A, first, "CHECKING")
    await country.act(A, first, "decision", {"outcome": "refuse", "reason_code": "DATA_MISMATCH"})
    await country.until(B, first, "REFUSED")
    second = await ask_for(country, FIRST, person, C)
    await country.until(A, second, "CHECKING")


async def test_what_is_reported_lost_is_dead_at_once(country: Country) -> None:
    """Before anybody has reviewed the new application, and for good, though the case be refused (挂失)."""
    person = country.person(A)
    old = await hold_a_card(country, person)
    assert await standing(country, A, old) == "VALID"
    case = await ask_for(country, REISSUE, person, C, details={"lost": True})
    await country.until(A, case, "CHECKING")
    assert await standing(country, A, old) == "REVOKED"
    await country.act(A, case, "decision", {"outcome": "refuse", "reason_code": "DATA_MISMATCH"})
    await country.until(C, case, "REFUSED")
    assert await standing(country, A, old) == "REVOKED"


async def test_the_old_card_ends_when_the_new_one_is_handed_over(country: Country) -> None:
    """Not before: until then its owner needs it."""
    person = country.person(A)
    old = await hold_a_card(country, person)
    case = await ask_for(country, REPLACE, person, C)
    await seen(country, C, case, "IN_PRODUCTION")
    assert await standing(country, A, old) == "VALID"
    await report(country, C, case, "made")
    await report(country, C, case, "handed_over")
    await country.until(A, case, "COMPLETED")
    assert await standing(country, A, old) == "SUPERSEDED"


async def test_nobody_came_for_it(country: Country) -> None:
    """Half a year at the counter: destroyed, recorded, and void at its issuer."""
    case = await ask_for(country, REPLACE, country.person(A), B)
    await seen(country, B, case, "IN_PRODUCTION")
    await report(country, B, case, "made")
    view = await seen(country, B, case, "AT_COUNTER")
    assert view["waiting_for"]["owner"] == "applicant"
    await country.pass_time(days=181, step_hours=24 * 60)
    assert (country.state(B, case), country.state(A, case)) == ("EXPIRED", "VOIDED")
    assert await standing(country, A, view) == "REVOKED"


async def test_the_home_registry_serves_its_own_people_alone(country: Country) -> None:
    """At home there is nobody to tell: made, handed over, done; the temporary card ends with it."""
    person = country.person(A)
    case = await ask_for(country, REPLACE, person, A)
    await seen(country, A, case, "IN_PRODUCTION")
    small = await ask_for(country, TEMPORARY, person, A)
    temporary = await seen(country, A, small, "AUTHORISED")
    await report(country, A, small, "printed")
    await report(country, A, case, "made")
    await report(country, A, case, "handed_over")
    await country.until(A, case, "COMPLETED")
    assert await standing(country, A, temporary) == "REVOKED"


async def test_a_made_card_is_not_withdrawn(country: Country) -> None:
    """Too late, and said so."""
    case = await ask_for(country, REPLACE, country.person(A), B)
    await seen(country, B, case, "IN_PRODUCTION")
    answer = await country.act(B, case, "withdrawal")
    assert (answer.status_code, answer.json()["code"]) == (409, "TOO_LATE")


@pytest.mark.parametrize("step", ["handed_over", "printed", "returned"])
async def test_a_window_reports_what_is_next_alone(country: Country, step: str) -> None:
    """A card that is not made is not handed over, and an identity card is not printed at a window."""
    case = await ask_for(country, REPLACE, country.person(A), B)
    await seen(country, B, case, "IN_PRODUCTION")
    assert await report(country, B, case, step) == 409
    assert country.state(B, case) == "IN_PRODUCTION"


async def test_who_moves_meanwhile_is_answered_at_the_new_home(country: Country) -> None:
    """A released them before it had reviewed anything: it says nothing, C does (protocol.md §4)."""
    person = country.person(A)
    case = await ask_for(country, FIRST, person, B)
    await country.until(A, case, "CHECKING")
    await country.move(person, C)
    await country.act(A, case, "decision", APPROVE)
    await country.until(C, case, "CHECKING")
    await country.act(C, case, "decision", APPROVE)
    view = await seen(country, B, case, "IN_PRODUCTION")
    assert await standing(country, C, view) == "VALID"


async def test_two_scripts_need_a_province_that_can_make_them(country: Country) -> None:
    """Refused at the door; nothing is stored."""
    body = application(country, FIRST, country.person(A), B, details={"bilingual": True})
    answer = await country.ask(B, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "CAPABILITY_MISSING")


async def test_a_child_comes_with_a_guardian(country: Country) -> None:
    """Under sixteen the guardian applies (居民身份证法 Art. 7)."""
    parent, child = country.family(A, 1, 1)
    body = application(country, FIRST, child, B)
    answer = await country.ask(B, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "GUARDIAN_ABSENT")
    body["details"] = {"guardian": parent.identity}
    answer = await country.ask(B, "/v1/cases", body)
    assert answer.status_code == 202
    await country.until(A, answer.json()["case_id"], "CHECKING")


async def test_the_window_is_put_back_after_the_card_was_signed(country: Country) -> None:
    """B forgets; A's answer comes again and B makes the card that A has signed."""
    person = country.person(A)
    copy = backup(country, B)
    case = await ask_for(country, REPLACE, person, B)
    await seen(country, B, case, "IN_PRODUCTION")
    await put_back(country, B, copy)
    await country.calm()
    await seen(country, B, case, "IN_PRODUCTION")
    await report(country, B, case, "made")
    await report(country, B, case, "handed_over")
    await country.until(A, case, "COMPLETED")
