"""What registry and ledger rely on in write() and read(): whole or nothing, in turn, and never hanging."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from tests.loops import run
from tongban_sandbox.servers.postgres import PostgresServer
from tongban_shared.errors import SettingsError, StoreDownError
from tongban_shared.storage.engine import open_engine, read, write

METADATA = MetaData()
PERSON = Table("person", METADATA, Column("id", Text, primary_key=True), Column("epoch", BigInteger))
ADD = insert(PERSON)
RAISE = update(PERSON).values(epoch=PERSON.c.epoch + 1)
COUNT = select(func.count()).select_from(PERSON)


@pytest.fixture
async def engine(sql_url: str) -> AsyncIterator[AsyncEngine]:
    """An open engine with the table in it."""
    engine = await open_engine(sql_url)
    async with write(engine) as tx:
        await tx.run_sync(METADATA.create_all)
    yield engine
    await engine.dispose()


async def add(engine: AsyncEngine, *keys: str) -> None:
    """Insert persons at epoch 0 in one transaction, one statement each."""
    async with write(engine) as tx:
        for key in keys:
            await tx.execute(ADD, {"id": key, "epoch": 0})


async def count(engine: AsyncEngine) -> int:
    """Number of persons, in a transaction of its own."""
    async with read(engine) as tx:
        return (await tx.execute(COUNT)).scalar_one()


async def test_an_exception_in_the_block_leaves_nothing(engine: AsyncEngine) -> None:
    """Whatever ends a write block early, nothing of it stays."""

    async def unit() -> None:
        async with write(engine) as tx:
            await tx.execute(ADD, {"id": "a", "epoch": 0})
            raise LookupError

    with pytest.raises(LookupError):
        await unit()
    assert await count(engine) == 0


async def test_a_read_sees_one_snapshot(engine: AsyncEngine) -> None:
    """What others commit meanwhile does not show between two statements of one read."""
    async with read(engine) as tx:
        before = (await tx.execute(COUNT)).scalar_one()
        await add(engine, "a")
        assert (await tx.execute(COUNT)).scalar_one() == before
    assert await count(engine) == 1


async def test_writers_of_one_process_take_turns(engine: AsyncEngine) -> None:
    """Fifty units that change one row at once lose no update and meet no lock error."""
    await add(engine, "a")

    async def unit() -> None:
        async with write(engine) as tx:
            await tx.execute(RAISE)

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(unit())
    async with read(engine) as tx:
        assert (await tx.execute(select(PERSON.c.epoch))).scalar_one() == 50


async def test_cancelled_units_leak_no_connection(engine: AsyncEngine) -> None:
    """Two hundred units cancelled at any point: no connection stays out, and the next unit works at once."""
    seeded = random.Random(20260101)

    async def cancelled(key: int) -> None:
        task = asyncio.create_task(add(engine, f"{key}a", f"{key}b"))
        for _ in range(seeded.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    for start in range(0, 200, 10):
        await asyncio.gather(*(cancelled(start + n) for n in range(10)))
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() == 0
    await add(engine, "last")
    assert await count(engine) % 2 == 1  # each unit adds two persons or none


async def test_messages_of_errors_hold_no_parameter(engine: AsyncEngine) -> None:
    """A name in a failing statement's parameters reaches no error text."""
    with pytest.raises(SQLAlchemyError) as caught:
        await add(engine, "王小明", "王小明")
    assert "王小明" not in "".join(traceback.format_exception(caught.value, limit=0))
    assert "person" in str(caught.value)  # but the table does


async def test_wrong_sql_is_no_store_failure(engine: AsyncEngine) -> None:
    """A bug must not look like a database that will come back."""
    async with read(engine) as tx:
        with pytest.raises(SQLAlchemyError):
            await tx.execute(text("SELECT * FROM no_such_table"))


@pytest.mark.parametrize("url", ["mysql://host/db", "no url", "sqlite://", "sqlite:///:memory:"])
async def test_a_url_of_another_kind_is_a_wrong_setting(url: str) -> None:
    """What is neither PostgreSQL nor a SQLite file is refused before anything is opened."""
    with pytest.raises(SettingsError):
        await open_engine(url)


async def within_a_second(call: Callable[[], Awaitable[object]]) -> None:
    """Claim that `call` fails as StoreDownError, and soon."""
    begun = time.monotonic()
    with pytest.raises(StoreDownError):
        await call()
    assert time.monotonic() - begun < 1.5  # the limit is 1 s; the rest is for a busy test machine


async def test_a_file_that_is_no_database_is_down(tmp_path: Path) -> None:
    """A SQLite file that holds something else is told at once."""
    (tmp_path / "kit.db").write_text("not a database " * 100)
    await within_a_second(lambda: open_engine(f"sqlite:///{tmp_path / 'kit.db'}"))


async def test_a_locked_sqlite_file_is_down_within_a_second(tmp_path: Path) -> None:
    """A writer elsewhere that does not end is a StoreDownError, and no wait without end."""
    url = f"sqlite:///{tmp_path / 'kit.db'}"
    ours, other = await open_engine(url), await open_engine(url)
    async with write(other) as tx:
        await tx.run_sync(METADATA.create_all)
        await within_a_second(lambda: add(ours, "a"))
    await add(ours, "a")
    await ours.dispose()
    await other.dispose()


async def test_a_server_that_accepts_and_says_nothing_is_down_within_a_second() -> None:
    """A PostgreSQL that hangs is found by our limit, not by the kernel's."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://user:secret@127.0.0.1:{silent.getsockname()[1]}/db"
        await within_a_second(lambda: open_engine(url))


@pytest.mark.live
async def test_a_stopped_server_is_down_within_a_second_and_found_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Stopped under us: StoreDownError at once; started again: the same engine works, no restart of ours."""
    engine = await open_engine(postgres_url)
    async with write(engine) as tx:
        await tx.run_sync(METADATA.create_all)
    await postgres_server.stop("immediate")
    try:
        await within_a_second(lambda: count(engine))
    finally:
        await postgres_server.start()
    assert await count(engine) == 0
    await engine.dispose()


def processes_of(server: PostgresServer) -> list[int]:
    """The server's first process and one for each connection and duty."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    return [server.pid, *map(int, children.split())]


@contextlib.contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """All processes of a server stand still meanwhile."""
    everyone = processes_of(server)
    for process in everyone:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everyone:
            os.kill(process, signal.SIGCONT)


@pytest.mark.live
async def test_a_frozen_server_is_down_within_a_second(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """It keeps its connections and says nothing: found by our limit, also on a connection that was good."""
    engine = await open_engine(postgres_url)
    with frozen(postgres_server):
        await within_a_second(lambda: add(engine, "a"))
    async with read(engine) as tx:
        await tx.execute(text("SELECT 1"))
    await engine.dispose()


@pytest.mark.live
async def test_a_connection_lost_inside_a_unit_is_a_store_failure(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """The unit ends with StoreDownError, not with a driver's error."""
    engine = await open_engine(postgres_url)

    async def unit() -> None:
        async with write(engine) as tx:
            await postgres_server.stop("immediate")
            await tx.execute(text("SELECT 1"))

    try:
        with pytest.raises(StoreDownError):
            await unit()
    finally:
        await postgres_server.start()
    await engine.dispose()


@pytest.mark.live
def test_a_server_that_forgets_commits_is_refused(postgres_url: str) -> None:
    """synchronous_commit off is a wrong setting: an answered request could be lost."""

    async def make_unsafe() -> None:
        engine = await open_engine(postgres_url)
        async with write(engine) as tx:
            await tx.execute(text(f'ALTER DATABASE "{engine.url.database}" SET synchronous_commit = off'))
        await engine.dispose()

    run(make_unsafe())
    with pytest.raises(SettingsError, match="synchronous_commit"):
        run(open_engine(postgres_url))
