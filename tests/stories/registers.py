"""Reads the provinces' database files directly, all at one instant: the loop stands still meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CLAIMING = {"HELD", "FROZEN"}
BOUND = {"PREPARED"}
ENDED = {"CANCELLED_DEATH", "CANCELLED_MILITARY", "CANCELLED_ABROAD"}
Row = tuple[Any, ...]


class Registers:
    """Every province's register, seen from outside. Add a file once it is migrated; `close` at the end."""

    def __init__(self) -> None:
        self._files: dict[str, sqlite3.Connection] = {}

    def add(self, code: str, database: Path) -> None:
        """One more province."""
        self._files[code] = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)

    def remove(self, code: str) -> None:
        """Let go of a file that is about to be replaced."""
        self._files.pop(code).close()

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def rows(self, code: str, query: str, *values: object) -> list[Row]:
        """What a query finds."""
        return self._files[code].execute(query, values).fetchall()

    @staticmethod
    def change(database: Path, statement: str) -> None:
        """Damage a file whose process does not run."""
        file = sqlite3.connect(database)
        with file:
            file.execute(statement)
        file.close()

    def count(self, table: str, where: str = "1") -> int:
        """Rows of a table in the whole country."""
        query = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608  # constants of the tests
        return sum(int(self.rows(code, query)[0][0]) for code in self._files)

    def quarantine(self, code: str) -> list[str]:
        """Reasons for which a province refused something, in order."""
        return [str(row[0]) for row in self.rows(code, "SELECT reason FROM quarantine ORDER BY n")]

    def person(self, code: str, key: str) -> Mapping[str, Any] | None:
        """One person's row there."""
        cursor = self._files[code].execute("SELECT * FROM person WHERE key = ?", (key,))
        found = cursor.fetchone()
        return None if found is None else dict(zip((c[0] for c in cursor.description), found, strict=True))

    def everybody(self) -> dict[str, list[tuple[str, int, str, str | None]]]:
        """Per person: (province, epoch, state, moved_to) of each row."""
        found: dict[str, list[tuple[str, int, str, str | None]]] = {}
        for code in self._files:
            for key, *rest in self.rows(code, "SELECT key, epoch, state, moved_to FROM person"):
                epoch, state, moved_to = rest
                found.setdefault(key, []).append((code, epoch, state, moved_to))
        return found

    def claims(self, key: str) -> list[str]:
        """Provinces that claim a person now."""
        return [code for code, _, state, _ in self.everybody().get(key, []) if state in CLAIMING]

    def holder(self, key: str) -> tuple[str, int]:
        """The one province that answers for a person, and the epoch. Source: protocol.md §2, §5."""
        homes = homes_of(self.everybody().get(key, []))
        assert len(homes) == 1, f"want one home, found {homes}"
        return homes[0]

    def homeless_and_doubled(self) -> list[str]:
        """Persons with no home, or with more than one."""
        return [key for key, rows in self.everybody().items() if len(homes_of(rows)) != 1]


def homes_of(rows: list[tuple[str, int, str, str | None]]) -> list[tuple[str, int]]:
    """A person's homes: who claims; or, if nobody does, whom a certificate names and who is bound."""
    claimed = [(code, epoch) for code, epoch, state, _ in rows if state in CLAIMING or state in ENDED]
    if claimed:
        return claimed
    bound = {(code, epoch) for code, epoch, state, _ in rows if state in BOUND}
    named = {(moved_to, epoch + 1) for _, epoch, state, moved_to in rows if state == "RELEASED" and moved_to}
    return sorted(bound & named)
