"""Newborns that are not registered, or not at once: each code, and what is for an officer."""

from __future__ import annotations

from typing import Any

from tests.stories.newborns import (
    BORN,
    apply,
    birth,
    certificate_no,
    child,
    father,
    mother,
    sex_of,
    the_child,
)
from tests.stories.windows import seen
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def test_over_one_year_is_a_late_registration(country: Country) -> None:
    """补登 is another item."""
    old = [child(born=BORN.replace(year=BORN.year - 1))]
    case = await apply(country, (father(country, A), mother(country, B)), C, children=old)
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "OVER_ONE_YEAR"


async def test_no_child_joins_a_collective_household(country: Country) -> None:
    """The parent must be in a family household."""
    dad = father(country, A)
    await country.stop(A)
    country.registers.change(country.sites[A].database, "UPDATE household SET kind = 'COLLECTIVE'")
    await country.start(A)
    case = await apply(country, (dad, mother(country, B)), C)
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "PARENT_NOT_FAMILY_HOUSEHOLD"


async def test_an_officer_finds_the_birth_certificate_unverified(country: Country) -> None:
    """A paper that no authority vouches for is an officer's; without a code of theirs that is the reason."""
    case = await apply(country, (father(country, A), mother(country, B)), C, grade="C")
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "refuse", "officer": "home-1"})
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "BIRTH_CERT_UNVERIFIED"


async def test_an_unmarried_father_proves_kinship(country: Country) -> None:
    """Without proof refused; with it, for an officer."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    case = await apply(country, (dad, mum), C, married=False, children=one)
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "KINSHIP_PROOF_NEEDED"
    again = await apply(country, (dad, mum), C, married=False, children=one, plus=["KINSHIP_PROOF"])
    await country.until(A, again, "CHECKING")


async def test_an_officer_asks_for_proof_of_kinship(country: Country) -> None:
    """Named once; what is handed in goes to the home registry, whose clock stood still."""
    case = await apply(country, (mother(country, A), father(country, B)), C, grade="B")
    await country.until(A, case, "CHECKING")
    more = {"outcome": "return", "materials": ["KINSHIP_PROOF"], "officer": "home-1"}
    await country.act(A, case, "decision", more)
    view = await seen(country, C, case, "RETURNED")
    assert view["missing_materials"] == ["KINSHIP_PROOF"]
    given = {"materials": [{"kind": "KINSHIP_PROOF", "grade": "A"}]}
    await country.act(C, case, "materials", given)
    await country.until(A, case, "CHECKING")
    assert (await country.case(A, case)).data.proven
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "home-1"})
    await country.until(C, case, "COMPLETED")


async def test_without_the_other_parent_an_officer_decides(country: Country) -> None:
    """A reason is given instead; then nobody is asked for consent."""
    case = await apply(country, (mother(country, A), None), C)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", {"outcome": "approve", "officer": "home-1"})
    await country.until(C, case, "COMPLETED")
    await the_child(country, A)


async def test_the_other_parent_is_not_who_was_named(country: Country) -> None:
    """Number and name must agree, and nothing tells which was wrong; the claim is free again."""
    dad, mum, one = father(country, A), mother(country, B), [child()]
    wrong: dict[str, Any] = {"details": {"other_parent": {**mum.identity, "name": "无此人"}}, "children": one}
    case = await apply(country, (dad, mum), C, **wrong)
    assert (await seen(country, C, case, "REFUSED"))["refusal"]["code"] == "NOT_REGISTERED"
    again = await apply(country, (dad, mum), C, children=one)
    await country.until(C, again, "COMPLETED")


async def test_bad_applications_store_nothing(country: Country) -> None:
    """Each has its code."""
    dad, mum = father(country, A), mother(country, B)
    bad: dict[str, dict[str, Any]] = {
        "BIRTH_CERT_INVALID": {"children": [child("n100000001")]},
        "FIELD_INVALID": {"details": {"other_parent": father(country, B).identity}},
    }
    for code, more in bad.items():
        answer = await country.ask(C, "/v1/cases", birth(country, (dad, mum), C, **more))
        assert answer.json()["code"] == code
    no = certificate_no()
    twice = await country.ask(C, "/v1/cases", birth(country, (dad, mum), C, children=[child(no), child(no)]))
    assert twice.json()["code"] == "FIELD_INVALID"
    assert country.registers.count("cases") == 0
    assert sex_of(dad) == "1"
