"""The sandbox's own look into all registers at one moment, past the services: what checker and table read.

SQLite files only, read-only. A reading never waits for a service and no service waits for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tongban_sandbox.homes import Claims, Homes, Transit, count_homes
from tongban_shared.ids import PersonKey, Province

CLAIMS = "SELECT key FROM person WHERE state IN ('HELD', 'FROZEN')"
IN_TRANSFER = (
    "SELECT key, epoch, state, moved_to FROM person WHERE state IN ('FROZEN', 'RELEASED', 'PREPARED')"
)
CLOSED = "SELECT count(*) FROM person WHERE state LIKE 'CANCELLED%'"
OPEN_CASES = (
    "SELECT count(*), min(opened_at) FROM cases INDEXED BY cases_due"
    " WHERE due_at IS NOT NULL AND side = 'DESTINATION'"
)
# The timeline only grows, so that each reading looks at its newest lines alone.
NEW_ENDS = (
    "SELECT max(n) OVER (), line.state FROM timeline AS line JOIN cases ON cases.id = line.case_id"
    " WHERE line.n > ? AND cases.side = 'DESTINATION' AND line.event NOT LIKE '%inquire'"
    " AND line.state IN ('COMPLETED', 'REFUSED', 'WITHDRAWN', 'EXPIRED', 'VOIDED')"
)
PERSONS_REGISTERED = "SELECT count(*) FROM custody"


@dataclass(slots=True)
class Figures:
    """One province's row: persons it claims, cases it accepted by what became of them.

    oldest: when its oldest open case was opened. refused counts REFUSED alone; ended_otherwise the rest.
    """

    people: int = 0
    open: int = 0
    completed: int = 0
    refused: int = 0
    ended_otherwise: int = 0
    in_transfer: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All registers at one moment. took_s: how long it took to read."""

    provinces: Mapping[Province, Figures]
    homes: Homes
    took_s: float


@dataclass(slots=True)
class _Ends:
    """How many cases ended in which way, counted up to one line of the timeline."""

    line: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class Registers:
    """Readers of all registers and of the ledger. One reading at a time."""

    def __init__(self, registers: Mapping[Province, Path], ledger: Path) -> None:
        self._readers = {code: _reader(path) for code, path in registers.items()}
        self._ledger = _reader(ledger)
        self._ends: dict[Province, _Ends] = {code: _Ends() for code in registers}

    def let_go(self, province: Province) -> None:
        """Close one register's file, which is about to be replaced."""
        self._readers[province].close()

    def take_up(self, province: Province, file: Path) -> None:
        """Read it again, from its first line on."""
        self._readers[province] = _reader(file)
        self._ends[province] = _Ends()

    def pin(self) -> None:
        """Hold all databases at this moment, until `read` is done. A few ms; call it on the event loop.

        While the loop stands still no message passes between provinces, so the moments, which differ a
        little, make one consistent cut: nobody is seen arriving who was not seen leaving.
        """
        for reader in (*self._readers.values(), self._ledger):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def read(self) -> Reading:
        """Read what was pinned, in any thread."""
        started = time.perf_counter()
        try:
            claims = {code: _claims(reader) for code, reader in self._readers.items()}
            figures = {code: self._figures(code, claims[code]) for code in self._readers}
            registered: int = self._ledger.execute(PERSONS_REGISTERED).fetchone()[0]
        finally:
            self._unpin()
        homes = count_homes(claims, registered)
        return Reading(figures, homes, time.perf_counter() - started)

    @contextmanager
    def reader(self, province: Province) -> Iterator[sqlite3.Connection]:
        """A connection of its own for other questions to one register; read-only."""
        path = self._readers[province].execute("PRAGMA database_list").fetchone()[2]
        connection = _reader(Path(path))
        try:
            yield connection
        finally:
            connection.close()

    def keys(self, province: Province) -> list[PersonKey]:
        """The keys of everybody whom a register claims."""
        with self.reader(province) as reader:
            return [PersonKey(key) for (key,) in reader.execute(CLAIMS)]

    def close(self) -> None:
        """Close all readers."""
        for reader in (*self._readers.values(), self._ledger):
            reader.close()

    def _unpin(self) -> None:
        for reader in (*self._readers.values(), self._ledger):
            if reader.in_transaction:
                reader.execute("COMMIT")

    def _figures(self, code: Province, claims: Claims) -> Figures:
        reader, ends = self._readers[code], self._ends[code]
        opened, oldest_us = reader.execute(OPEN_CASES).fetchone()
        for line, state in reader.execute(NEW_ENDS, (ends.line,)):
            ends.line = line
            ends.counts[state] = ends.counts.get(state, 0) + 1
        completed, refused = ends.counts.get("COMPLETED", 0), ends.counts.get("REFUSED", 0)
        return Figures(
            people=len(claims.held),
            open=opened,
            completed=completed,
            refused=refused,
            ended_otherwise=sum(ends.counts.values()) - completed - refused,
            in_transfer=claims.frozen + sum(row.state == "RELEASED" for row in claims.transit),
            oldest=None if oldest_us is None else datetime.fromtimestamp(oldest_us / 1_000_000, UTC),
        )


def _claims(reader: sqlite3.Connection) -> Claims:
    held = {key for (key,) in reader.execute(CLAIMS)}
    rows = [Transit(*row) for row in reader.execute(IN_TRANSFER)]
    transit = [row for row in rows if row.state != "FROZEN"]
    closed: int = reader.execute(CLOSED).fetchone()[0]
    return Claims(held, len(rows) - len(transit), transit, closed)


def _reader(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def has_people(path: Path) -> bool:
    """Whether a register's database holds anybody; False where there is no such database yet."""
    if not path.exists():
        return False
    reader = _reader(path)
    try:
        return bool(reader.execute("SELECT EXISTS (SELECT 1 FROM person)").fetchone()[0])
    except sqlite3.OperationalError:
        return False  # killed before its tables were made
    finally:
        reader.close()
