"""A driver's connection with as little around it as a statement needs: text and values, rows or a count.

Errors are those that SQLAlchemy would raise, and as silent about values: IntegrityError, or a DBAPIError of
which `failures.is_away` tells whether the database failed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError

from tongban_shared.errors import StoreDownError
from tongban_shared.storage.compiled import form_of
from tongban_shared.storage.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import aiosqlite
    import asyncpg
    from sqlalchemy import Executable
    from sqlalchemy.engine import Dialect
    from sqlalchemy.exc import DBAPIError

    Watchers = Sequence[Callable[[str], None]]

NOTHING: Final[Mapping[str, Any]] = {}
DRIVER_ERRORS: Final = (sqlite3.Error, PostgresError, InterfaceError, InternalClientError)


class Line(ABC):
    """One connection. Keep the statements at module level: each is compiled once. Rows are plain sequences.

    Each watcher is told the text of everything that is sent, at the moment it is sent.
    """

    def __init__(self, dialect: Dialect, watchers: Watchers) -> None:
        self._dialect = dialect
        self._watchers = watchers

    async def fetch(self, statement: Executable, given: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        """The rows; the values of each stand in the order of the statement's columns."""
        form = form_of(statement, self._dialect)
        values = form.values(given)
        self._tell(form.text)
        try:
            return await self._fetch(form.text, values)
        except DRIVER_ERRORS as error:
            raise self._translated(error, form.text) from error

    async def change(self, statement: Executable, given: Mapping[str, Any] = NOTHING) -> int:
        """The number of rows that were inserted, changed or deleted."""
        form = form_of(statement, self._dialect)
        values = form.values(given)
        self._tell(form.text)
        try:
            return await self._change(form.text, values)
        except DRIVER_ERRORS as error:
            raise self._translated(error, form.text) from error

    @abstractmethod
    async def begin(self, limit_s: float) -> None:
        """Start a transaction that writes."""

    async def commit(self) -> None:
        """End the transaction. Raises StoreDownError when the database has given it up before."""
        await self._plain("COMMIT")

    async def rollback(self) -> None:
        """Undo the transaction."""
        await self._plain("ROLLBACK")

    @abstractmethod
    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Any]: ...

    @abstractmethod
    async def _change(self, text: str, values: Sequence[object]) -> int: ...

    @abstractmethod
    async def _send(self, text: str) -> object: ...

    @abstractmethod
    def _gone(self) -> bool: ...

    async def _plain(self, text: str) -> object:
        self._tell(text)
        try:
            return await self._send(text)
        except DRIVER_ERRORS as error:
            raise self._translated(error, text) from error

    def _tell(self, text: str) -> None:
        for watcher in self._watchers:
            watcher(text)

    def _translated(self, error: Exception, text: str) -> DBAPIError:
        return translated(error, text, gone=self._gone())


class PostgresLine(Line):
    """asyncpg keeps a prepared statement for each text."""

    def __init__(self, dialect: Dialect, watchers: Watchers, driver: asyncpg.Connection) -> None:
        super().__init__(dialect, watchers)
        self._driver = driver

    async def begin(self, limit_s: float) -> None:
        """BEGIN; it also finds out in time that the server hangs.

        The connection is cut at the limit: what is cancelled instead asks the server to agree.
        """
        cut = asyncio.get_running_loop().call_later(limit_s, self._driver.terminate)
        try:
            await self._plain("BEGIN")
        finally:
            cut.cancel()

    async def commit(self) -> None:
        """COMMIT of a transaction with a failed statement is a ROLLBACK, and PostgreSQL calls it no error."""
        if await self._plain("COMMIT") != "COMMIT":
            raise StoreDownError("the database has undone the unit of work; it is tried again")

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Any]:
        rows: Sequence[Any] = await self._driver.fetch(text, *values)
        return rows

    async def _change(self, text: str, values: Sequence[object]) -> int:
        status: str = await self._driver.execute(text, *values)
        return int(status.rpartition(" ")[2])

    async def _send(self, text: str) -> object:
        return await self._driver.execute(text)

    def _gone(self) -> bool:
        return bool(self._driver.is_closed())


class SqliteLine(Line):
    """Each statement is one visit to the driver's thread."""

    def __init__(self, dialect: Dialect, watchers: Watchers, driver: aiosqlite.Connection) -> None:
        super().__init__(dialect, watchers)
        self._driver = driver

    async def begin(self, limit_s: float) -> None:
        """Take the write lock now: busy_timeout is the limit."""
        del limit_s
        await self._plain("BEGIN IMMEDIATE")

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Any]:
        return list(await self._driver.execute_fetchall(text, values))

    async def _change(self, text: str, values: Sequence[object]) -> int:
        return (await self._driver.execute(text, values)).rowcount

    async def _send(self, text: str) -> object:
        return await self._driver.execute_fetchall(text)

    def _gone(self) -> bool:
        return False
