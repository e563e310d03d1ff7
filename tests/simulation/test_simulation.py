"""The real services, on one seeded loop with virtual time, while everything fails that can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.broken import believe_the_broker, forget_the_inbox, skip_the_gate
from tongban_sandbox.simulation.command import failure
from tongban_sandbox.simulation.run import run
from tongban_sandbox.simulation.template import Template

CASES = 1_000
TEN_THOUSAND = 10_000
# On an idle machine a run takes seven seconds.
pytestmark = pytest.mark.timeout(300)
BrokenBuild = Callable[[pytest.MonkeyPatch], None]
BROKEN_BUILDS: list[BrokenBuild] = [forget_the_inbox, believe_the_broker, skip_the_gate]


@pytest.mark.parametrize("seed", range(TEN_THOUSAND // CASES))
def test_no_fault_loses_or_doubles_or_forgets_anybody(seed: int, template: Template, files: Path) -> None:
    """Ten thousand cases: exactly one home at every commit, no wrong answer outside, everything ends."""
    result = run(seed, CASES, template, folder=files)
    assert result.broken is None, failure(result, "")
    assert result.cases >= CASES
    assert min(result.looked, result.answers) > 0


@pytest.mark.parametrize("broken_build", BROKEN_BUILDS)
def test_a_broken_build_is_caught(
    broken_build: BrokenBuild, template: Template, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulator that finds nothing wrong with a wrong product would be no proof of a right one."""
    broken_build(monkeypatch)
    for seed in range(TEN_THOUSAND // CASES):
        place = files / str(seed)
        place.mkdir()
        if run(seed, CASES, template, folder=place).broken is not None:
            return
    pytest.fail("ten thousand cases, and nobody noticed")
