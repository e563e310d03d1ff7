"""Migrations in which a person has to decide: review, correction, an offer that differs."""

from __future__ import annotations

from typing import cast

from tests.stories.folk import Resident
from tests.stories.mischief import forged
from tests.stories.world import Country
from tongban_registry.envelopes import sealing_context
from tongban_shared.ids import CaseId
from tongban_shared.keys import load_directory, load_signer
from tongban_shared.messages.migration import Offer, PersonEpoch
from tongban_shared.wire import Opened, Opener

A, B = "32", "33"
APPROVE, REFUSE, RETURN = {"outcome": "approve"}, {"outcome": "refuse"}, {"outcome": "return"}


async def in_review(country: Country, person: Resident) -> CaseId:
    """A case with grade-B materials, before its officer."""
    case = await country.apply(person, B, grade="B")
    await country.until(B, case, "REVIEWING")
    return case


async def test_weaker_materials_wait_for_an_officer(country: Country) -> None:
    """Grade-B materials decide nothing by themselves: the case waits for the county bureau."""
    person = country.person(A)
    case = await in_review(country, person)
    await country.calm()
    view = (await country.ask(B, f"/v1/cases/{case}")).json()
    assert (view["state"], view["waiting_for"]["owner"]) == ("REVIEWING", "officer")
    assert country.state(A, case) == "OPEN"


async def test_an_approval_moves_the_person(country: Country) -> None:
    """The officer approves: permit, and on to the end; the permit names the officer."""
    person = country.person(A)
    case = await in_review(country, person)
    answer = await country.ask(B, f"/v1/cases/{case}/decision", APPROVE, X_Tongban_Officer="330100-0007")
    assert answer.status_code == 202
    await country.until(A, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)
    assert (await country.case(B, case)).data.officer == "330100-0007"


async def test_a_refusal_ends_the_case_on_both_sides(country: Country) -> None:
    """The officer refuses with a reason: REFUSED here, closed at the origin, where nothing ever changed."""
    person = country.person(A)
    case = await in_review(country, person)
    await country.act(B, case, "decision", REFUSE | {"reason_code": "NOT_ELIGIBLE"})
    await country.until(A, case, "WITHDRAWN")
    refused = await country.case(B, case)
    assert (refused.state, refused.refusal) == ("REFUSED", "NOT_ELIGIBLE")
    assert country.registers.holder(person.key) == (A, 0)


async def test_a_returned_case_goes_on_with_its_materials(country: Country) -> None:
    """Returned, corrected, reviewed again, approved: the clock of the citizen and not of the office runs."""
    person = country.person(A)
    case = await in_review(country, person)
    await country.act(B, case, "decision", RETURN | {"note": "原件不清"})
    await country.until(B, case, "CORRECTION")
    handed = {"materials": [{"kind": "TRANSFER_APPROVAL", "grade": "B"}]}
    assert (await country.act(B, case, "materials", handed)).status_code == 202
    await country.until(B, case, "REVIEWING")
    await country.act(B, case, "decision", APPROVE)
    await country.until(A, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_what_is_missing_is_named_once_and_then_goes_on(country: Country) -> None:
    """Missing secondary materials: CORRECTION with a list; handed in, the move goes on by itself."""
    person = country.person(A)
    case = await country.apply(person, B, without=("BOOKLET", "HOST_CONSENT"))
    view = (await country.ask(B, f"/v1/cases/{case}")).json()
    assert (view["state"], view["missing_materials"]) == ("CORRECTION", ["BOOKLET", "HOST_CONSENT"])
    await country.act(B, case, "materials", {"materials": [{"kind": "BOOKLET", "grade": "A"}]})
    assert country.state(B, case) == "CORRECTION"
    await country.act(B, case, "materials", {"materials": [{"kind": "HOST_CONSENT", "grade": "A"}]})
    await country.until(A, case, "CONFIRMED")


async def test_a_correction_overdue_expires(country: Country) -> None:
    """Who hands in nothing for 30 days: EXPIRED, and only then."""
    case = await country.apply(country.person(A), B, without=("BOOKLET",))
    await country.pass_time(days=29)
    assert country.state(B, case) == "CORRECTION"
    await country.pass_time(days=1, hours=1)
    assert country.state(B, case) == "EXPIRED"


async def test_a_returned_case_overdue_ends_at_the_origin_too(country: Country) -> None:
    """A returned case that expires tells the origin, which closes its mirror."""
    case = await in_review(country, country.person(A))
    await country.act(B, case, "decision", RETURN)
    await country.pass_time(days=31)
    await country.until(A, case, "WITHDRAWN", "EXPIRED")
    assert country.state(B, case) == "EXPIRED"


async def test_a_review_overdue_still_waits_for_its_officer(country: Country) -> None:
    """Silence decides nothing: after its five days the case is still in review, and can be approved."""
    person = country.person(A)
    case = await in_review(country, person)
    await country.pass_time(days=8, step_hours=24)
    assert country.state(B, case) == "REVIEWING"
    await country.act(B, case, "decision", APPROVE)
    await country.until(A, case, "CONFIRMED")


async def test_a_decision_out_of_place_is_refused(country: Country) -> None:
    """A decision on a case that waits for none: 409, nothing changes."""
    person = country.person(A)
    country.wire.hold("facts")
    case = await country.apply(person, B)
    answer = await country.act(B, case, "decision", APPROVE)
    assert (answer.status_code, answer.json()["code"]) == (409, "STEP_NOT_ALLOWED")
    assert country.state(B, case) == "CHECKING"


async def differing(country: Country, person: Resident) -> CaseId:
    """A case whose offer names another permit than the one that was given."""
    opener = Opener(B, load_directory(country.keys))
    country.wire.hold("offer")
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    opened = next(iter(opener.open(country.wire.taken("offer", case).data)))
    assert isinstance(opened, Opened)
    true = cast("Offer", opened.message.body)
    bundle = load_signer(country.keys, B).unseal(A, true.sealed, sealing_context(case, true))
    persons = (PersonEpoch(person=person.key, epoch=0),)
    body = Offer(permit_no="ZQ33202699999999X", persons=persons, digest=true.digest, sealed="")
    country.wire.held.clear()
    await country.wire.deliver(forged(country, body, (A, B), case_id=case, bundle=bundle))
    await country.until(B, case, "CONFIRMING")
    return case


async def test_an_offer_that_differs_waits_for_an_officer(country: Country) -> None:
    """A bundle that is not what was approved is not accepted by itself; the person stays where it is."""
    person = country.person(A)
    await differing(country, person)
    await country.calm()
    assert country.registers.person(B, person.key) is None
    assert country.registers.holder(person.key) == (A, 0)


async def test_an_officer_takes_the_differing_offer(country: Country) -> None:
    """The officer confirms: accepted, and the move goes to its end."""
    person = country.person(A)
    case = await differing(country, person)
    assert (await country.act(B, case, "decision", APPROVE)).status_code == 202
    await country.until(A, case, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_an_officer_refuses_the_differing_offer(country: Country) -> None:
    """The officer does not confirm: MW, MX, and the person is free again at the origin."""
    person = country.person(A)
    case = await differing(country, person)
    await country.act(B, case, "decision", REFUSE)
    await country.until(B, case, "REFUSED", "WITHDRAWN")
    await country.calm()
    row = country.registers.person(A, person.key)
    assert row is not None
    assert (row["state"], row["case_id"]) == ("HELD", None)
