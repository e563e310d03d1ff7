"""Bring a database to the newest schema at start, from the service's own migration scripts (alembic).

    await upgrade("sqlite:///var/44.db", Path(__file__).parent / "migrations")

The folder holds `versions/` only: no env.py, no alembic.ini. All scripts run in one transaction, or none has.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tongban_shared.storage.dialects import create_engine
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.runtime.migration import RevisionStep
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

LOCK_KEY: Final = 0x746F_6E67  # any number, the same in all processes
# Alembic keeps the migration under way in module globals, and ours gives way to other tasks while it runs.
_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()
_log: Final = logging.getLogger(__name__)


async def upgrade(url: str, scripts: Path) -> None:
    """Run what is missing; quick when nothing is. Safe when several processes start at once.

    A schema newer than the scripts stays: old code must work on it (expand first, contract a version later).
    Raises SettingsError, StoreDownError.
    """
    directory = _directory(scripts)
    engine = create_engine(url, patient=True)
    try:
        async with read(engine) as tx:
            missing = await tx.run_sync(_is_behind, directory)
        if missing:
            turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
            async with turn, write(engine) as tx:
                await _lock(tx)
                await tx.run_sync(_run, directory)
    finally:
        await engine.dispose()


@lru_cache
def _directory(scripts: Path) -> ScriptDirectory:
    return ScriptDirectory(scripts)


async def _lock(tx: AsyncConnection) -> None:
    """Let other processes wait until this transaction ends; SQLite's write lock does so by itself."""
    if tx.dialect.name != "sqlite":
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _is_behind(connection: Connection, directory: ScriptDirectory) -> bool:
    current = set(MigrationContext.configure(connection).get_current_heads())
    if current == set(directory.get_heads()):
        return False
    newer = current - {script.revision for script in directory.walk_revisions()}
    if newer:
        _log.warning("the database schema is newer than this program: %s", ", ".join(sorted(newer)))
    return not newer


def _run(connection: Connection, directory: ScriptDirectory) -> None:
    def missing(current: str, _: MigrationContext) -> list[RevisionStep]:
        return directory._upgrade_revs("heads", current)  # noqa: SLF001 (as alembic's own `upgrade` does)

    # Another process may have done it between our look and our lock; then there is nothing to run.
    with EnvironmentContext(Config(), directory, fn=missing) as environment:
        environment.configure(connection=connection, render_as_batch=connection.dialect.name == "sqlite")
        environment.run_migrations()


def add_column(table: str, column: sa.Column[Any]) -> None:
    """In a migration: add it where the first one, which makes the tables as they are now, has not."""
    known = {entry["name"] for entry in sa.inspect(op.get_bind()).get_columns(table)}
    if column.name not in known:
        op.add_column(table, column)
