"""Copies of documents on each database: PostgreSQL and SQLite must keep, hand out and drop the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage.documents import Documents
from tongban_registry.storage.rows import Changes, copy_row, to_us
from tongban_registry.storage.store import RegistryStore
from tongban_registry.writing import Copy
from tongban_shared.documents.verify import Status
from tongban_shared.ids import CaseId, Province, make_case_id
from tongban_shared.storage.engine import write
from tongban_shared.storage.migrate import upgrade

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def case(number: int) -> CaseId:
    """One of some cases."""
    return make_case_id(Province("33"), "02", NOW.date(), number)


def copy(number: int, kept_until: datetime | None = LATER, document: bytes = b'{"v":1}') -> Copy:
    """A copy for one of these cases."""
    return Copy(
        licence_id=f"licence-{number}",
        case_id=case(number),
        person=f"{number:032x}",
        kind="certificate.kinship",
        document=document,
        as_of=NOW,
        kept_until=kept_until,
    )


async def write_unit(
    store: RegistryStore, *copies: Copy, done: dict[str, tuple[str, int]] | None = None
) -> None:
    """One unit that keeps copies and lets others go."""
    async with store.unit() as tx:
        await tx.write(Changes(copies=[copy_row(one) for one in copies], copies_done=done or {}))


@pytest.fixture
async def store(sql_url: str) -> AsyncIterator[RegistryStore]:
    """An empty registry."""
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    yield store
    await store.close()


async def test_a_copy_is_handed_out_as_long_as_it_is_kept(store: RegistryStore) -> None:
    """With what is known of it, and as of when; a copy of an open case has no end of its own."""
    documents = Documents(store.engine)
    await write_unit(store, copy(1), copy(2, None))
    found = await documents.hand_out("licence-1", "window", NOW)
    assert found is not None
    assert (found.document, found.status, found.as_of) == (b'{"v":1}', Status.CURRENT, NOW)
    assert await documents.hand_out("licence-1", "window", LATER) is None
    assert await documents.hand_out("licence-2", "window", LATER) is not None
    assert await documents.hand_out("licence-3", "window", NOW) is None


async def test_what_nobody_came_for_is_dropped(store: RegistryStore) -> None:
    """At its moment, and once; the others stay."""
    documents = Documents(store.engine)
    await write_unit(store, copy(1), copy(2, None), copy(3, LATER + timedelta(days=1)))
    assert await documents.let_go(LATER - timedelta(seconds=1)) == 0
    assert await documents.let_go(LATER) == 1
    assert await documents.let_go(LATER) == 0
    assert await documents.hand_out("licence-1", "window", NOW) is None
    assert await documents.void_copy("licence-1") is None


async def test_a_case_that_ends_takes_its_copies_along(store: RegistryStore) -> None:
    """Of many cases in one statement, each with how its document stands by then."""
    documents = Documents(store.engine)
    await write_unit(store, copy(1, None), copy(2, None), copy(3, None))
    at = to_us(LATER)
    await write_unit(
        store, done={case(1): ("CURRENT", at), case(2): ("REVOKED", at), case(9): ("REVOKED", at)}
    )
    known = [await documents.void_copy(f"licence-{number}") for number in (1, 2, 3)]
    assert known == [None, Status.REVOKED, None]
    kept = [await documents.hand_out(f"licence-{number}", "window", NOW) for number in (1, 2, 3)]
    assert [found is not None for found in kept] == [False, False, True]


async def test_the_newest_copy_counts(store: RegistryStore) -> None:
    """A registry that was put back hears a grant again, perhaps of a document that was signed anew (G1)."""
    await write_unit(store, copy(1))
    await write_unit(store, copy(1, None, b'{"v":2}'))
    found = await Documents(store.engine).hand_out("licence-1", "window", LATER)
    assert found is not None
    assert found.document == b'{"v":2}'


def test_a_copy_shows_nothing_personal() -> None:
    """In no log and no error."""
    assert '"v"' not in repr(copy(1))


async def test_a_database_of_before_gets_the_table(sql_url: str) -> None:
    """One that was made by the version before is brought up to date."""
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    async with write(store.engine) as tx:
        await tx.execute(text("DROP TABLE document_copy"))
        await tx.execute(text("UPDATE alembic_version SET version_num = '0008'"))
    await store.close()
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    await write_unit(store, copy(1))
    assert await Documents(store.engine).hand_out("licence-1", "window", NOW) is not None
    await store.close()
