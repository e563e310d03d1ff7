"""A country per story."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories.owed import forgotten
from tests.stories.world import Country


async def _make(folder: Path) -> None:
    country = await Country.open(folder)
    for code in country.sites:
        await country.stop(code)
    await country.close()


@pytest.fixture(scope="session")
def settled_country(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and three seeded registers, made once."""
    folder = tmp_path_factory.mktemp("country")
    with asyncio.Runner() as runner:
        runner.run(_make(folder))
    return folder


@pytest.fixture
async def country(settled_country: Path, tmp_path: Path) -> AsyncIterator[Country]:
    """Three provinces, running; A 32, B 33, C 44 by habit of the stories."""
    folder = tmp_path / "country"
    shutil.copytree(settled_country, folder)
    country = await Country.open(folder)
    try:
        yield country
        # Whatever happened in a story: nobody waits without limit and owner at its end.
        assert forgotten(country) == []
    finally:
        await country.close()
