"""The hall takes what is urgent first, so much at a time, and never lets the others starve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from tests.registry.country import A
from tests.stories.world import Country
from tongban_registry.inbox import RECORDS_PER_UNIT_MAX, UNIT_SIZE_BYTES, WAITING_SIZE_BYTES, Hall
from tongban_registry.monitor import Meters
from tongban_shared.ports import Family, Record

POLL = 200
LARGE = 900_000


@pytest.fixture
def hall(country: Country) -> Hall:
    """A hall that nobody runs, so that what waits in it can be seen."""
    live = country.sites[A].live
    return Hall(live.office, live.store, live.hall.counters, Meters())


def records(family: Family, numbers: Iterable[int], size_bytes: int = 1) -> list[Record]:
    """Numbered records of one family."""
    return [Record(family, "log", number, bytes(size_bytes)) for number in numbers]


def taken(hall: Hall) -> list[tuple[Family, int]]:
    """What the next unit takes."""
    return [(record.family, record.position) for record in hall._next_records()]


async def test_what_is_urgent_overtakes_what_was_read_before_it(hall: Hall) -> None:
    """An identity record put behind a bulk is in the very next unit; each family keeps its order."""
    await hall.put_records(records(Family.MIGRATION, range(RECORDS_PER_UNIT_MAX - 1)))
    await hall.put_records(records(Family.IDENTITY, range(2)))
    first = taken(hall)
    assert first[:2] == [(Family.IDENTITY, 0), (Family.IDENTITY, 1)]
    assert first[2:] == [(Family.MIGRATION, number) for number in range(RECORDS_PER_UNIT_MAX - 2)]


async def test_an_urgent_flood_lets_the_bulk_through(hall: Hall) -> None:
    """While polls bring more of the urgent than of the bulk, no record waits for more than a few polls."""
    brought = {Family.IDENTITY: 0, Family.MIGRATION: 0}
    took = {Family.IDENTITY: 0, Family.MIGRATION: 0}
    for _ in range(30):
        if not hall._full():
            for family, count in ((Family.IDENTITY, POLL * 3 // 4), (Family.MIGRATION, POLL // 4)):
                await hall.put_records(records(family, range(brought[family], brought[family] + count)))
                hall._room.set()
                brought[family] += count
        for family, _ in taken(hall):
            took[family] += 1
        assert brought[Family.MIGRATION] - took[Family.MIGRATION] <= POLL
    assert took[Family.MIGRATION] > POLL


async def test_a_unit_is_bounded_in_bytes(hall: Hall) -> None:
    """Large parcels make small units; one alone is always taken."""
    await hall.put_records(records(Family.MIGRATION, range(5), LARGE))
    assert len(taken(hall)) == -(-UNIT_SIZE_BYTES // LARGE)
    await hall.put_records(records(Family.COMMON, range(1), UNIT_SIZE_BYTES * 2))
    assert taken(hall) == [(Family.COMMON, 0)]


async def test_what_waits_is_bounded_in_bytes(hall: Hall) -> None:
    """Reading does not run ahead of writing: beyond so many bytes it waits until some were taken."""
    await hall.put_records(records(Family.MIGRATION, range(WAITING_SIZE_BYTES // LARGE + 1), LARGE))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await hall.put_records(records(Family.MIGRATION, [99]))
