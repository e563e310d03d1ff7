"""Rows that a version before this one wrote are read, and get what they lack with their next step."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage.store import RegistryStore
from tongban_shared.ids import Province, make_case_id
from tongban_shared.storage.engine import write
from tongban_shared.storage.migrate import upgrade

OPENED = datetime(2026, 3, 2, 1, tzinfo=UTC)
ADDED = ("promised_at", "statutory_at", "stopped_at", "stops", "accepted_by")
OLD = (
    "INSERT INTO cases (id, state, origin, destination, side, kind, version, item, persons, data, waits,"
    " opened_at, due_at) VALUES (:id, 'REVIEWING', '32', '33', 'DESTINATION', 'migration', 3, '0101', '[]',"
    " '{\"migration_type\":\"JOB_TRANSFER\"}', 'OFFICER', 1772413200000000, 1772845200000000)"
)


async def test_a_case_of_before_is_read(sql_url: str) -> None:
    """A database without these columns and with an open case is brought up to date, and the case is whole."""
    case_id = make_case_id(Province("33"), "01", OPENED.date(), 7)
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    async with write(store.engine) as tx:
        await tx.execute(text("DROP TABLE rating"))
        await tx.execute(text("DROP INDEX cases_promised"))
        for column in ADDED:
            await tx.execute(text(f"ALTER TABLE cases DROP COLUMN {column}"))
        await tx.execute(text("UPDATE alembic_version SET version_num = '0005'"))
        await tx.execute(text(OLD), {"id": case_id})
    await store.close()
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    found = await store.case(case_id)
    await store.close()
    assert found is not None
    assert (found[0].state, found[0].opened_at, found[0].stops) == ("REVIEWING", OPENED, ())
    assert {getattr(found[0], name) for name in ADDED if name != "stops"} == {None}
