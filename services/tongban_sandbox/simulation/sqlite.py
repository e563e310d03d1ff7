"""SQLite on the loop: aiosqlite's connection without its thread, and with an eye on what is committed.

Each visit to the database is a step of the loop, so that others run in between; a commit takes a while. Where
a process is to die at a statement, it dies there. A dead process's connections are closed: what it had not
committed is gone, as with a process that was killed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import aiosqlite

from tongban_sandbox.simulation.loop import PROCESS
from tongban_shared.storage import dialects

if TYPE_CHECKING:
    from pathlib import Path

    from tongban_sandbox.simulation.loop import Process

Visit = tuple["asyncio.Future[Any] | None", Callable[[], Any]]

CHUNK = 64
WATCHED = (
    ("person", "key, epoch, state, moved_to, household_id, hold"),
    ("cases", "id, side, state, persons, closed_at"),
)
TEMPORARY = "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000; PRAGMA wal_autocheckpoint=0;"
# A commit in the simulator survives what the simulator does; the machine's own power is not part of it.
UNSYNCED = ("synchronous=FULL", "synchronous=OFF")
LOST, FULL, SHUT = "an answer was lost", "disk full", "the file can't be opened"
CODES = {LOST: sqlite3.SQLITE_IOERR, FULL: sqlite3.SQLITE_FULL, SHUT: sqlite3.SQLITE_CANTOPEN}


class Change(NamedTuple):
    """A row of a watched table as it was written: the table, and the columns of WATCHED."""

    table: str
    row: tuple[Any, ...]


class Attendant(Protocol):
    """Who decides what happens at a visit to a province's database, and who is told of each commit."""

    def takes_s(self, words: str) -> float:
        """How long this statement takes."""
        ...

    def before(self, words: str) -> str | None:
        """Called before a statement is carried out: why it can't be, or None. May let the process die."""
        ...

    def after(self, words: str) -> str | None:
        """Called after it was carried out, before anybody knows: as `before`."""
        ...

    def committed(self, changes: list[Change]) -> None:
        """A transaction with these changes is durable."""
        ...


class Connection(aiosqlite.Connection):
    """One connection of one process."""

    def __init__(self, path: str, process: Process, attendant: Attendant, **options: Any) -> None:  # noqa: ANN401
        options["check_same_thread"] = False
        super().__init__(lambda: sqlite3.connect(path, **options), CHUNK)
        self._attendant = attendant
        self._process = process
        self._changes: list[Change] = []
        self._visits: deque[Visit] = deque()
        self._busy = False
        self._tx: Any = self
        process.at_death.append(self.cut)

    def __await__(self) -> Iterator[Any]:  # type: ignore[override]  # as its own, without starting a thread
        return self._open().__await__()

    async def _open(self) -> Connection:
        _ = await self._connect()
        raw = self._conn
        raw.executescript(TEMPORARY)
        for table, columns in WATCHED:
            self._watch(raw, table, columns)
        return self

    def _watch(self, raw: sqlite3.Connection, table: str, columns: str) -> None:
        """A trigger of this connection alone tells of each row that is written; the file knows nothing."""
        if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return
        names = [name.strip() for name in columns.split(",")]
        raw.create_function(f"sim_{table}", len(names), lambda *row: self._changes.append(Change(table, row)))
        values = ", ".join(f"NEW.{name}" for name in names)
        for event in ("INSERT", "UPDATE"):
            raw.execute(
                f"CREATE TEMP TRIGGER sim_{table}_{event} AFTER {event} ON main.{table}"
                f" BEGIN SELECT sim_{table}({values}); END"
            )

    async def executescript(self, sql_script: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """A script, without the waits for the disk."""
        return await super().executescript(sql_script.replace(*UNSYNCED))

    def put_nowait(self, visit: Visit) -> None:
        """As aiosqlite's queue: one visit after another, each in a step of the loop."""
        self._visits.append(visit)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = True
        takes_s = self._attendant.takes_s(_words(self._visits[0][1]))
        loop = asyncio.get_running_loop()
        if takes_s:
            loop.call_later(takes_s, self._serve)
        else:
            loop.call_soon(self._serve)

    def _serve(self) -> None:
        future, function = self._visits.popleft()
        result, error = None, None
        try:
            result = self._carry_out(function)
        except (sqlite3.Error, ValueError, OverflowError) as failed:
            error = failed
        self._busy = False
        if self._process.dead:
            return
        if self._visits:
            self._next()
        if future is None or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def _carry_out(self, function: Callable[[], Any]) -> object:
        words = _words(function)
        self._fail(self._attendant.before(words))
        if self._process.dead:
            return None
        result = function()
        if self._changes and not (self._connection and self._connection.in_transaction):
            changes, self._changes = self._changes, []
            if words != "ROLLBACK":
                self._attendant.committed(changes)
        self._fail(self._attendant.after(words))
        return result

    def _fail(self, why: str | None) -> None:
        """As SQLite does when the disk fails: what is open is undone, and the statement is an error."""
        if why is None:
            return
        if self._connection is not None and self._connection.in_transaction:
            self._connection.rollback()
            self._changes.clear()
        error = sqlite3.OperationalError(why)
        error.sqlite_errorcode = CODES[why]
        raise error

    def cut(self) -> None:
        """Close the file under it; a transaction that is open is undone."""
        raw, self._connection = self._connection, None
        self._running = False
        if raw is not None:
            # A cursor that the dead still hold would keep the file's lock beyond the close.
            raw.rollback()
            raw.close()

    def stop(self) -> None:
        """Close."""
        self.cut()

    def __del__(self) -> None:
        """Nothing: a dead process closes nothing."""


def _words(function: Callable[[], Any]) -> str:
    """The statement that a visit carries out, or the name of what it does."""
    arguments = getattr(function, "args", ())
    if arguments and isinstance(arguments[0], str):
        return str(arguments[0])
    name = getattr(getattr(function, "func", function), "__name__", "")
    return {"rollback": "ROLLBACK", "close": "ROLLBACK"}.get(name, name)


@contextmanager
def on_the_loop(attendant_of: Callable[[Process], Attendant]) -> Iterator[None]:
    """Let every engine that is made meanwhile use such connections."""

    def connect(path: str | Path, **options: Any) -> Connection:  # noqa: ANN401
        process = PROCESS.get()
        return Connection(str(path), process, attendant_of(process), **options)

    before, dialects.sqlite_connector = dialects.sqlite_connector, connect
    try:
        yield
    finally:
        dialects.sqlite_connector = before
