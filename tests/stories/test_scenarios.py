"""Scenarios of the nearest analogue, the German inter-register exchange, played with what there is here.

Each story names its scenario by number; the list stands at the end of services.md. What has no counterpart:

| scenario | why not here |
|---|---|
| 02.002.004.002 minor, legal-entity guardian | a guardian is a person with a number; no others here |
| 02.002.001.003 no first name, partial birth date | a name is one text, a number holds a full date |
| Ruecknahme001 death entered, then withdrawn | nobody comes back from DEATH; a correction is for the courts |
| 00.019.001.001 duplicate record cancelled | a number is one key and one row; no case merges two numbers |
| 00.017.003.002 child attached to the wrong mother | the register holds households and no parents |
| 1.7.1, the notice to the spouse | a spouse stands in nobody's record; a hold is played instead |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.stories.folk import Resident
from tests.stories.forging import CASE, precheck, stopped_at
from tests.stories.mischief import forged
from tests.stories.stations import (
    ABROAD,
    MARITAL,
    MARRIED,
    MILITARY,
    NANJING,
    VETERAN,
    ZHENJIANG,
    approved,
    asked,
    form,
    lives_at,
    place,
    put,
    row,
)
from tests.stories.test_province_items import with_one_more  # noqa: F401  # a fixture
from tests.stories.windows import FIRST, REPLACE, application, ask_for, seen
from tests.stories.world import Country

A, B, C = "32", "33", "44"
MOVED_FIELDS = {"address", "household_no", "moved_in"}


def blocked(country: Country, person: Resident, at: str) -> bool:
    """Whether that register knows of a protective block."""
    return bool(form(country, person, at).get("protected"))


async def refusal(country: Country, at: str, case: str) -> str:
    """The code with which a case was refused there."""
    return str((await seen(country, at, case, "REFUSED"))["refusal"]["code"])


async def test_a_move_with_identical_data(country: Country) -> None:
    """1.7.1 02.002.001.001: all that is not the address is as before; an ended block stops nothing."""
    one, other = country.family(A, 2)
    before = form(country, one)
    for kind in ("HOLD", "LIFT_HOLD"):
        await country.hold(one, kind)
    await country.move(other, C)
    await country.move(one, B)
    after = form(country, one, B)
    assert {k: v for k, v in after.items() if k not in MOVED_FIELDS} == {
        k: v for k, v in before.items() if k not in MOVED_FIELDS
    }
    assert (await country.hold(other, "HOLD", A)).json()["waiting_for"]["province"] == C
    await country.wait(lambda: row(country, other, "hold", C) == 1, "what was brought to the wrong place")


async def test_names_differ_and_the_partner_is_dead(country: Country) -> None:
    """2.1 02.004.003.001: another first name is not this person; who is dead does not move along."""
    one, other = country.family(A, 2)
    await country.hold(other, "DEATH")
    body = country.application(one, B) | {"applicant": one.identity | {"name": "另一人"}}
    wrong = (await country.ask(B, "/v1/cases", body)).json()["case_id"]
    assert await refusal(country, B, wrong) == "IDENTITY_NOT_VERIFIED"
    both = await country.apply(one, B, members=[other])
    assert await refusal(country, B, both) == "NOT_REGISTERED"
    await country.move(one, B)
    assert row(country, other, "state") == "CANCELLED_DEATH"


async def test_a_block_that_stood_at_the_origin_alone(country: Country) -> None:
    """1.8 02.004.009.001: set when the offer was on its way; the destination's record is made right."""
    person = country.person(A)
    case = await stopped_at(country, person, "offer")
    await country.hold(person, "BLOCK")
    await country.wire.let_go("offer")
    await country.until(B, case, "COMPLETED")
    await country.wait(lambda: blocked(country, person, B), "the block at B")


async def test_a_notice_about_somebody_who_died(country: Country) -> None:
    """2.4.4 00.013.001.001: a hold that comes after the death changes nothing and waits nowhere."""
    person = country.person(A)
    await country.move(person, B)
    country.wire.hold("event")
    await country.hold(person, "HOLD", A)
    assert (await country.hold(person, "DEATH", B)).status_code == 200
    await country.wire.let_go("event")
    await country.calm()
    assert (row(country, person, "state", B), row(country, person, "hold", B)) == ("CANCELLED_DEATH", 0)
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


async def test_a_second_move_while_the_first_is_open(country: Country) -> None:
    """2.4.4 02.002.001.003: the first goes on; the second is told when to try again."""
    person = country.person(A)
    first = await stopped_at(country, person, "offer")
    second = await country.apply(person, C)
    assert await refusal(country, C, second) == "IN_TRANSFER"
    await country.wire.let_go("offer")
    await country.until(A, first, "CONFIRMED")
    assert country.registers.holder(person.key) == (B, 1)


async def test_who_had_left_the_country_does_not_move(country: Country) -> None:
    """2.4.4 02.004.016.002: whoever settled abroad has no registration to move."""
    person, _ = lives_at(country, NANJING, adults=2)
    await approved(country, await put(country, asked(country, ABROAD, person, NANJING)))
    case = await country.apply(person, B)
    assert await refusal(country, B, case) == "NOT_REGISTERED"
    assert row(country, person, "state") == "CANCELLED_ABROAD"


async def test_a_minor_with_a_natural_guardian(country: Country) -> None:
    """2.4.2 02.002.004.001: a child comes with who looks after it, in a move and at a window."""
    parent, child = country.family(A, 1, 1)
    alone = await country.ask(B, "/v1/cases", application(country, FIRST, child, B))
    assert alone.json()["code"] == "GUARDIAN_ABSENT"
    await country.move(parent, B, members=[child])
    assert [country.registers.holder(one.key) for one in (parent, child)] == [(B, 1)] * 2
    assert row(country, parent, "household_id", B) == row(country, child, "household_id", B)


async def test_rare_letters_in_an_address(country: Country) -> None:
    """02.002.003.001: what people wrote arrives as they wrote it, rare characters and all."""
    person = country.person(A)
    address = "𠮷野·喀什噶尔路１号 Čáslavská-Straße"
    body = country.application(person, B)
    body["destination"]["address"] = address
    case = (await country.ask(B, "/v1/cases", body)).json()["case_id"]
    await country.until(B, case, "COMPLETED")
    assert form(country, person, B)["address"] == address


async def test_a_family_s_move_is_withdrawn(country: Country) -> None:
    """24.11 Ruecknahme005: all of them stay, free for another move."""
    family = country.family(A, 2)
    country.wire.hold("offer")
    case = await country.apply(family[0], B, members=family[1:])
    await country.until(A, case, "FROZEN")
    assert (await country.act(B, case, "withdrawal")).status_code == 202
    await country.until(B, case, "WITHDRAWN")
    await country.wire.let_go("offer")
    await country.calm()
    assert [row(country, one, "state") for one in family] == ["HELD"] * 2
    await country.move(family[0], C, members=family[1:])


async def test_a_wrongly_assumed_identity(country: Country) -> None:
    """2.4.3 05.007.002.001: asked under another's number, found out, withdrawn; the other is untouched."""
    person = country.person(A)
    country.wire.hold("facts")
    body = country.application(person, B) | {"applicant": person.identity | {"name": "另一人"}}
    case = (await country.ask(B, "/v1/cases", body)).json()["case_id"]
    await country.until(B, case, "CHECKING")
    await country.act(B, case, "withdrawal")
    await country.wire.let_go("facts")
    await country.until(B, case, "WITHDRAWN", "REFUSED")
    assert (row(country, person, "state"), country.registers.holder(person.key)) == ("HELD", (A, 0))
    await country.move(person, B)


async def test_the_same_is_asked_for_twice_and_the_answers_cross(country: Country) -> None:
    """2.4.4 05.001.003.003: one card is granted, the other window gets the error, in whichever order."""
    person = country.person(A)
    country.wire.hold("approved", "refusal")
    cases = {at: await ask_for(country, REPLACE, person, at) for at in (B, C)}
    await country.wait(lambda: {x.name for x in country.wire.held} >= {"approved", "refusal"}, "both answers")
    await country.wire.let_go("refusal")
    await country.wire.let_go("approved")
    await country.calm()
    assert sorted(str(country.state(at, case)) for at, case in cases.items()) == ["IN_PRODUCTION", "REFUSED"]
    lost = next(at for at, case in cases.items() if country.state(at, case) == "REFUSED")
    assert await refusal(country, lost, cases[lost]) == "DUPLICATE_CASE"


async def test_a_block_is_set_and_lifted_soon_after(country: Country) -> None:
    """2.4.3 00.007.001.001: all former registers are told of both, in whatever order, and acknowledge."""
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, C)
    country.wire.hold("event")
    for kind in ("BLOCK", "LIFT_BLOCK"):
        await country.hold(person, kind, C)
    await country.wait(lambda: len(country.wire.held) >= 2, "both under way")
    country.wire.holding.clear()
    for letter in reversed(country.wire.held[:2]):
        await country.wire.deliver(letter)
        await country.calm()
    await country.resend()
    assert not any(blocked(country, person, at) for at in (A, B, C))
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0


@pytest.mark.usefixtures("with_one_more")
async def test_an_official_change_of_name(country: Country) -> None:
    """2.3 00.006.005.001: a move under way confirms it and carries it; the new home knows the new name."""
    (person,) = lives_at(country, NANJING)
    case = await stopped_at(country, person, "permit")
    body = asked(country, "0625", person, ZHENJIANG, grade="A", details={"changes": {"name": "示例新名"}})
    await approved(country, await put(country, body))
    await country.wire.let_go("permit")
    await country.until(B, case, "REFUSED", "COMPLETED")
    # The application was for the old name: the origin no longer finds it, and it is made anew.
    assert await refusal(country, B, case) == "IDENTITY_NOT_VERIFIED"
    renamed = replace(person, name="示例新名")
    await country.move(renamed, B)
    assert (form(country, person, B)["name"], form(country, person, B)["former_name"]) == (
        "示例新名",
        person.name,
    )


async def test_marriage_then_divorce(country: Country) -> None:
    """2.4.4 16.002.060.001: each is an entry of its own, one after the other, and the last one counts."""
    (person,) = lives_at(country, NANJING)
    version = row(country, person, "record_version")
    for code in ("20", "40"):
        details = {"changes": {"marital_code": code}}
        case = await put(country, asked(country, MARITAL, person, ZHENJIANG, details=details))
        await country.until(A, case, "COMPLETED")
    assert form(country, person)["marital_code"] == "40"
    assert row(country, person, "record_version") == version + 2
    await country.move(person, B)
    assert form(country, person, B)["marital_code"] == "40"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"type": "migration.settled"}, "BAD_BODY", id="1.8.1 09.001.001.002"),
        pytest.param({"body_v": 7}, "UNKNOWN_VERSION", id="1.8 09.001.001.004"),
    ],
)
async def test_what_does_not_fit_is_returned(
    country: Country, change: dict[str, object], reason: str
) -> None:
    """1.8.1 09.001.001.002 not valid by its schema, 1.8 09.001.001.004 other version: the sender is told."""
    letter = forged(country, precheck(country.person(B)), (C, B), case_id=CASE, envelope=change)
    await country.wire.deliver(letter)
    await country.calm()
    assert country.registers.quarantine(B) == [reason]
    receipts = [x for x in country.wire.sent if x.name == "receipt" and x.label.receiver == C]
    assert any(letter.label.id.encode() in x.data and reason.encode() in x.data for x in receipts)


async def test_the_recipient_does_not_find_the_person(country: Country) -> None:
    """24.11 RueckweisungPruefungsebene 2021: no match is a refusal with a code, and nothing is changed."""
    body = application(country, REPLACE, country.person(A), B)
    body["applicant"]["name"] = "另一人"
    case = (await country.ask(B, "/v1/cases", body)).json()["case_id"]
    assert await refusal(country, B, case) == "NOT_REGISTERED"


async def test_the_recipient_is_not_competent(country: Country) -> None:
    """24.11 RueckweisungPruefungsebene 2028: a window that does not serve their city says so at the door."""
    body = application(country, MARITAL, country.person(B), A, details=MARRIED)
    answer = await country.ask(A, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_PROVINCE")


async def test_removed_and_then_arriving_without_a_home(country: Country) -> None:
    """2.4.4 00.001.008.001: no move while nobody holds them; registered again, somewhere else, they may."""
    person, _ = lives_at(country, NANJING, adults=2)
    await approved(country, await put(country, asked(country, MILITARY, person, NANJING)))
    assert await refusal(country, B, await country.apply(person, B)) == "NOT_REGISTERED"
    back = asked(country, VETERAN, person, NANJING, destination=place(NANJING))
    await approved(country, await put(country, back))
    await country.move(person, B)
    assert country.registers.holder(person.key) == (B, 1)
