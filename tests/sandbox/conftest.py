"""A seeded country, made once for a test run and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.world import World

PLAN = Plan(scale=1_000_000, seed=3)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a country of 1 410 people that has not started yet."""
    folder = tmp_path_factory.mktemp("country") / "sandbox"
    asyncio.run(_seed(folder))
    return folder


async def _seed(folder: Path) -> None:
    async with World(StateFolder(folder, PLAN)) as world:
        await world.seed()


@pytest.fixture
def country(seeded: Path, tmp_path: Path) -> Path:
    """This test's own copy of it."""
    folder = tmp_path / "sandbox"
    shutil.copytree(seeded, folder)
    return folder
