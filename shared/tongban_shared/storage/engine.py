"""How to open, to write, to read and to fail: the same for SQLite and PostgreSQL.

    engine = await open_engine("sqlite:///var/44.db")
    async with write(engine) as tx:  # commits at the end, rolls back on any exception
        await tx.execute(...)
    async with read(engine) as tx:  # one snapshot for all its statements
        rows = (await tx.execute(...)).all()

A database that does not answer is a StoreDownError within a second; nothing is then half done, with one
exception: when the answer to a COMMIT is lost, it may have been done. Every unit of work is safe to repeat.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tongban_shared.errors import SettingsError
from tongban_shared.storage.dialects import ACQUIRE_S, BEGIN, create_engine
from tongban_shared.storage.failures import FAILURES, is_away, store_down

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MARGIN_S: Final = 0.05
IMMEDIATE: Final = {BEGIN: "IMMEDIATE"}
DEFERRED: Final = {BEGIN: "DEFERRED"}
SNAPSHOT: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
# A commit that is only in memory can be forgotten after the answer went out.
UNSAFE: Final = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"))

_turns: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()
_settling: set[asyncio.Task[None]] = set()


async def open_engine(url: str) -> AsyncEngine:
    """Open and check a database. Raises SettingsError (wrong or unsafe), StoreDownError (does not answer)."""
    engine = create_engine(url)
    try:
        async with read(engine) as tx:
            await _check(tx)
    except BaseException:
        await engine.dispose()
        raise
    return engine


@asynccontextmanager
async def write(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that commits when the block ends. Raises StoreDownError; do no other I/O inside.

    SQLite has one writer: those of this process queue here, so that they don't wait inside the database,
    and the write lock is taken at the start, since a reader that becomes a writer late is refused at once.
    """
    if is_sqlite(engine):
        async with turn_of(engine), _transaction(engine, IMMEDIATE) as tx:
            yield tx
    else:
        async with _transaction(engine, {}) as tx:
            yield tx


@asynccontextmanager
async def read(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one snapshot and writes nothing. Raises StoreDownError."""
    async with _transaction(engine, DEFERRED if is_sqlite(engine) else SNAPSHOT) as tx:
        yield tx


def turn_of(engine: AsyncEngine) -> asyncio.Lock:
    """The lock that writers of one SQLite file hold, so that they queue outside of the database."""
    return _turns.setdefault(engine, asyncio.Lock())


def is_sqlite(engine: AsyncEngine) -> bool:
    """Tell the two databases apart."""
    return engine.dialect.name == "sqlite"


async def _check(tx: AsyncConnection) -> None:
    if tx.dialect.name == "sqlite":
        await tx.execute(
            text("SELECT count(*) FROM sqlite_master")
        )  # reads the file: is it a database at all
        return
    for setting, unsafe in UNSAFE:
        if (await tx.execute(text(f"SHOW {setting}"))).scalar_one() == unsafe:
            raise SettingsError(
                f"PostgreSQL runs with {setting} = {unsafe}; set it on, a commit must be durable"
            )


@asynccontextmanager
async def _transaction(engine: AsyncEngine, options: Mapping[str, Any]) -> AsyncIterator[AsyncConnection]:
    connection = await _acquire(engine, options)
    try:
        yield connection
    except FAILURES as error:
        if not is_away(error):
            await settle(_release(connection))
            raise
        await settle(drop(connection))
        raise store_down(error) from error
    except BaseException:
        await settle(_release(connection))
        raise
    await settle(_commit(connection))


async def _acquire(engine: AsyncEngine, options: Mapping[str, Any]) -> AsyncConnection:
    limit_s = engine.get_execution_options()[ACQUIRE_S]
    try:
        async with asyncio.timeout(limit_s):
            try:
                return await _begin(engine, options, limit_s - MARGIN_S)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The server was started anew since this connection was made. The pool is empty now: once more.
            return await _begin(engine, options, limit_s)
    except FAILURES as error:
        raise store_down(error) from error


async def _begin(engine: AsyncEngine, options: Mapping[str, Any], limit_s: float) -> AsyncConnection:
    connection = await engine.connect()
    try:
        _ = await connection.execution_options(**options)
        _ = await connection.begin()
        if not is_sqlite(engine):
            await _probe(connection, limit_s)
    except BaseException:
        await settle(drop(connection))
        raise
    return connection


async def _probe(connection: AsyncConnection, limit_s: float) -> None:
    """Send BEGIN, which asyncpg does with the first statement: so a server that hangs is found in time.

    The connection is cut at the limit. A cancelled statement would be closed politely, two seconds long.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    cut = asyncio.get_running_loop().call_later(limit_s, driver.terminate)
    try:
        await connection.execute(text("SELECT 1"))
    finally:
        cut.cancel()


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except FAILURES as error:
        await drop(connection)
        if is_away(error):
            raise store_down(error) from error
        raise
    await _release(connection)


async def _release(connection: AsyncConnection) -> None:
    """Roll back what is open and give the connection back; a broken one is thrown away."""
    try:
        await connection.close()
    except FAILURES:
        await drop(connection)


async def drop(connection: AsyncConnection) -> None:
    """Throw the connection away without a rollback or a farewell: either would only wait once more."""
    if not connection.closed:
        if connection.dialect.name != "sqlite" and not connection.invalidated:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            driver.terminate()
        await connection.invalidate()
        await connection.close()


async def settle(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even when the caller is cancelled meanwhile, else its connection would be lost."""
    task = asyncio.create_task(work)
    _settling.add(task)
    task.add_done_callback(_settling.discard)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
