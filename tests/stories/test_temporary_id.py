"""Temporary identity cards: asked for where the card was lost, authorised at home, printed once, in time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.folk import Resident
from tests.stories.windows import FIRST, TEMPORARY, application, ask_for, report, seen, standing
from tests.stories.world import Country

A, B, C = "32", "33", "44"
MINUTE = 1 / 60


async def open_card(country: Country, person: Resident, at: str = B) -> str:
    """The person has a case of an identity card under way; its number."""
    case = await ask_for(country, FIRST, person, at)
    await country.until(A, case, "CHECKING")
    return case


async def authorised(
    country: Country,
    person: Resident,
    at: str = B,
    **more: Any,  # noqa: ANN401
) -> tuple[str, dict[str, Any]]:
    """A temporary card that may be printed: number and view."""
    case = await ask_for(country, TEMPORARY, person, at, **more)
    return case, await seen(country, at, case, "AUTHORISED")


async def test_a_student_has_one_before_the_train_leaves(country: Country) -> None:
    """Facts and face fit: A authorises at once, B prints, A records; no clock had to pass."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    assert view["waiting_for"]["owner"] == "officer"
    assert await report(country, B, case, "printed") == 202
    await country.until(A, case, "COMPLETED")
    assert await standing(country, A, view) == "VALID"


async def test_it_needs_an_open_case_of_an_identity_card(country: Country) -> None:
    """公安部令第78号 Art. 2."""
    case = await ask_for(country, TEMPORARY, country.person(A), B)
    assert (await seen(country, B, case, "REFUSED"))["refusal"]["code"] == "NO_ID_CASE"


async def test_two_windows_at_once_get_one_serial(country: Country) -> None:
    """The first is answered; the second sees the first."""
    person = country.person(A)
    await open_card(country, person)
    first = await ask_for(country, TEMPORARY, person, B)
    second = await ask_for(country, TEMPORARY, person, C)
    await country.calm()
    states = {country.state(B, first), country.state(C, second)}
    assert states == {"AUTHORISED", "REFUSED"}
    at, lost, won = (B, first, second) if country.state(B, first) == "REFUSED" else (C, second, first)
    view = await seen(country, at, lost, "REFUSED")
    assert (view["refusal"]["code"], view["other_case"]) == ("ACTIVE_TEMP_ID", won)


async def test_of_two_that_wait_for_the_duty_officer_one_is_granted(country: Country) -> None:
    """The second never becomes a task."""
    person = country.person(A)
    await open_card(country, person)
    first = await ask_for(country, TEMPORARY, person, B, details={"match_percent": 40})
    await country.until(A, first, "CHECKING")
    second = await ask_for(country, TEMPORARY, person, C)
    view = await seen(country, C, second, "REFUSED")
    assert (view["refusal"]["code"], view["other_case"]) == ("ACTIVE_TEMP_ID", first)


async def test_who_has_one_gets_no_second(country: Country) -> None:
    """Until it expires, is handed back or reported lost."""
    person = country.person(A)
    await open_card(country, person)
    case, _ = await authorised(country, person)
    await report(country, B, case, "printed")
    await country.until(A, case, "COMPLETED")
    second = await ask_for(country, TEMPORARY, person, C)
    view = await seen(country, C, second, "REFUSED")
    assert (view["refusal"]["code"], view["other_case"]) == ("ACTIVE_TEMP_ID", case)


async def test_a_lost_one_is_revoked_and_replaced(country: Country) -> None:
    """Under a new serial."""
    person = country.person(A)
    await open_card(country, person)
    case, old = await authorised(country, person)
    await report(country, B, case, "printed")
    await country.until(A, case, "COMPLETED")
    _, new = await authorised(country, person, C, details={"lost": True})
    assert (await standing(country, A, old), await standing(country, A, new)) == ("REVOKED", "VALID")
    assert old["documents"] != new["documents"]


async def test_one_that_was_handed_back_is_void(country: Country) -> None:
    """And the next may be asked for."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    await report(country, B, case, "printed")
    assert await report(country, B, case, "returned") == 202
    await country.until(A, case, "VOIDED")
    assert await standing(country, A, view) == "REVOKED"
    await authorised(country, person, C)


async def test_one_that_has_expired_is_in_nobodys_way(country: Country) -> None:
    """Three months later."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    await report(country, B, case, "printed")
    await country.until(A, case, "COMPLETED")
    await country.pass_time(days=93, step_hours=24 * 31)
    assert await standing(country, A, view) == "EXPIRED"
    await authorised(country, person, C)


async def test_a_print_right_lapses_after_an_hour(country: Country) -> None:
    """The serial is void, and the person may ask again."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    await country.pass_time(hours=1.1, step_hours=0.55)
    assert (country.state(B, case), country.state(A, case)) == ("EXPIRED", "VOIDED")
    assert await standing(country, A, view) == "REVOKED"
    assert await report(country, B, case, "printed") == 409
    await authorised(country, person, B)


async def test_a_print_right_is_used_once(country: Country) -> None:
    """A second print is refused; a torn one is printed again, under the same serial."""
    person = country.person(A)
    await open_card(country, person)
    case, _ = await authorised(country, person)
    assert await report(country, B, case, "printed") == 202
    assert await report(country, B, case, "printed") == 409


async def test_given_up_before_it_was_printed(country: Country) -> None:
    """Withdrawn at the window: void at home."""
    person = country.person(A)
    await open_card(country, person)
    case, view = await authorised(country, person)
    await country.act(B, case, "withdrawal")
    await country.until(A, case, "VOIDED")
    assert (country.state(B, case), await standing(country, A, view)) == ("WITHDRAWN", "REVOKED")


@pytest.mark.parametrize("details", [{"match_percent": 89}, {"match_percent": 0}])
async def test_a_face_that_does_not_fit_is_for_the_duty_officer(
    country: Country, details: dict[str, Any]
) -> None:
    """Who may refuse, with a code that says why."""
    person = country.person(A)
    await open_card(country, person)
    case = await ask_for(country, TEMPORARY, person, B, details=details)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "refuse", "reason_code": "FACE_MISMATCH"})
    assert (await seen(country, B, case, "REFUSED"))["refusal"]["code"] == "FACE_MISMATCH"


async def test_a_hold_does_not_show_at_the_window(country: Country) -> None:
    """The window sees that somebody decides, as of anybody else; the home registry has the task (S4)."""
    person = country.person(A)
    await open_card(country, person)
    await country.hold(person, "HOLD")
    case = await ask_for(country, TEMPORARY, person, B)
    await country.until(A, case, "CHECKING")
    view = await seen(country, B, case, "REQUESTED")
    assert view["state"] == "REVIEWING"
    assert "HOLD" not in str(view)


async def test_a_task_that_nobody_takes_goes_up_and_the_applicant_is_told(country: Country) -> None:
    """At 10, 15 and 20 minutes a level higher; at 25 the window says that it is late."""
    person = country.person(A)
    await open_card(country, person)
    case = await ask_for(country, TEMPORARY, person, B, details={"match_percent": 40})
    await country.until(A, case, "CHECKING")
    reached: list[str | None] = []
    for _ in range(3):
        await country.pass_time(hours=10.5 * MINUTE if not reached else 5.5 * MINUTE)
        view = (await country.ask(A, f"/v1/cases/{case}")).json()
        reached.append(view.get("passed_up_to"))
    assert reached == ["station", "county", "province"]
    await country.pass_time(hours=5 * MINUTE)
    assert (await country.ask(B, f"/v1/cases/{case}")).json()["late"] is True
    await country.act(A, case, "decision", {"outcome": "approve"})
    await seen(country, B, case, "AUTHORISED")


async def test_who_is_about_to_move_is_still_served_at_home(country: Country) -> None:
    """Frozen by A, which still holds them: A answers (protocol.md §4)."""
    person = country.person(A)
    await open_card(country, person)
    country.wire.hold("offer")
    move = await country.apply(person, C)
    await country.until(A, move, "FROZEN")
    _, view = await authorised(country, person)
    assert await standing(country, A, view) == "VALID"
    await country.wire.let_go("offer")


async def test_who_has_moved_on_is_answered_at_the_new_home(country: Country) -> None:
    """With the case of the card: A has released them, and C has it now."""
    person = country.person(A)
    await country.move(person, C)
    card = await ask_for(country, FIRST, person, B)
    await country.until(C, card, "CHECKING")
    _, view = await authorised(country, person)
    assert await standing(country, C, view) == "VALID"


async def test_withdrawn_before_the_answer(country: Country) -> None:
    """The duty officer's task ends with it."""
    person = country.person(A)
    await open_card(country, person)
    case = await ask_for(country, TEMPORARY, person, B, details={"match_percent": 40})
    await country.until(A, case, "CHECKING")
    await country.act(B, case, "withdrawal")
    await country.until(B, case, "WITHDRAWN")
    assert country.state(A, case) == "WITHDRAWN"


async def test_another_portrait(country: Country) -> None:
    """Asked for by the duty officer, taken at the window, and decided on."""
    person = country.person(A)
    await open_card(country, person)
    case = await ask_for(country, TEMPORARY, person, B, details={"match_percent": 40})
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "return", "materials": ["PHOTO"]})
    await country.until(B, case, "RETURNED")
    await country.act(B, case, "materials", {"materials": [{"kind": "PHOTO", "grade": "A"}]})
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "approve"})
    await seen(country, B, case, "AUTHORISED")


async def test_a_message_that_comes_three_times_makes_one_card(country: Country) -> None:
    """Repeats change nothing: one document, one serial."""
    person = country.person(A)
    await open_card(country, person)
    country.wire.copies = 3
    case, view = await authorised(country, person)
    await report(country, B, case, "printed")
    await country.until(A, case, "COMPLETED")
    assert len(view["documents"]) == 1


async def test_a_child_s_guardian_applies(country: Country) -> None:
    """公安部令第78号 Art. 9."""
    _, child = country.family(A, 1, 1)
    answer = await country.ask(B, "/v1/cases", application(country, TEMPORARY, child, B))
    assert (answer.status_code, answer.json()["code"]) == (422, "GUARDIAN_ABSENT")
