"""What an engine of each database needs: drivers, pragmas, limits. Source: SQLAlchemy's dialect recipes."""

from __future__ import annotations

import asyncio
import binascii
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_shared.errors import SettingsError
from tongban_shared.storage.failures import PRIMARY_CODE, redact
from tongban_shared.storage.rowset import UNBASE64

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiosqlite
    from sqlalchemy import URL, AdaptedConnection, Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
BEGIN: Final = "tongban_begin"  # execution option: DEFERRED or IMMEDIATE
RETRY_S: Final = 0.005
PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
POOL: Final[dict[str, Any]] = {
    "pool_size": 4,  # SQLite: one writes, the others read
    "max_overflow": 0,
    "pool_use_lifo": True,  # those of a quiet time stay unopened
    "pool_timeout": None,  # the caller's limit covers the wait; asyncio.wait_for may swallow a cancel
    "hide_parameters": True,  # an error message must hold no name and no id number
}
STATEMENT_CACHE_SIZE: Final = 256
ACQUIRE_S: Final = "tongban_acquire_s"  # execution option of the engine: how long to wait for a transaction
ACQUIRE_TIMEOUT_S: Final = 0.95
CONNECT_TIMEOUT_S: Final = 0.9
BUSY_TIMEOUT_MS: Final = 800  # less than ACQUIRE_TIMEOUT_S, so that SQLite answers before we stop waiting
# A unit of work is a handful of set-wise statements; the server stops a longer one, the client a dead server.
STATEMENT_TIMEOUT_MS: Final = 4_500
COMMAND_TIMEOUT_S: Final = 5.0
PATIENT_MS: Final = 60_000  # for migrations: rows may be rewritten, and a second process waits for the first

sqlite_connector: Callable[..., aiosqlite.Connection] | None = None
"""Makes the connections to SQLite of engines made from now on. None: aiosqlite's own, each with a thread; the
simulator, whose loop is all there is, puts its own here."""


def create_engine(url: str, *, patient: bool = False) -> AsyncEngine:
    """Make an engine, without connecting. `patient` lifts the limits for migrations. Raises SettingsError."""
    parsed = _parse(url)
    make, limit_ms = (
        (_sqlite, BUSY_TIMEOUT_MS)
        if parsed.get_backend_name() == "sqlite"
        else (_postgres, STATEMENT_TIMEOUT_MS)
    )
    engine = make(parsed, PATIENT_MS if patient else limit_ms)
    engine.update_execution_options(**{ACQUIRE_S: PATIENT_MS / 1000 if patient else ACQUIRE_TIMEOUT_S})
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        return parsed.set(drivername=DRIVERS[parsed.get_backend_name()])
    except (ArgumentError, KeyError) as error:
        raise SettingsError("the database URL must start with sqlite:/// or postgresql://") from error


def _sqlite(url: URL, busy_timeout_ms: int) -> AsyncEngine:
    if url.database in {None, "", ":memory:"}:
        raise SettingsError(
            "a SQLite database in memory is lost with its connection; name a file: sqlite:///FILE"
        )
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # sqlite3 would start transactions of its own, late and deferred.
    how: dict[str, Any] = {"isolation_level": None}
    if sqlite_connector is not None:
        how["async_creator_fn"] = sqlite_connector
    engine = create_async_engine(
        url,
        **POOL,
        # Whoever returns a connection has ended its transaction; a second rollback is a switch of threads.
        pool_reset_on_return=None,
        connect_args=how,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: AdaptedConnection, _: object) -> None:
        connection.run_async(lambda raw: _prepare_sqlite(raw, busy_timeout_ms))

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'DEFERRED')}")

    return engine


async def _prepare_sqlite(connection: aiosqlite.Connection, busy_timeout_ms: int) -> None:
    script = f"PRAGMA busy_timeout={busy_timeout_ms};" + "".join(f"PRAGMA {pragma};" for pragma in PRAGMAS)
    try:
        await connection.create_function(UNBASE64, 1, _unbase64, deterministic=True)
        while not await _run_script(connection, script):  # noqa: ASYNC110 (another process holds it up)
            await asyncio.sleep(RETRY_S)
    except BaseException:
        await connection.close()  # the pool does not know it yet
        raise


async def _run_script(connection: aiosqlite.Connection, script: str) -> bool:
    """Tell whether it ran. The change to WAL of a new file that two processes open ignores busy_timeout."""
    try:
        await connection.executescript(script)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _postgres(url: URL, limit_ms: int) -> AsyncEngine:
    settings = {
        "application_name": "tongban",
        "jit": "off",  # the statements are small, to compile them takes longer than to run them
        "statement_timeout": str(limit_ms),
        "idle_in_transaction_session_timeout": str(2 * limit_ms),
    }
    engine = create_async_engine(
        url,
        **POOL,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S * limit_ms / STATEMENT_TIMEOUT_MS,
            "prepared_statement_cache_size": STATEMENT_CACHE_SIZE,  # SQLAlchemy's; asyncpg's own are next
            "statement_cache_size": STATEMENT_CACHE_SIZE,
            "max_cached_statement_lifetime": 0,  # the statements are few and stay the same
            "server_settings": settings,
        },
    )
    event.listen(engine.sync_engine, "handle_error", redact)
    return engine


def _unbase64(value: str | None) -> bytes | None:
    return None if value is None else binascii.a2b_base64(value)
