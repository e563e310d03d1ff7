"""A registry whose fence can't be kept does not come up, and says so."""

from __future__ import annotations

import pytest

from tests.registry.country import A
from tests.stories.world import Country
from tongban_shared.errors import FenceDownError


async def test_without_its_fence_it_is_not_well(country: Country) -> None:
    """It is no process that is still recovering: whoever watches it is told to end it."""
    await country.crash(A)
    fence = country.folder / "fences" / A
    fence.unlink()
    fence.mkdir()
    with pytest.raises(FenceDownError):
        await country.start(A)
    registry = country.sites[A].live
    assert not registry.gate.open
    assert await registry.failed() == "it did not come up"
    assert isinstance(await registry.ended(), FenceDownError)
