"""Newborns: claimed at the ledger, agreed to by the other parent's registry, entered there, then written."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.forging import stopped_at
from tests.stories.newborns import (
    BORN,
    apply,
    child,
    father,
    mother,
    newcomers,
    record,
    the_child,
)
from tests.stories.windows import seen, standing
from tests.stories.world import Country
from tongban_shared.ids import check_id_number

# The father's province, the mother's, and one where they live.
A, B, C = "32", "33", "44"


async def test_a_child_is_registered_across_provinces(country: Country) -> None:
    """Applied for at C, following the father at A; the mother's registry at B agrees by its register."""
    dad, mum = father(country, A), mother(country, B)
    case = await apply(country, (dad, mum), C)
    view = await seen(country, C, case, "COMPLETED")
    key = await the_child(country, A)
    form = record(country, A, key)
    number = check_id_number(str(form["id_number"]), BORN)
    assert (number.birth_date, number.sex, number.division) == (BORN, "2", f"{A}0100")
    assert (form["household_no"], form["name"]) == (dad.home, "示例新")
    assert country.state(B, case) == "ANSWERED"
    assert await standing(country, A, view) == "VALID"
    assert country.timeline(A, case) == ["CLAIMING", "CONSENT_WAIT", "NUMBERING", "ENTERING", "COMPLETED"]


async def test_the_window_s_province_may_be_either_parent_s(country: Country) -> None:
    """At the mother's the child follows the father; at the mother's again it follows her."""
    at_other = await apply(country, (father(country, A), mother(country, B)), B)
    await country.until(B, at_other, "COMPLETED")
    at_home = await apply(country, (mother(country, B), father(country, A)), B)
    await country.until(B, at_home, "COMPLETED")
    assert [len(newcomers(country, code)) for code in (A, B, C)] == [1, 1, 0]


async def test_parents_of_one_province_need_nobody_else(country: Country) -> None:
    """No registry is asked for a consent that the home registry sees itself."""
    case = await apply(country, (mother(country, A), father(country, A)), C)
    await country.until(C, case, "COMPLETED")
    assert not [letter for letter in country.wire.sent if letter.name == "consent_asked"]


async def test_of_two_parents_in_two_provinces_one_registers(country: Country) -> None:
    """At the same moment, each at home: one child; the other parent is told which authority has the claim."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    cases = await asyncio.gather(
        apply(country, (dad, mum), A, children=one), apply(country, (mum, dad), B, children=one)
    )
    await country.calm()
    ends = {code: country.state(code, case) for code, case in zip((A, B), cases, strict=True)}
    assert sorted(map(str, ends.values())) == ["COMPLETED", "REFUSED"]
    won, lost = (A, B) if ends[A] == "COMPLETED" else (B, A)
    await the_child(country, won)
    mine, its = (cases[1], cases[0]) if won == A else (cases[0], cases[1])
    view = await seen(country, lost, mine, "REFUSED")
    assert view["refusal"]["code"] == "ALREADY_REGISTERED"
    assert (view["held_by"], view["other_case"]) == (won, its)


async def test_a_window_elsewhere_is_told_which_authority_has_the_claim(country: Country) -> None:
    """The refusal carries it."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    first = await apply(country, (dad, mum), C, children=one)
    await country.until(C, first, "COMPLETED")
    second = await apply(country, (mum, dad), C, children=one)
    view = await seen(country, C, second, "REFUSED")
    assert (view["refusal"]["code"], view["held_by"], view["other_case"]) == ("ALREADY_REGISTERED", A, first)


async def test_twins_are_two_claims_and_one_case(country: Country) -> None:
    """Two numbers, two rows, one page."""
    case = await apply(country, (mother(country, A), father(country, B)), C, children=[child(), child()])
    await country.until(C, case, "COMPLETED")
    rows = newcomers(country, A)
    numbers = {record(country, A, row[0])["id_number"] for row in rows}
    assert (len(rows), len(numbers)) == (2, 2)


async def test_the_other_parent_contradicts(country: Country) -> None:
    """Unmarried parents are asked by an officer; a no ends the case and frees the claim."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    case = await apply(country, (mum, dad), C, married=False, children=one)
    await country.until(B, case, "CHECKING")
    await country.act(B, case, "decision", {"outcome": "approve", "officer": "home-1"})
    await country.until(A, case, "ASKED")
    await country.act(A, case, "decision", {"outcome": "refuse", "officer": "other-1"})
    view = await seen(country, C, case, "REFUSED")
    assert view["refusal"]["code"] == "PARENTS_DISAGREE"
    again = await apply(country, (mum, dad), C, children=one)
    await country.until(C, again, "COMPLETED")
    await the_child(country, B)


async def test_an_unmarried_mother_s_child_with_consent(country: Country) -> None:
    """Both officers say yes; the window's own province is the father's."""
    case = await apply(country, (mother(country, B), father(country, A)), A, married=False)
    await country.until(B, case, "CHECKING")
    await country.act(B, case, "decision", {"outcome": "approve", "officer": "home-1"})
    await country.until(A, case, "CONSENTING")
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "other-1"})
    await country.until(A, case, "COMPLETED")
    await the_child(country, B)


async def test_a_withdrawal_frees_the_claim(country: Country) -> None:
    """While the other parent's registry is silent; then another case takes the certificate."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    country.wire.hold("consent_asked")
    case = await apply(country, (dad, mum), C, children=one)
    await country.until(A, case, "CONSENT_WAIT")
    await country.act(C, case, "withdrawal")
    await country.until(C, case, "WITHDRAWN")
    second = await apply(country, (mum, dad), B, children=one)
    await country.until(B, second, "CONSENT_WAIT")
    await country.wire.let_go("consent_asked")
    await country.until(B, second, "COMPLETED")
    await the_child(country, B)


async def test_a_withdrawal_that_meets_the_registration_is_too_late(country: Country) -> None:
    """A child is not taken out of the register by a withdrawal; the window learns that it is registered."""
    country.wire.hold("registered")
    case = await apply(country, (father(country, A), mother(country, B)), C)
    await country.until(A, case, "COMPLETED")
    await country.act(C, case, "withdrawal")
    await country.until(C, case, "WITHDRAWING")
    await country.wire.let_go("registered")
    await country.until(C, case, "COMPLETED")
    await the_child(country, A)
    assert (await country.act(C, case, "withdrawal")).json()["code"] == "TOO_LATE"


async def test_a_silent_registry_is_called_and_loses_no_claim(country: Country) -> None:
    """Thirty days: a level higher each time, the claim stays (S6)."""
    country.wire.hold("consent_asked", "receipt")
    one = [child()]
    dad, mum = father(country, A), mother(country, B)
    case = await apply(country, (dad, mum), A, children=one)
    await country.until(A, case, "CONSENT_WAIT")
    await country.pass_time(days=30, step_hours=24)
    view = await seen(country, A, case, "CONSENT_WAIT")
    assert (view["passed_up_to"], view["waiting_for"]["province"]) == ("province", B)
    other = await apply(country, (mum, dad), B, children=one)
    assert (await seen(country, B, other, "REFUSED"))["held_by"] == A


async def test_while_the_ledger_is_away_the_case_waits(country: Country) -> None:
    """And says for whom; nobody is registered by half."""
    case = await apply(country, (father(country, A), mother(country, B)), A, grade="B")
    await country.until(A, case, "CHECKING")
    country.ledger.down = True
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "home-1"})
    view = await seen(country, A, case, "CLAIMING")
    assert view["waiting_for"]["owner"] == "ledger"
    country.ledger.down = False
    await country.pass_time(hours=2)
    await country.until(A, case, "COMPLETED")
    await the_child(country, A)


async def test_messages_that_come_three_times_make_one_child(country: Country) -> None:
    """One number, one row, one page."""
    country.wire.copies = 3
    case = await apply(country, (father(country, A), mother(country, B)), C)
    await country.until(C, case, "COMPLETED")
    await country.calm()
    await the_child(country, A)
    assert country.registers.count("document") == 1


async def test_two_children_of_one_day_have_two_numbers(country: Country) -> None:
    """Of two cases at once each gets its own; the ledger allots."""
    cases = [await apply(country, (father(country, A), mother(country, A)), A) for _ in range(2)]
    for case in cases:
        await country.until(A, case, "COMPLETED")
    numbers = {record(country, A, row[0])["id_number"] for row in newcomers(country, A)}
    assert len(numbers) == 2


@pytest.mark.parametrize("moment", ["before", "claimed"])
async def test_the_home_is_put_back_after_the_registration(country: Country, moment: str) -> None:
    """To before the case, or to the middle of it: the child has its row and its number again (G1)."""
    if moment == "before":
        copy = backup(country, A)
        case = await apply(country, (father(country, A), mother(country, B)), C)
    else:
        country.wire.hold("consent_asked")
        case = await apply(country, (father(country, A), mother(country, B)), C)
        await country.until(A, case, "CONSENT_WAIT")
        copy = backup(country, A)
        await country.wire.let_go("consent_asked")
    await country.until(C, case, "COMPLETED")
    key = await the_child(country, A)
    number = record(country, A, key)["id_number"]
    await country.calm()
    await put_back(country, A, copy)
    await country.resend()
    await country.until(A, case, "COMPLETED")
    assert await the_child(country, A) == key
    next_one = await apply(country, (father(country, A), mother(country, A)), C)
    await country.until(C, next_one, "COMPLETED")
    numbers = [record(country, A, row[0])["id_number"] for row in newcomers(country, A)]
    assert len(set(numbers)) == 2
    assert number in numbers


async def test_a_home_put_back_looks_at_the_ledger_before_its_officer(country: Country) -> None:
    """Whatever its register says by now: a child that is entered comes back at once (G1)."""
    copy = backup(country, A)
    dad = father(country, A)
    case = await apply(country, (dad, mother(country, B)), C, grade="B")
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "home-1"})
    await country.until(C, case, "COMPLETED")
    key = await the_child(country, A)
    await country.hold(dad, "HOLD")
    await country.calm()
    await put_back(country, A, copy)
    await country.resend()
    await country.until(A, case, "COMPLETED")
    assert await the_child(country, A) == key
    fresh = await apply(country, (father(country, A), mother(country, B)), C, grade="B")
    await country.until(A, fresh, "CHECKING")
    assert country.timeline(A, fresh) == ["CLAIMING", "GIVING_BACK", "CHECKING"]


async def test_a_case_lost_with_the_database_is_found_by_applying_again(country: Country) -> None:
    """Window and home in one: nobody else remembers, but the ledger does; the number is the same (G1)."""
    dad, mum, one = father(country, A), mother(country, A), [child()]
    copy = backup(country, A)
    case = await apply(country, (dad, mum), A, children=one)
    await country.until(A, case, "COMPLETED")
    key = await the_child(country, A)
    await country.calm()
    await put_back(country, A, copy)
    assert newcomers(country, A) == []
    again = await apply(country, (dad, mum), A, children=one)
    await country.until(A, again, "COMPLETED")
    assert await the_child(country, A) == key


async def test_a_registered_child_moves_like_anybody(country: Country) -> None:
    """With its parent: the ledger has it at epoch 1 there."""
    dad = father(country, A)
    case = await apply(country, (dad, mother(country, B)), C)
    await country.until(C, case, "COMPLETED")
    key = await the_child(country, A)
    form = record(country, A, key)
    baby = replace(dad, id_number=str(form["id_number"]), name=str(form["name"]))
    await country.move(dad, C, members=[baby])
    assert country.registers.holder(key) == (C, 1)


async def test_a_parent_who_has_moved_on_is_answered_at_the_new_home(country: Country) -> None:
    """Asked at the old one, which refers; the child is registered where the father is."""
    dad, mum = father(country, A), mother(country, B)
    country.wire.hold("requested")
    case = await apply(country, (dad, mum), B)
    await country.move(dad, C)
    await country.wire.let_go("requested")
    await country.until(B, case, "COMPLETED")
    await the_child(country, C)


async def test_the_other_parent_has_moved_on(country: Country) -> None:
    """The question follows her."""
    dad, mum = father(country, A), mother(country, B)
    country.wire.hold("consent_asked")
    case = await apply(country, (dad, mum), A)
    await country.until(A, case, "CONSENT_WAIT")
    await country.move(mum, C)
    await country.wire.let_go("consent_asked")
    await country.until(A, case, "COMPLETED")
    assert (country.state(B, case), country.state(C, case)) == ("ANSWERED", "ANSWERED")
    await the_child(country, A)


@pytest.mark.parametrize("moment", ["acceptance", "certificate"])
async def test_a_parent_in_the_middle_of_a_move(country: Country, moment: str) -> None:
    """Frozen: come again, with the day; released: the new home says so. Then the child follows."""
    dad, mum, one = father(country, A), mother(country, C), [child()]
    move = await stopped_at(country, dad, moment)
    case = await apply(country, (dad, mum), C, children=one)
    view = await seen(country, C, case, "REFUSED")
    assert view["refusal"]["code"] == "IN_TRANSFER"
    assert view["refusal"]["retry_at"]
    await country.wire.let_go(moment)
    await country.until(B, move, "COMPLETED")
    again = await apply(country, (dad, mum), C, children=one)
    await country.until(C, again, "COMPLETED")
    await the_child(country, B)


async def test_who_freezes_after_the_claim_gives_it_back(country: Country) -> None:
    """Checked again just before the ledger is asked: nobody is left behind in an empty household."""
    dad, mum, one = father(country, A), mother(country, C), [child()]
    country.wire.hold("consent")
    case = await apply(country, (dad, mum), C, children=one)
    await country.until(C, case, "REQUESTED")
    await country.calm()
    move = await stopped_at(country, dad, "acceptance")
    await country.wire.let_go("consent")
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "IN_TRANSFER"
    await country.wire.let_go("acceptance")
    await country.until(B, move, "COMPLETED")
    again = await apply(country, (dad, mum), C, children=one)
    await country.until(C, again, "COMPLETED")
    await the_child(country, B)
