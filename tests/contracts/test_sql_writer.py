"""What the registry relies on in the single writer: what write() promises, on a connection that it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import random
import traceback
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from asyncpg.exceptions import InternalClientError
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from tests.contracts.test_sql_transactions import frozen, within_a_second
from tongban_sandbox.servers.postgres import PostgresServer
from tongban_shared.errors import StoreDownError
from tongban_shared.storage.engine import open_engine, read, write
from tongban_shared.storage.rowset import insert_all, insert_new, rowset, upsert
from tongban_shared.storage.writer import Writer

METADATA = MetaData()
PERSON = Table(
    "person",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("epoch", BigInteger),
    Column("data", LargeBinary),
    Column("note", Text),
)
PERSONS = rowset("persons", id=Text, epoch=BigInteger, data=LargeBinary, note=Text)
KEYS = rowset("wanted", id=Text, epoch=BigInteger)
FULL = ("a", 2**62, b"\x00\xff", '户籍 "quoted" \\ \n 𠮷 \' ? :x $1')
EMPTY = ("b", None, None, None)

ADD = insert_all(PERSON, PERSONS)
ADD_NEW = insert_new(PERSON, PERSONS, ["id"]).returning(PERSON.c.id)
PUT = upsert(PERSON, PERSONS, ["id"])
RAISE = (
    update(PERSON)
    .where(PERSON.c.id == KEYS.c.id, PERSON.c.epoch == KEYS.c.epoch)
    .values(epoch=PERSON.c.epoch + 1, note="raised")
)
ALL = select(PERSON).order_by(PERSON.c.id)
COUNT = select(func.count()).select_from(PERSON)
WRONG = select(Table("no_such_table", MetaData(), Column("id", Text)))
LISTED = select(PERSON).where(PERSON.c.id.in_(["a", "b"]))


@pytest.fixture
async def engine(sql_url: str) -> AsyncIterator[AsyncEngine]:
    """An open engine with the table in it."""
    engine = await prepared(sql_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def writer(engine: AsyncEngine) -> AsyncIterator[Writer]:
    """Its writer."""
    writer = Writer(engine)
    yield writer
    await writer.close()


async def prepared(url: str) -> AsyncEngine:
    """An open engine with the table in it."""
    engine = await open_engine(url)
    async with write(engine) as tx:
        await tx.run_sync(METADATA.create_all)
    return engine


async def add(writer: Writer, *keys: str) -> None:
    """Enter persons in one unit, a statement each."""
    async with writer.unit() as line:
        for key in keys:
            await line.change(ADD, PERSONS.bind([(key, 0, None, None)]))


async def count(engine: AsyncEngine) -> int:
    """Number of persons, as others see it."""
    async with read(engine) as tx:
        return (await tx.execute(COUNT)).scalar_one()


async def test_values_and_counts_are_those_of_sqlalchemy(writer: Writer) -> None:
    """What goes in comes back unchanged, RETURNING gives rows, a change tells how many rows it met."""
    async with writer.unit() as line:
        assert await line.change(ADD, PERSONS.bind([FULL])) == 1
        assert [tuple(row) for row in await line.fetch(ADD_NEW, PERSONS.bind([FULL, EMPTY]))] == [("b",)]
        assert [tuple(row) for row in await line.fetch(ALL)] == [FULL, EMPTY]
        assert await line.change(RAISE, KEYS.bind([("a", 2**62), ("b", 0), ("c", 0)])) == 1
        assert await line.change(RAISE, KEYS.bind([])) == 0
        assert await line.change(PUT, PERSONS.bind([FULL, EMPTY])) == 2
        assert [tuple(row) for row in await line.fetch(COUNT)] == [(2,)]


async def test_an_exception_in_the_block_leaves_nothing(engine: AsyncEngine, writer: Writer) -> None:
    """Whatever ends a unit early, nothing of it stays, and the next one works."""

    async def unit() -> None:
        async with writer.unit() as line:
            await line.change(ADD, PERSONS.bind([FULL]))
            raise LookupError

    with pytest.raises(LookupError):
        await unit()
    await add(writer, "b")
    assert await count(engine) == 1


async def test_it_keeps_its_connection(engine: AsyncEngine, writer: Writer) -> None:
    """Many units, one connection out; none after the close, and a closed writer may go on."""
    assert isinstance(engine.pool, QueuePool)
    for key in "abc":
        await add(writer, key)
        assert engine.pool.checkedout() == 1
    await writer.close()
    assert engine.pool.checkedout() == 0
    await add(writer, "d")


async def test_it_takes_turns_with_other_writers(engine: AsyncEngine, writer: Writer) -> None:
    """Its units and those of write() lose no update and meet no lock error."""
    await add(writer, "a")

    async def other() -> None:
        async with write(engine) as tx:
            await tx.execute(update(PERSON).values(epoch=PERSON.c.epoch + 1))

    async def unit() -> None:
        async with writer.unit() as line:
            [(epoch,)] = await line.fetch(select(PERSON.c.epoch).with_for_update())
            assert await line.change(RAISE, KEYS.bind([("a", epoch)])) == 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(unit())
            group.create_task(other())
    async with read(engine) as tx:
        assert (await tx.execute(select(PERSON.c.epoch))).scalar_one() == 40


async def test_cancelled_units_leak_no_connection(engine: AsyncEngine, writer: Writer) -> None:
    """Two hundred units cancelled at any point: one connection at most stays out, no unit is half done."""
    seeded = random.Random(20260101)

    async def cancelled(key: int) -> None:
        task = asyncio.create_task(add(writer, f"{key}a", f"{key}b"))
        for _ in range(seeded.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    for start in range(0, 200, 10):
        await asyncio.gather(*(cancelled(start + n) for n in range(10)))
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() <= 1
    await add(writer, "last")
    assert await count(engine) % 2 == 1  # each unit adds two persons or none


async def test_errors_are_ours_and_hold_no_parameter(engine: AsyncEngine, writer: Writer) -> None:
    """A second key is an IntegrityError that names the table and no value; the unit leaves nothing."""
    with pytest.raises(IntegrityError) as caught:
        await add(writer, "王小明", "王小明")
    assert "王小明" not in "".join(traceback.format_exception(caught.value, limit=0))
    assert "person" in str(caught.value)
    assert await count(engine) == 0


async def test_a_value_of_the_wrong_kind_is_not_quoted(writer: Writer) -> None:
    """PostgreSQL's driver refuses a text as a number with the text in its words; SQLite says nothing."""
    words = ""
    try:
        async with writer.unit() as line:
            await line.change(ADD, PERSONS.bind([("a", "王小明", None, None)]))
    except DBAPIError as error:
        words = "".join(traceback.format_exception(error, limit=0))
    assert "王小明" not in words


async def test_wrong_sql_is_no_store_failure(writer: Writer) -> None:
    """A bug must not look like a database that will come back; the next unit works."""

    async def unit() -> None:
        async with writer.unit() as line:
            await line.fetch(WRONG)

    with pytest.raises(SQLAlchemyError):
        await unit()
    await add(writer, "a")


async def test_a_list_that_is_written_anew_each_time_is_refused(writer: Writer) -> None:
    """The statement is compiled once, so IN takes a rowset."""
    async with writer.unit() as line:
        with pytest.raises(TypeError, match="rowset"):
            await line.fetch(LISTED)


async def test_watchers_see_what_is_sent(writer: Writer) -> None:
    """Everything, once, in order; so statements can be counted."""
    seen: list[str] = []
    writer.on_statement.append(seen.append)
    await add(writer, "a", "b")
    assert [words.split()[0] for words in seen] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]


async def test_a_locked_sqlite_file_is_down_within_a_second(tmp_path: Path) -> None:
    """A writer elsewhere that does not end is a StoreDownError, and the unit after it works."""
    url = f"sqlite:///{tmp_path / 'kit.db'}"
    ours, other = await prepared(url), await open_engine(url)
    writer = Writer(ours)
    async with write(other) as tx:
        await tx.execute(text("SELECT 1"))
        await within_a_second(lambda: add(writer, "a"))
    await add(writer, "a")
    await writer.close()
    await ours.dispose()
    await other.dispose()


@pytest.mark.live
async def test_a_stopped_server_is_down_within_a_second_and_found_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Stopped between two units: down at once; started again: nobody notices, stale connections or not."""
    engine = await prepared(postgres_url)
    writer = Writer(engine)
    await add(writer, "a")
    await postgres_server.stop("immediate")
    await postgres_server.start()
    await add(writer, "b")
    await postgres_server.stop("immediate")
    try:
        await within_a_second(lambda: add(writer, "c"))
    finally:
        await postgres_server.start()
    assert await count(engine) == 2
    await writer.close()
    await engine.dispose()


@pytest.mark.live
async def test_a_frozen_server_is_down_within_a_second(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """It keeps its connections and says nothing: found by our limit on the connection that was kept."""
    engine = await prepared(postgres_url)
    writer = Writer(engine)
    await add(writer, "a")
    with frozen(postgres_server):
        await within_a_second(lambda: add(writer, "b"))
    await add(writer, "c")
    await writer.close()
    await engine.dispose()


@pytest.mark.live
@pytest.mark.parametrize("sent", [True, False])
async def test_a_connection_lost_inside_a_unit_is_a_store_failure(
    postgres_server: PostgresServer, postgres_url: str, *, sent: bool
) -> None:
    """Lost before a statement or before the COMMIT: StoreDownError, and nothing of the unit stays."""
    engine = await prepared(postgres_url)
    writer = Writer(engine)

    async def unit() -> None:
        async with writer.unit() as line:
            await line.change(ADD, PERSONS.bind([FULL]))
            await postgres_server.stop("immediate")
            if sent:
                await line.fetch(COUNT)

    try:
        with pytest.raises(StoreDownError):
            await unit()
    finally:
        await postgres_server.start()
    await add(writer, "b")
    assert await count(engine) == 1
    await writer.close()
    await engine.dispose()


@pytest.mark.live
async def test_a_commit_that_the_server_turned_down_is_a_store_failure(postgres_url: str) -> None:
    """A failed statement that the block swallows: PostgreSQL answers COMMIT with ROLLBACK, and it is told."""
    engine = await prepared(postgres_url)
    writer = Writer(engine)

    async def unit() -> None:
        async with writer.unit() as line:
            with contextlib.suppress(SQLAlchemyError):
                await line.fetch(WRONG)

    with pytest.raises(StoreDownError):
        await unit()
    await add(writer, "a")
    await writer.close()
    await engine.dispose()


@pytest.mark.live
async def test_a_driver_that_has_lost_its_thread_is_replaced(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stood still gives up a statement whose answer has come: a store failure, no defect."""

    async def lost(*_: object) -> None:
        raise InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    engine = await prepared(postgres_url)
    writer = Writer(engine)

    async def count_in_a_unit() -> None:
        async with writer.unit() as line:
            await line.fetch(COUNT)

    for method, work in (("fetch", count_in_a_unit), ("execute", partial(add, writer, "lost"))):
        await add(writer, f"before {method}")
        with monkeypatch.context() as patch:
            patch.setattr(asyncpg.Connection, method, lost)
            with pytest.raises(StoreDownError):
                await work()
        await add(writer, f"after {method}")
    assert await count(engine) == 4
    await writer.close()
    await engine.dispose()
