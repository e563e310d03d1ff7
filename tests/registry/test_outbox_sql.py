"""The rows of a silent lane on each database: PostgreSQL and SQLite must keep back and let go the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage import tables as t
from tongban_registry.storage.outbox_sql import KEPT_BACK, Lane, LaneRows, Left
from tongban_registry.storage.rows import to_us
from tongban_registry.storage.store import RegistryStore
from tongban_shared.storage.engine import open_engine, write
from tongban_shared.storage.migrate import upgrade

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HERE, OTHER = Lane("44", "migration"), Lane("44", "identity")


async def enter(engine: AsyncEngine) -> None:
    """Four messages without receipt in one lane, one in another, and one that has its receipt."""
    entries = [("m1", HERE, 8), ("m2", HERE, 1), ("m3", HERE, 1), ("m4", HERE, 0), ("i1", OTHER, 0)]
    async with write(engine) as tx:
        for number, (message_id, lane, tries) in enumerate(entries, 1):
            unit = {column.name: "" for column in t.UNIT.columns} | {"n": number, "header": f"h{number}"}
            await tx.execute(t.UNIT.insert().values(unit | {"stamp": 0, "at": 0}))
            await tx.execute(t.OUTBOX.insert().values(row(message_id, lane, number) | {"tries": tries}))
        done = row("m0", HERE, 1) | {"next_try_at": None, "receipted_at": to_us(NOW)}
        await tx.execute(t.OUTBOX.insert().values(done))


def row(message_id: str, lane: Lane, unit: int) -> dict[str, object]:
    """One message, due now."""
    at = {"made_at": 0, "next_try_at": to_us(NOW), "tries": 0}
    place = {"seq": unit, "case_id": None, "unit": unit, "leaf": 0, "path": "", "raw": message_id}
    return {"message_id": message_id, "receiver": lane.receiver, "family": lane.family, **place, **at}


@pytest.fixture
async def engine(sql_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with the rows of `enter`."""
    await upgrade(sql_url, MIGRATIONS)
    engine = await open_engine(sql_url)
    await enter(engine)
    yield engine
    await engine.dispose()


async def due(engine: AsyncEngine, at: datetime) -> list[str]:
    """What the exit would send at a moment."""
    return sorted(found.message_id for _, found in await RegistryStore(engine).pending(at, 9))


async def test_a_lane_that_was_tried_often(engine: AsyncEngine) -> None:
    """One message tried so often makes its lane one of them, and no other lane."""
    rows = LaneRows(engine)
    assert await rows.tried(8) == [HERE]
    assert await rows.tried(9) == []


async def test_what_is_kept_back_is_not_due(engine: AsyncEngine) -> None:
    """It has its next try all the same; what has its receipt is not touched."""
    rows = LaneRows(engine)
    await rows.hold(["m0", "m1", "m2", "m3"], NOW)
    assert await due(engine, NOW) == ["i1", "m4"]
    assert await due(engine, NOW + KEPT_BACK) == ["i1", "m1", "m2", "m3", "m4"]
    assert await rows.left(HERE, NOW) == Left(kept=3, unit=1)
    assert await rows.under_way(HERE, NOW) == 1
    assert await rows.left(Lane("11", "migration"), NOW) == Left(0, 0)


async def test_the_probe_is_the_one_tried_least(engine: AsyncEngine) -> None:
    """Kept back or not; with the header that it is sent under. None where all have receipts."""
    found = await LaneRows(engine).probe(HERE)
    assert found is not None
    assert (found[0], found[1].message_id, found[1].unit) == ("h4", "m4", 4)
    assert await LaneRows(engine).probe(Lane("11", "migration")) is None


async def test_some_are_let_go_first(engine: AsyncEngine) -> None:
    """Those kept back longest come first, as many as asked for, with the tries they are given."""
    rows = LaneRows(engine)
    await rows.hold(["m2"], NOW)
    await rows.hold(["m1", "m3"], NOW + timedelta(seconds=1))
    assert await rows.let_go(HERE, NOW, 1, tries=6) == 1
    assert await due(engine, NOW) == ["i1", "m2", "m4"]
    (again,) = [r for _, r in await RegistryStore(engine).pending(NOW, 9) if r.message_id == "m2"]
    assert again.tries == 6
    assert await rows.let_go(HERE, NOW, 5, tries=6) == 2
    assert await rows.let_go(HERE, NOW, 5, tries=6) == 0


async def test_which_have_receipts(engine: AsyncEngine) -> None:
    """Of those asked for, and nothing of what is not known."""
    assert await LaneRows(engine).retired(["m0", "m1", "unknown"]) == {"m0"}
