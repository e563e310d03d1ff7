"""Taking an application back: in every state before the acceptance, and not after."""

from __future__ import annotations

import pytest

from tests.stories.folk import Resident
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def withdrawn(country: Country, person: Resident, case: str) -> None:
    """Withdraw; the case ends on both sides and the person keeps home and freedom."""
    assert (await country.act(B, case, "withdrawal")).status_code == 202
    for name in set(country.wire.holding):
        await country.wire.let_go(name)
    await country.until(B, case, "WITHDRAWN")
    await country.calm()
    assert country.state(A, case) in {"WITHDRAWN", None}
    assert country.registers.holder(person.key) == (A, 0)
    row = country.registers.person(A, person.key)
    assert row is not None
    assert (row["state"], row["case_id"]) == ("HELD", None)
    assert country.registers.count("quarantine") == 0
    await country.move(person, C)


@pytest.mark.parametrize(
    ("held", "state"), [("precheck", "CHECKING"), ("facts", "CHECKING"), ("permit", "PERMITTED")]
)
async def test_withdrawing_while_a_message_is_under_way(country: Country, held: str, state: str) -> None:
    """A withdrawal that crosses precheck, facts or permit ends the case WITHDRAWN on both sides (MW)."""
    person = country.person(A)
    country.wire.hold(held)
    case = await country.apply(person, B)
    await country.until(B, case, state)
    await country.calm()
    await withdrawn(country, person, case)


async def test_a_withdrawal_overtakes_the_offer(country: Country) -> None:
    """A withdrawal that crosses the offer thaws the person; the offer is late and does nothing (MW, MX)."""
    person = country.person(A)
    country.wire.hold("offer")
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    assert (await country.act(B, case, "withdrawal")).status_code == 202
    await country.until(A, case, "WITHDRAWN")
    await country.wire.let_go("offer")
    await country.calm()
    assert country.state(B, case) == "WITHDRAWN"
    assert country.registers.person(B, person.key) is None
    assert country.registers.claims(person.key) == [A]
    await country.move(person, C)


async def test_the_offer_overtakes_the_cancel(country: Country) -> None:
    """An offer that reaches a case already WITHDRAWING prepares nothing."""
    person = country.person(A)
    country.wire.hold("offer", "withdrawal")
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    await country.act(B, case, "withdrawal")
    await country.wire.let_go("offer")
    await country.calm()
    assert country.state(B, case) == "WITHDRAWING"
    assert country.registers.person(B, person.key) is None
    await country.wire.let_go("withdrawal")
    await country.until(B, case, "WITHDRAWN")
    assert country.registers.holder(person.key) == (A, 0)


async def test_withdrawing_while_an_officer_reviews(country: Country) -> None:
    """A case that waits for an officer can be withdrawn; the origin is told."""
    person = country.person(A)
    case = await country.apply(person, B, grade="B")
    await country.until(B, case, "REVIEWING")
    await withdrawn(country, person, case)
    assert country.state(A, case) == "WITHDRAWN"


async def test_withdrawing_while_materials_are_owed(country: Country) -> None:
    """A case in CORRECTION that the origin never heard of ends on the spot."""
    person = country.person(A)
    case = await country.apply(person, B, without=("BOOKLET",))
    await country.until(B, case, "CORRECTION")
    await withdrawn(country, person, case)
    assert country.state(A, case) is None


async def test_withdrawing_a_returned_case(country: Country) -> None:
    """A case returned for correction is known to the origin: it is told, and the case ends there too."""
    person = country.person(A)
    case = await country.apply(person, B, grade="B")
    await country.until(B, case, "REVIEWING")
    await country.act(B, case, "decision", {"outcome": "return"})
    await country.until(B, case, "CORRECTION")
    await withdrawn(country, person, case)
    assert country.state(A, case) == "WITHDRAWN"


async def test_withdrawing_while_the_ledger_locates(country: Country) -> None:
    """While the ledger is away an application waits in LOCATING, and can be withdrawn there."""
    person = country.person(A)
    country.ledger.down = True
    case = await country.apply(person, B)
    await country.until(B, case, "LOCATING")
    assert (await country.act(B, case, "withdrawal")).status_code == 202
    country.ledger.down = False
    await country.until(B, case, "WITHDRAWN")


@pytest.mark.parametrize("state", ["PREPARED", "COMPLETED"])
async def test_after_the_acceptance_it_is_too_late(country: Country, state: str) -> None:
    """After M3 only forward: 409 TOO_LATE, and the move goes on to its end."""
    person = country.person(A)
    if state == "PREPARED":
        country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, state)
    answer = await country.act(B, case, "withdrawal")
    assert (answer.status_code, answer.json()["code"]) == (409, "TOO_LATE")
    await country.wire.let_go("acceptance")
    await country.until(A, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_a_withdrawal_twice_is_one(country: Country) -> None:
    """Withdrawing again while the origin has not answered changes nothing and sends nothing more."""
    person = country.person(A)
    country.wire.hold("facts", "cancel")
    case = await country.apply(person, B)
    await country.act(B, case, "withdrawal")
    again = await country.act(B, case, "withdrawal")
    assert (again.status_code, again.json()["code"]) == (409, "STEP_NOT_ALLOWED")
    await country.calm()
    assert len([x for x in country.wire.sent if x.name == "withdrawal"]) == 1
    await country.wire.let_go("cancel")
    await country.until(B, case, "WITHDRAWN")


async def test_a_withdrawal_of_a_case_the_origin_never_heard_of_ends(country: Country) -> None:
    """Nobody waits for ever: the origin cancels a withdrawn case it does not know, and records that."""
    person = country.person(A)
    country.wire.dropping.add("precheck")
    case = await country.apply(person, B)
    await country.act(B, case, "withdrawal")
    rows = "UPDATE outbox SET next_try_at = NULL WHERE raw LIKE '%migration.precheck%'"
    await country.calm()
    await country.stop(B)
    country.registers.change(country.sites[B].database, rows)  # the precheck is lost for good
    await country.start(B)
    await country.resend()
    assert country.state(B, case) in {"WITHDRAWN", "VOIDED"}
