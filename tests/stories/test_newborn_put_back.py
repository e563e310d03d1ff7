"""A newborn's case whose registries were put back, and whose parents moved meanwhile (protocol.md §6)."""

from __future__ import annotations

from tests.stories.backups import backup, put_back
from tests.stories.newborns import apply, father, mother, the_child
from tests.stories.world import Country

# The father's province, the mother's, and one where they live.
A, B, C = "32", "33", "44"
APPROVE = {"outcome": "approve", "officer": "home-1"}


async def test_the_other_parent_s_registry_becomes_the_home_registry(country: Country) -> None:
    """A claimed and asked B, forgot both, and the father moved to B: the child is registered there."""
    dad = father(country, A)
    case = await apply(country, (dad, mother(country, B)), C, grade="B")
    await country.until(A, case, "CHECKING")
    copy = backup(country, A)
    country.wire.hold("consent")
    await country.act(A, case, "decision", APPROVE)
    await country.until(B, case, "ANSWERED")
    country.wire.holding.clear()
    country.wire.wipe()
    await put_back(country, A, copy)
    await country.move(dad, B)
    await country.act(A, case, "decision", APPROVE)
    await country.until(B, case, "CHECKING")
    await country.act(B, case, "decision", APPROVE)
    await country.until(C, case, "COMPLETED")
    await the_child(country, B)
    await country.calm()
    await country.resend()
    assert country.registers.quarantine(A) == country.registers.quarantine(B) == []
