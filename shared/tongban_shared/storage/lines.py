"""A driver's connection with as little around it as each statement needs: text, values, rows or a count.

Errors are those that SQLAlchemy would raise, and as silent about values: IntegrityError, or DBAPIError, which
`failures.is_away` tells to be the database's or ours.
"""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from asyncpg.exceptions import InterfaceError, PostgresError

from tongban_shared.storage.compiled import form_of
from tongban_shared.storage.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import aiosqlite
    import asyncpg
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection

    Watchers = Sequence[Callable[[str], None]]

COMMIT: Final = "COMMIT"
NOTHING: Final[Mapping[str, Any]] = {}


class Line(ABC):
    """One connection. Statements are Core statements kept at module level; their rows are plain sequences."""

    def __init__(self, connection: AsyncConnection, watchers: Watchers) -> None:
        self._dialect = connection.dialect
        self._watchers = watchers

    async def fetch(self, statement: Executable, given: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        """The rows, whose values stand in the order of the statement's columns."""
        form = form_of(statement, self._dialect)
        return await self._told(form.text, self._fetch(form.text, form.values(given)))

    async def change(self, statement: Executable, given: Mapping[str, Any] = NOTHING) -> int:
        """The number of rows that were inserted, changed or deleted."""
        form = form_of(statement, self._dialect)
        return await self._told(form.text, self._change(form.text, form.values(given)))
