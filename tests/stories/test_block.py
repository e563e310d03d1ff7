"""A protective block (domestic violence, a witness) hides where somebody lives and moves with them (S2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.stations import form
from tests.stories.windows import ask_for, seen
from tests.stories.world import Country

A, B, C = "32", "33", "44"
STATUS, KINSHIP = "0204", "0203"
APPROVE = {"outcome": "approve"}
WHERE = {"address", "household_no", "moved_in"}


def blocked(country: Country, person: Resident, at: str) -> bool:
    """Whether that register knows of a block."""
    query = "SELECT count(*) FROM record WHERE person = ?"
    known = country.registers.rows(at, query, person.key)[0][0]
    return bool(known) and bool(form(country, person, at).get("protected"))


async def known_to(country: Country, person: Resident, *codes: str) -> None:
    """In the end these registers know of it, no other does, and nothing waits or is owed."""
    await country.wait(lambda: all(blocked(country, person, code) for code in codes), f"a block at {codes}")
    await country.resend()
    assert [code for code in (A, B, C) if blocked(country, person, code)] == list(codes)
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


async def told(country: Country, view: dict[str, Any], at: str = B) -> set[str]:
    """Names of the fields of a case's document."""
    document = (await country.ask(at, f"/v1/documents/{view['documents'][0]['licence_id']}")).json()
    return {str(field["name"]).partition(".")[2] for field in document["fields"]}


async def test_a_certificate_is_reviewed_and_says_not_where(country: Country) -> None:
    """What is issued at once for others is for an officer, and the address is not in it."""
    person = country.person(A)
    await country.move(person, B)
    free = await seen(country, C, await ask_for(country, STATUS, person, C), "COMPLETED")
    assert await told(country, free) >= {"address", "household_no"}
    assert (await country.hold(person, "BLOCK", B)).json() == {"state": "HELD", "protected": True}
    case = await ask_for(country, STATUS, person, C)
    await country.until(B, case, "CHECKING")
    await country.act(B, case, "decision", APPROVE)
    issued = await seen(country, C, case, "COMPLETED")
    assert not WHERE & await told(country, issued)
    await country.hold(person, "LIFT_BLOCK", B)
    again = await seen(country, C, await ask_for(country, STATUS, person, C), "COMPLETED")
    assert "address" in await told(country, again)


async def test_a_relative_s_certificate_says_not_where_either(country: Country) -> None:
    """Whoever names the protected person gets no more than whoever is one."""
    one, other = country.family(A, 2)
    await country.hold(other, "BLOCK")
    case = await ask_for(country, KINSHIP, one, B, members=[other])
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", APPROVE)
    view = await seen(country, B, case, "COMPLETED")
    document = (await country.ask(A, f"/v1/documents/{view['documents'][0]['licence_id']}")).json()
    assert not {f["name"] for f in document["fields"]} & {f"person_2.{name}" for name in WHERE}


async def test_nobody_outside_can_tell(country: Country) -> None:
    """Lookups, right or wrong, and the views of a case answer as for anybody else: no code gives it away."""
    free, hidden = country.person(A), country.person(A)
    await country.hold(hidden, "BLOCK")
    answers = []
    for person in (free, hidden):
        right = await country.lookup(person, A)
        body = {**person.identity, "name": "另一人", "purpose": "BANK"}
        wrong = await country.ask(A, "/v1/registrations/lookup", body)
        case = await ask_for(country, STATUS, person, B, grade="B")
        await country.until(A, case, "CHECKING")
        view = await seen(country, B, case, "REQUESTED")
        public = {name: view[name] for name in ("state", "waiting_for", "documents")}
        answers.append((right.json(), wrong.status_code, wrong.json()["code"], public))
    assert answers[0] == answers[1]


async def test_it_moves_with_the_person_and_stays_known_behind(country: Country) -> None:
    """No move is stopped by it; the old register still knows, for it knows whereto."""
    person = country.person(A)
    await country.hold(person, "BLOCK")
    await country.move(person, B)
    await known_to(country, person, A, B)
    case = await ask_for(country, STATUS, person, C)
    await country.until(B, case, "CHECKING")


async def test_all_former_registers_are_told_and_acknowledge(country: Country) -> None:
    """Set where they live after two moves, and lifted: told back along the moves both times."""
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, C)
    await country.hold(person, "BLOCK", C)
    await known_to(country, person, A, B, C)
    await country.hold(person, "LIFT_BLOCK", C)
    await country.wait(lambda: not blocked(country, person, A), "lifted at A")
    await known_to(country, person)


async def test_brought_to_where_they_lived_before(country: Country) -> None:
    """It follows the pointers, and comes back on the way."""
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, C)
    assert (await country.hold(person, "BLOCK", A)).status_code == 202
    await known_to(country, person, A, B, C)


@pytest.mark.parametrize("sent", ["permit", "offer", "acceptance", "certificate", "settled"])
async def test_in_the_middle_of_a_move(country: Country, sent: str) -> None:
    """Whatever is under way, the move goes on and the block arrives."""
    person = country.person(A)
    case = await stopped_at(country, person, sent)
    assert (await country.hold(person, "BLOCK", A)).status_code in {200, 202}
    await country.wire.let_go(sent)
    await country.until(A, case, "CONFIRMED")
    await known_to(country, person, A, B)
    assert country.registers.holder(person.key) == (B, 1)


async def test_a_move_that_ends_leaves_nothing_behind(country: Country) -> None:
    """B was to get the person, was told, and is told no more: it keeps nothing of them."""
    person = country.person(A)
    case = await stopped_at(country, person, "acceptance")
    await country.hold(person, "BLOCK")
    await country.wait(lambda: country.registers.count("parked") == 1, "waiting at B")
    await country.hold(person, "HOLD")
    await country.until(B, case, "VOIDED")
    await country.wire.let_go("acceptance")
    await known_to(country, person, A)


async def test_neither_block_nor_hold_overtakes_the_other(country: Country) -> None:
    """Said one after the other at a former home, arriving the other way round: both count."""
    person = country.person(A)
    await country.move(person, B)
    country.wire.hold("event")
    for kind in ("HOLD", "BLOCK"):
        assert (await country.hold(person, kind, A)).status_code == 202
    await country.wait(lambda: len(country.wire.held) >= 2, "both under way")
    for letter in reversed(country.wire.held[:2]):
        await country.wire.deliver(letter)
        await country.calm()
    await country.wire.let_go("event")
    await known_to(country, person, A, B)
    row = country.registers.person(B, person.key)
    assert row is not None
    assert row["hold"] == 1
