"""Migrations that may not be: who is refused, when, and that nobody loses a home over it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.stories.folk import Resident
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def refused(country: Country, person: Resident, to: str, case: str) -> str | None:
    """The code with which a case was refused; the person's home is where it was."""
    await country.until(to, case, "REFUSED")
    await country.calm()
    assert country.registers.holder(person.key) == (person.province, 0)
    return (await country.case(to, case)).refusal


async def test_an_unknown_person_is_refused_at_the_door(country: Country) -> None:
    """Whom the ledger does not know, nobody can move: NOT_REGISTERED, and no case is opened."""
    answer = await country.ask(B, "/v1/cases", country.application(country.stranger(), B))
    assert (answer.status_code, answer.json()["code"]) == (422, "NOT_REGISTERED")


async def test_a_wrong_name_is_refused_by_the_origin(country: Country) -> None:
    """A number under another name is IDENTITY_NOT_VERIFIED, said by the origin, on both sides."""
    person = country.person(A)
    body = country.application(person, B) | {"applicant": person.identity | {"name": "另一人"}}
    case = (await country.ask(B, "/v1/cases", body)).json()["case_id"]
    assert await refused(country, person, B, case) == "IDENTITY_NOT_VERIFIED"
    assert country.state(A, case) == "REFUSED"


async def test_who_lives_there_already_is_refused(country: Country) -> None:
    """A move within the province is no migration between provinces: SAME_PROVINCE."""
    answer = await country.ask(A, "/v1/cases", country.application(country.person(A), A))
    assert answer.json()["code"] == "SAME_PROVINCE"


async def test_the_same_application_twice_is_the_same_case(country: Country) -> None:
    """A second application of one person at one destination is answered with the first case."""
    person = country.person(A)
    country.wire.hold("facts")
    case = await country.apply(person, B)
    answer = await country.ask(B, "/v1/cases", country.application(person, B))
    assert (answer.status_code, answer.json()["code"]) == (409, "DUPLICATE_CASE")
    assert answer.json()["instance"].endswith(case)


async def test_a_hold_before_the_precheck_refuses(country: Country) -> None:
    """A person under a hold is not moved: the facts say HOLD."""
    person = country.person(A)
    assert (await country.hold(person, "HOLD")).status_code == 200
    assert await refused(country, person, B, await country.apply(person, B)) == "HOLD"


async def test_a_hold_between_facts_and_permit_refuses(country: Country) -> None:
    """A hold that comes before the freeze stops the permit: MR with HOLD, nothing was ever frozen."""
    person = country.person(A)
    country.wire.hold("permit")
    case = await country.apply(person, B)
    await country.until(B, case, "PERMITTED")
    await country.hold(person, "HOLD")
    await country.wire.let_go("permit")
    assert await refused(country, person, B, case) == "HOLD"
    assert "FROZEN" not in country.timeline(A, case)


async def test_a_lifted_hold_no_longer_refuses(country: Country) -> None:
    """Once the hold is lifted the same person moves."""
    person = country.person(A)
    await country.hold(person, "HOLD")
    await country.hold(person, "LIFT_HOLD")
    await country.move(person, B)
    assert country.registers.holder(person.key) == (B, 1)


@pytest.mark.parametrize("sent", ["offer", "acceptance"])
@pytest.mark.parametrize(("kind", "state"), [("HOLD", "HELD"), ("DEATH", "CANCELLED_DEATH")])
async def test_what_pre_empts_a_frozen_transfer(country: Country, sent: str, kind: str, state: str) -> None:
    """A hold or a death while FROZEN cancels: VOIDED on both sides, the person stays with the origin."""
    person = country.person(A)
    country.wire.hold(sent)
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    if sent == "acceptance":
        await country.until(B, case, "PREPARED")
    assert (await country.hold(person, kind)).status_code == 200
    await country.until(B, case, "VOIDED")
    await country.wire.let_go(sent)
    await country.calm()
    row = country.registers.person(A, person.key)
    assert row is not None
    assert (country.state(A, case), country.state(B, case), row["state"]) == ("VOIDED", "VOIDED", state)
    assert bool(row["hold"]) == (kind == "HOLD")
    assert country.registers.holder(person.key) == (A, 0)


async def test_a_hold_on_one_member_voids_the_household_s_transfer(country: Country) -> None:
    """The unit of freeze is the members moving: a hold on one of them ends the transfer of all."""
    family = country.family(A, adults=2)
    country.wire.hold("acceptance")
    case = await country.apply(family[0], B, members=family[1:])
    await country.until(B, case, "PREPARED")
    assert (await country.hold(family[1], "HOLD")).status_code == 200
    await country.until(B, case, "VOIDED")
    assert [country.registers.holder(member.key) for member in family] == [(A, 0)] * 2


async def test_a_hold_waits_while_the_ledger_is_asked(country: Country) -> None:
    """Between the question to the ledger and its answer nothing pre-empts: try again, IN_TRANSFER."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASING")
    answer = await country.hold(person, "HOLD")
    assert (answer.status_code, answer.json()["code"]) == (409, "IN_TRANSFER")


async def test_the_first_freeze_wins(country: Country) -> None:
    """Two destinations ask for one person: the first freeze wins, the other is told when to retry (M-3)."""
    person = country.person(A)
    country.wire.hold("permit", "offer")
    first, second = await country.apply(person, B), await country.apply(person, C)
    await country.until(B, first, "PERMITTED")
    await country.until(C, second, "PERMITTED")
    await country.wire.let_go("permit")
    await country.until(C, second, "REFUSED", "PERMITTED")
    await country.calm()
    sides = {B: first, C: second}
    (winner,) = [code for code, case in sides.items() if country.state(A, case) == "FROZEN"]
    (loser,) = set(sides) - {winner}
    lost = await country.case(loser, sides[loser])
    assert (lost.state, lost.refusal) == ("REFUSED", "IN_TRANSFER")
    assert lost.retry_at is not None
    assert lost.retry_at > country.clock.now()
    await country.wire.let_go("offer")
    await country.until(A, sides[winner], "CONFIRMED")
    assert country.registers.holder(person.key) == (winner, 1)


async def test_who_asks_while_frozen_is_told_so_at_once(country: Country) -> None:
    """A precheck for a person who is frozen for another case gets IN_TRANSFER with a time to try again."""
    person = country.person(A)
    country.wire.hold("offer")
    await country.until(A, await country.apply(person, B), "FROZEN")
    case = await country.apply(person, C)
    assert await refused(country, person, C, case) == "IN_TRANSFER"
    view = (await country.ask(C, f"/v1/cases/{case}")).json()
    assert datetime.fromisoformat(view["refusal"]["retry_at"]) > country.clock.now()


async def test_who_moved_on_is_followed(country: Country) -> None:
    """The facts say the person moved: the destination asks the new holder and the move goes on from there."""
    person = country.person(A)
    country.wire.hold("precheck")
    case = await country.apply(person, C)
    mover = await country.apply(person, B)
    held = country.wire.held
    country.wire.held = [letter for letter in held if letter.label.case_id != mover]
    await country.wire.deliver(next(letter for letter in held if letter.label.case_id == mover))
    await country.until(A, mover, "CONFIRMED")
    await country.wire.let_go("precheck")
    await country.until(C, case, "COMPLETED")
    await country.until(B, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (C, 2)
    assert country.state(A, case) == "REFUSED"


async def test_a_permit_that_lapsed_on_its_way_freezes_nobody(country: Country) -> None:
    """The origin judges the permit when it would freeze: after 40 days it is EXPIRED on both sides (M-1)."""
    person = country.person(A)
    country.wire.hold("permit", "withdrawal")
    case = await country.apply(person, B)
    await country.until(B, case, "PERMITTED")
    await country.pass_time(days=40, hours=1, step_hours=24)
    await country.wire.let_go("permit")
    await country.wire.let_go("withdrawal")
    await country.until(B, case, "EXPIRED")
    await country.calm()
    assert country.state(A, case) == "EXPIRED"
    assert "FROZEN" not in country.timeline(A, case)


async def test_a_permit_that_lapses_while_the_offer_is_held_up(country: Country) -> None:
    """Frozen for nothing for 40 days: EXPIRED on both sides, and the person is free again (M-1)."""
    person = country.person(A)
    country.wire.hold("offer")
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    await country.pass_time(days=40, hours=2, step_hours=24)
    await country.until(B, case, "EXPIRED")
    await country.wire.let_go("offer")
    await country.calm()
    assert (country.state(A, case), country.state(B, case)) == ("EXPIRED", "EXPIRED")
    assert country.registers.holder(person.key) == (A, 0)
    await country.move(person, C)


async def test_a_permit_that_lapses_at_the_destination_first(country: Country) -> None:
    """If the destination's word of the lapse comes before the origin's own limit, both still say EXPIRED."""
    person = country.person(A)
    country.wire.hold("permit", "offer")
    case = await country.apply(person, B)
    await country.until(B, case, "PERMITTED")
    await country.pass_time(hours=10)
    await country.wire.let_go("permit")
    await country.until(A, case, "FROZEN")
    await country.pass_time(days=39, hours=15, step_hours=24)
    await country.until(B, case, "EXPIRED")
    assert (country.state(A, case), country.state(B, case)) == ("EXPIRED", "EXPIRED")


async def test_a_record_that_changed_is_confirmed_anew(country: Country) -> None:
    """A permit relies on a record version; where it changed the destination decides again on new facts."""
    family = country.family(A, adults=2)
    country.wire.hold("permit")
    head, other = await country.apply(family[0], B), await country.apply(family[1], C)
    await country.until(B, head, "PERMITTED")
    await country.until(C, other, "PERMITTED")
    await country.wait(lambda: len(country.wire.held) == 2, "both permits on the wire")
    letters = {letter.label.case_id: letter for letter in country.wire.held}
    await country.wire.deliver(letters[head])
    await country.until(A, head, "CONFIRMED")  # the other one is head now: a new record version
    country.wire.held.clear()
    country.wire.holding.clear()
    await country.wire.deliver(letters[other])
    await country.until(A, other, "CONFIRMED")
    assert country.timeline(A, other)[:3] == ["OPEN", "OPEN", "FROZEN"]
    assert country.timeline(C, other)[:3] == ["CHECKING", "PERMITTED", "PERMITTED"]


async def test_minors_are_never_left_alone(country: Country) -> None:
    """The last adult can't move away from the children: MINOR_LEFT_ALONE (M-2)."""
    family = country.family(A, adults=1, minors=1)
    assert await refused(country, family[0], B, await country.apply(family[0], B)) == "MINOR_LEFT_ALONE"


async def test_two_parents_who_leave_in_two_cases_leave_no_minor_alone(country: Country) -> None:
    """Who is frozen to leave does not count as staying: the second parent is refused (M-2)."""
    family = country.family(A, adults=2, minors=1)
    parents = [member for member in family if member.age >= 18]
    country.wire.hold("offer")
    first, second = await country.apply(parents[0], B), await country.apply(parents[1], C)
    await country.until(A, first, "FROZEN", "REFUSED")
    await country.until(A, second, "FROZEN", "REFUSED")
    states = sorted(str(country.state(A, case)) for case in (first, second))
    assert states == ["FROZEN", "REFUSED"]


async def test_two_adults_may_leave_at_once_in_two_cases(country: Country) -> None:
    """Where no minor lives nobody is left alone: both adults of a household may be on their way at once."""
    family = country.family(A, adults=2)
    country.wire.hold("offer")
    first, second = await country.apply(family[0], B), await country.apply(family[1], C)
    await country.until(A, first, "FROZEN", "REFUSED")
    await country.until(A, second, "FROZEN", "REFUSED")
    await country.wire.let_go("offer")
    await country.until(A, first, "CONFIRMED", "REFUSED")
    await country.until(A, second, "CONFIRMED", "REFUSED")
    assert [country.state(A, case) for case in (first, second)] == ["CONFIRMED"] * 2
    closed = "SELECT open FROM household WHERE id = ?"
    assert country.registers.rows(A, closed, family[0].home) == [(0,)]


async def test_a_refused_person_may_apply_again(country: Country) -> None:
    """A refusal closes the case and nothing else: the next application is a new case."""
    person = country.person(A)
    await country.hold(person, "HOLD")
    await refused(country, person, B, await country.apply(person, B))
    await country.hold(person, "LIFT_HOLD")
    await country.pass_time(hours=1)
    before = country.clock.now()
    await country.move(person, B)
    assert country.clock.now() - before < timedelta(minutes=1)
