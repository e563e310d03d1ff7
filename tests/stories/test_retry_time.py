"""Whoever is refused since another transfer is under way is told when that one ends at the latest (M-3)."""

from __future__ import annotations

from tests.stories.world import Country
from tongban_registry.views import local

A, B, C = "32", "33", "44"


async def test_a_question_while_frozen(country: Country) -> None:
    """The time to try again is the limit of the case that has the person, not a guess."""
    person = country.person(A)
    country.wire.hold("offer")
    first = await country.apply(person, B)
    await country.until(A, first, "FROZEN")
    await country.pass_time(days=3)
    second = await country.apply(person, C)
    await country.until(C, second, "REFUSED")
    limit = (await country.case(A, first)).due_at
    assert limit is not None
    assert (await country.case(C, second)).retry_at == limit
    refusal = (await country.ask(C, f"/v1/cases/{second}")).json()["refusal"]
    assert (refusal["code"], refusal["retry_at"]) == ("IN_TRANSFER", local(limit))


async def test_two_permits_in_one_unit_of_work(country: Country) -> None:
    """The one that comes second in a batch learns the limit of the one before it, which is not stored yet."""
    person = country.person(A)
    country.wire.hold("permit", "offer")
    cases = {B: await country.apply(person, B), C: await country.apply(person, C)}
    for code, case_id in cases.items():
        await country.until(code, case_id, "PERMITTED")
    await country.calm()
    await country.stop(A)
    await country.wire.let_go("permit")
    await country.start(A)
    await country.calm()
    (winner,) = [code for code, case_id in cases.items() if country.state(A, case_id) == "FROZEN"]
    (loser,) = set(cases) - {winner}
    await country.until(loser, cases[loser], "REFUSED")
    assert (await country.case(loser, cases[loser])).retry_at == (await country.case(A, cases[winner])).due_at
