"""Questions to the ledger, and what stops none of them."""

from __future__ import annotations

from msgspec.structs import replace

from tests.registry.country import A, B
from tests.stories.world import Country
from tongban_registry.unit import Ask


async def test_a_hand_over_recovered_by_an_earlier_version_is_left_alone(country: Country) -> None:
    """It names digests without epochs: nobody is found by it, and the next question is answered."""
    case_id = await country.move(country.person(A), B)
    case = await country.case(A, case_id)
    earlier = replace(case, data=replace(case.data, digests=("0" * 32,), epochs=()))
    live = country.sites[A].live
    live.asker.put([Ask("ledger.name", earlier)])
    await country.move(country.person(A), B)
    assert await live.failed() is None
    assert await country.case(A, case_id) == case
