"""The real services, on one seeded loop with virtual time, while everything fails that can."""

from __future__ import annotations

import pytest

from tests.simulation.apart import play
from tongban_sandbox.simulation.command import failure

CASES = 1_000
TEN_THOUSAND = 10_000
# On an idle machine a run takes seven seconds.
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("seed", range(TEN_THOUSAND // CASES))
def test_no_fault_loses_or_doubles_or_forgets_anybody(seed: int) -> None:
    """Ten thousand cases: exactly one home at every commit, no wrong answer outside, everything ends."""
    result = play(seed, CASES)
    assert result.broken is None, failure(result, "")
    assert result.cases >= CASES
    assert min(result.looked, result.answers) > 0


@pytest.mark.parametrize("build", ["forget_the_inbox", "believe_the_broker", "skip_the_gate"])
def test_a_broken_build_is_caught(build: str) -> None:
    """A simulator that finds nothing wrong with a wrong product would be no proof of a right one."""
    results = (play(seed, CASES, build) for seed in range(TEN_THOUSAND // CASES))
    assert any(result.broken is not None for result in results), "ten thousand cases, and nobody noticed"
