"""A commit whose answer was lost may have been done: then the numbers that it took are taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.stories.world import Country
from tongban_registry.commands import Command
from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from tongban_registry.storage.sql import UnitOfWork

A, B = "32", "33"


async def test_who_works_beside_the_hall_looks_again_too(country: Country) -> None:
    """The gate's own units: the next takes numbers after those of the one in doubt (simulator, seed 21)."""
    hall = country.sites[A].live.hall
    unit, before = hall.store.unit, hall.counters.unit

    @asynccontextmanager
    async def answer_is_lost() -> AsyncIterator[UnitOfWork]:
        async with unit() as transaction:
            yield transaction
        raise StoreDownError("the answer was lost")

    vars(hall.store)["unit"] = answer_is_lost
    with pytest.raises(StoreDownError):
        await hall.work([], [Command("resend", {B: ()})])
    vars(hall.store)["unit"] = unit
    await hall.work([], [Command("resend", {B: ()})])
    assert hall.counters.unit == before + 2
    await country.calm()
