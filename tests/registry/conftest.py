"""A country of two provinces for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories.world import Country


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Country]:
    """Two provinces, running, on files."""
    country = await Country.open(tmp_path, provinces=2, people=90)
    try:
        yield country
    finally:
        await country.close()
