"""Events during a case (services.md S2): death, hold, its end, marriage and block, arriving at every state.

Whatever the state: nobody is stuck, everybody has one home, and the event holds where the person ends up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.owed import forgotten
from tests.stories.stations import APPROVE, MARITAL, MARRIED, NANJING, asked, form, lives_at, put, row
from tests.stories.windows import FIRST, REPLACE, TEMPORARY, ask_for, report, seen, standing
from tests.stories.world import Country

A, B, C = "32", "33", "44"
CERTIFICATE, BY_ARCHIVE = "0204", "0201"
EVENTS = pytest.mark.parametrize("event", ["DEATH", "HOLD", "LIFT_HOLD", "BLOCK", "MARRIAGE"])
# What is held on the wire while it happens, and how a move ends that a death or a hold befalls then.
MOVES = {
    "before M2": ("permit", "REFUSED"),
    "FROZEN": ("offer", "VOIDED"),
    "FROZEN and accepted": ("acceptance", "VOIDED"),
    "RELEASED": ("certificate", "COMPLETED"),
    "settled and not confirmed": ("settled", "COMPLETED"),
    "after M5": (None, "COMPLETED"),
}
# GB/T 2261.2: married.
WED = "20"


async def befalls(country: Country, person: Resident, event: str) -> bool:
    """It is brought to A, where the person lived at first. Whether it was taken, here or for somebody else.

    A marriage is entered by the station that answers; who has left is told whose it is (WRONG_PROVINCE), and
    a second entry waits for the first (DUPLICATE_CASE).
    """
    if event != "MARRIAGE":
        answer = await country.hold(person, event, A)
        return answer.status_code in {200, 202}
    answer = await country.ask(A, "/v1/cases", asked(country, MARITAL, person, NANJING, details=MARRIED))
    if answer.status_code != 202:
        assert answer.json()["code"] in {"WRONG_PROVINCE", "DUPLICATE_CASE"}
        return False
    case = answer.json()["case_id"]
    await country.until(A, case, "COMPLETED", "REFUSED", "LOCATING")
    return country.state(A, case) == "COMPLETED"


def holds_where_they_are(country: Country, person: Resident, event: str, *, taken: bool) -> bool:
    """One home, and there the event has its effect; or none, if it was refused."""
    home, _ = country.registers.holder(person.key)
    shown = {
        "DEATH": row(country, person, "state", home) == "CANCELLED_DEATH",
        "HOLD": row(country, person, "hold", home) == 1,
        "LIFT_HOLD": row(country, person, "hold", home) == 0,
        "BLOCK": bool(form(country, person, home).get("protected")),
        "MARRIAGE": form(country, person, home).get("marital_code") == WED,
    }
    alive = event == "DEATH" or row(country, person, "state", home) in {"HELD", "FROZEN"}
    return shown[event] is taken and alive


async def nobody_is_stuck(country: Country) -> None:
    """At rest nothing is owed by nobody, nothing waits in the wire, nothing was refused unseen."""
    await country.resend()
    await country.resend()
    assert forgotten(country) == []
    assert country.registers.homeless_and_doubled() == []
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


@EVENTS
@pytest.mark.parametrize("state", MOVES)
async def test_during_a_move(country: Country, event: str, state: str) -> None:
    """S2's table: it ends the move or goes with it, and who is gone is followed."""
    (person,) = lives_at(country, NANJING)
    held, end = MOVES[state]
    case = await stopped_at(country, person, held) if held else await country.move(person, B)
    taken = await befalls(country, person, event)
    # Who is on the way does not marry at A; before that the permit is confirmed anew (M2).
    assert taken is (event != "MARRIAGE" or state == "before M2")
    if held:
        await country.wire.let_go(held)
    await country.until(B, case, end if event in {"DEATH", "HOLD"} else "COMPLETED")
    await nobody_is_stuck(country)
    assert holds_where_they_are(country, person, event, taken=taken)


@EVENTS
async def test_while_the_ledger_is_asked(country: Country, event: str) -> None:
    """Nothing pre-empts then: what would is told to come again, and does so with effect."""
    (person,) = lives_at(country, NANJING)
    case = await stopped_at(country, person, "acceptance")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASING")
    taken = await befalls(country, person, event)
    assert taken is (event in {"LIFT_HOLD", "BLOCK"})
    country.ledger.down = False
    await country.pass_time(hours=2)
    await country.until(A, case, "CONFIRMED")
    if event in {"DEATH", "HOLD"}:  # the caller comes again
        taken = await befalls(country, person, event)
    await nobody_is_stuck(country)
    assert holds_where_they_are(country, person, event, taken=taken)


# What is asked of the home registry


async def _card(country: Country, person: Resident) -> str:
    case = await ask_for(country, FIRST, person, B)
    await country.until(A, case, "CHECKING")
    return case


async def _temporary(country: Country, person: Resident) -> str:
    await _card(country, person)
    case = await ask_for(country, TEMPORARY, person, B, details={"match_percent": 40})
    await country.until(A, case, "CHECKING")
    return case


async def _certificate(country: Country, person: Resident) -> str:
    case = await ask_for(country, BY_ARCHIVE, person, B)
    await country.until(A, case, "CHECKING")
    return case


async def _change(country: Country, person: Resident) -> str:
    case = await put(country, asked(country, "0619", person, NANJING, grade="B", details=EDUCATED))
    await country.until(A, case, "CHECKING")
    return case


EDUCATED: dict[str, Any] = {"changes": {"education_code": "20"}}
Opening = Callable[[Country, Resident], Awaitable[str]]
OPENINGS: dict[str, tuple[Opening, str, str]] = {
    # how a case comes to an officer of A, where it was accepted, where it stands after a yes
    "id_card": (_card, B, "IN_PRODUCTION"),
    "temporary_id": (_temporary, B, "AUTHORISED"),
    "certificate": (_certificate, B, "COMPLETED"),
    "register_change": (_change, A, "COMPLETED"),
}
OPENED = pytest.mark.parametrize("kind", OPENINGS)
REFUSED_BY = {"DEATH": "NOT_REGISTERED", "HOLD": "HOLD"}


@EVENTS
@OPENED
async def test_while_an_officer_looks(country: Country, event: str, kind: str) -> None:
    """CHECKING: what is asked for the dead is refused at the yes; a court's hold stops entries alone."""
    (person,) = lives_at(country, NANJING)
    opening, at, granted = OPENINGS[kind]
    case = await opening(country, person)
    taken = await befalls(country, person, event)
    await country.act(A, case, "decision", APPROVE)
    stops = event == "DEATH" or (event == "HOLD" and kind == "register_change")
    view = await seen(country, at, case, "REFUSED" if stops else granted)
    assert view.get("refusal", {}).get("code") == (REFUSED_BY[event] if stops else None)
    await nobody_is_stuck(country)
    assert holds_where_they_are(country, person, event, taken=taken)


@EVENTS
@OPENED
async def test_while_the_applicant_is_asked_for_more(country: Country, event: str, kind: str) -> None:
    """RETURNED: the applicant's relatives withdraw, or nobody comes; in either way the case ends."""
    (person,) = lives_at(country, NANJING)
    opening, at, _ = OPENINGS[kind]
    case = await opening(country, person)
    wanted = {"outcome": "return", "materials": ["BOOKLET"]}
    assert (await country.act(A, case, "decision", wanted)).status_code == 202
    await country.until(at, case, "RETURNED", "CORRECTION")
    taken = await befalls(country, person, event)
    if event == "DEATH":
        handed = {"materials": [{"kind": "BOOKLET", "grade": "B"}]}
        await country.act(at, case, "materials", handed)
        view = await seen(country, at, case, "REFUSED")
        assert view["refusal"]["code"] == "NOT_REGISTERED"
    else:
        await country.pass_time(days=70, step_hours=24 * 10)
        await country.until(at, case, "EXPIRED")
    await nobody_is_stuck(country)
    assert holds_where_they_are(country, person, event, taken=taken)


# Documents of the dead


async def test_cards_end_with_their_owner_and_certificates_do_not(country: Country) -> None:
    """A card shows who somebody is; a certificate says what was so on its day."""
    person = country.person(A)
    paper = await seen(country, B, await ask_for(country, CERTIFICATE, person, B), "COMPLETED")
    made = await ask_for(country, REPLACE, person, B)
    card = await seen(country, B, made, "IN_PRODUCTION")
    asked_for = await ask_for(country, TEMPORARY, person, C)
    small = await seen(country, C, asked_for, "AUTHORISED")
    assert await report(country, C, asked_for, "printed") == 202
    await country.until(A, asked_for, "COMPLETED")
    await country.hold(person, "DEATH")
    stand = [await standing(country, A, view) for view in (card, small, paper)]
    assert stand == ["REVOKED", "REVOKED", "VALID"]
    # The window has not heard, and hands over what is void already.
    await report(country, B, made, "made")
    await report(country, B, made, "handed_over")
    await country.until(A, made, "COMPLETED")
    assert await standing(country, A, card) == "REVOKED"
    await nobody_is_stuck(country)


async def test_a_card_of_the_new_home_ends_by_a_death_brought_to_the_old_one(country: Country) -> None:
    """The death follows the person, and the card ends where it was issued."""
    person = country.person(A)
    await country.move(person, B)
    card = await seen(country, C, await ask_for(country, REPLACE, person, C), "IN_PRODUCTION")
    assert (await country.hold(person, "DEATH", A)).status_code == 202
    await country.wait(lambda: row(country, person, "state", B) == "CANCELLED_DEATH", "the death at B")
    assert await standing(country, B, card) == "REVOKED"


async def test_a_death_that_waited_for_the_certificate_ends_no_card_twice(country: Country) -> None:
    """It lay at B before the person did; entered with the settlement, in one unit of work."""
    person = country.person(A)
    case = await stopped_at(country, person, "certificate")
    await country.hold(person, "DEATH", A)
    await country.wait(lambda: country.registers.count("parked") == 1, "waiting at B")
    await country.wire.let_go("certificate")
    await country.until(B, case, "COMPLETED")
    assert row(country, person, "state", B) == "CANCELLED_DEATH"
    assert (await ask(country, person))["refusal"]["code"] == "NOT_REGISTERED"


async def ask(country: Country, person: Resident) -> dict[str, Any]:
    """A card is asked for at C; the view of the refusal."""
    return await seen(country, C, await ask_for(country, REPLACE, person, C), "REFUSED")
