"""The single writer of a process: one connection that it keeps, and transactions with little around them.

    writer = Writer(engine)
    async with writer.unit() as line:  # as engine.write(): commits at the end, rolls back on any exception
        rows = await line.fetch(CASES_BY_ID, KEYS.bind(keys))

What engine.py promises holds here too. All else, and all that only reads, goes through the engine.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from tongban_shared.storage.dialects import ACQUIRE_S
from tongban_shared.storage.engine import MARGIN_S, drop, is_sqlite, settle, turn_of
from tongban_shared.storage.failures import FAILURES, is_away, store_down
from tongban_shared.storage.lines import Line, PostgresLine, SqliteLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class Writer:
    """Units of work one after the other. Close it before the engine is disposed of."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.on_statement: list[Callable[[str], None]] = []  # each is told what is sent, when it is sent
        self._engine = engine
        # SQLite: in turn with the other writers of this process, so that none waits inside the database.
        self._turn = turn_of(engine) if is_sqlite(engine) else asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._line: Line | None = None

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Line]:
        """A transaction that commits when the block ends. Raises StoreDownError; do no other I/O inside."""
        async with self._turn:
            line = await self._begin()
            try:
                yield line
            except FAILURES as error:
                if not is_away(error):
                    await settle(self._undo(line))
                    raise
                await settle(self._drop())
                raise store_down(error) from error
            except BaseException as error:
                # Cancelled, maybe in a statement: SQLite ends it in any case, a server need not answer.
                keep = isinstance(error, Exception) or is_sqlite(self._engine)
                await settle(self._undo(line) if keep else self._drop())
                raise
            await settle(self._commit(line))

    async def close(self) -> None:
        """Give the connection back to the engine."""
        async with self._turn:
            connection, self._connection, self._line = self._connection, None, None
            if connection is not None:
                await connection.close()

    async def _begin(self) -> Line:
        limit_s = self._engine.get_execution_options()[ACQUIRE_S]
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    line = self._line or await self._connect()
                    try:
                        await line.begin(limit_s - MARGIN_S)
                    except DBAPIError as error:
                        if not error.connection_invalidated:
                            raise
                        # The server was started anew since this connection was made: once more.
                        await self._drop()
                    else:
                        return line
        except BaseException as error:
            await settle(self._drop())
            if isinstance(error, FAILURES):
                raise store_down(error) from error
            raise

    async def _connect(self) -> Line:
        connection = self._connection = await self._engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        kind = SqliteLine if is_sqlite(self._engine) else PostgresLine
        self._line = kind(self._engine.dialect, self.on_statement, driver)
        return self._line

    async def _commit(self, line: Line) -> None:
        try:
            await line.commit()
        except FAILURES as error:
            await self._drop()
            if is_away(error):
                raise store_down(error) from error
            raise

    async def _undo(self, line: Line) -> None:
        try:
            await line.rollback()
        except FAILURES:
            await self._drop()

    async def _drop(self) -> None:
        """Throw the connection away; the next unit makes a new one."""
        connection, self._connection, self._line = self._connection, None, None
        if connection is not None:
            await drop(connection)
