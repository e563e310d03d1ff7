"""Properties of one pair of provinces, under any sequence of acts and faults (guards.md §2).

TONGBAN_EXAMPLES=1000 runs longer; a failing sequence is printed as steps that can be copied into a story.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import PairMachine
from tests.stateful.pair import CODES, PEOPLE_EACH
from tests.stories.world import Country

EXAMPLES = int(os.environ.get("TONGBAN_EXAMPLES", "12"))
STEPS = 50
# What an example may take on a busy machine; a hang is found by the patience of the pair itself.
EXAMPLE_S = 30
RAM = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it


async def _prepare(folder: Path) -> None:
    country = await Country.open(folder, provinces=len(CODES), people=PEOPLE_EACH)
    for code in CODES:
        await country.stop(code)
    await country.close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[PairMachine]]:
    """The machine with a country to copy; files in memory where the system has such a place."""
    for waiting in ("asker.RETRY_S", "gate.LEDGER_RETRY_S", "registry.START_S"):
        monkeypatch.setattr(f"tongban_registry.{waiting}", 0.02)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with asyncio.Runner() as runner:
        runner.run(_prepare(tmp_path / "country"))
    PairMachine.template = tmp_path / "country"
    PairMachine.place = RAM if os.access(RAM, os.W_OK) else tmp_path
    yield PairMachine
    structlog.configure(**before)


@pytest.mark.timeout(60 + EXAMPLES * EXAMPLE_S)
def test_nobody_is_ever_lost_or_doubled(machine: type[PairMachine]) -> None:
    """Whatever happens to a pair of provinces, each person has one home at each step, and all settles."""
    few = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize="TONGBAN_EXAMPLES" not in os.environ,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=few)
