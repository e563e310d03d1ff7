from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.country import Country


@pytest.fixture
async def country() -> AsyncIterator[Country]:
    """Three provinces and a gateway."""
    country = Country()
    yield country
    await country.close()
