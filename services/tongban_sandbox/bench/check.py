"""Was it all right? Looks at registers and ledger after a run, past the services.

Exactly one home for each person, epochs as the ledger has them, every outbox row receipted, nothing in
quarantine, no case left open.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from tongban_sandbox.homes import Claims, Homes, Transit, count_homes
from tongban_shared.ids import PersonKey, Province, custody_digest

CLAIMED = "SELECT key, epoch FROM person WHERE state IN ('HELD', 'FROZEN')"
TRANSIT = "SELECT key, epoch, state, moved_to FROM person WHERE state IN ('RELEASED', 'PREPARED')"
FROZEN = "SELECT count(*) FROM person WHERE state = 'FROZEN'"
OPEN_CASES = "SELECT count(*) FROM cases WHERE closed_at IS NULL"
UNSENT = "SELECT count(*) FROM outbox WHERE next_try_at IS NOT NULL"
NOT_RECEIPTED = "SELECT count(*) FROM outbox WHERE receipted_at IS NULL OR returned IS NOT NULL"
QUARANTINED = "SELECT count(*) FROM quarantine"
PARKED = "SELECT count(*) FROM parked"
OUTCOMES = "SELECT state, count(*) FROM cases WHERE side = 'DESTINATION' GROUP BY state"
MOVED = "SELECT coalesce(sum(epoch), 0) FROM custody"
CUSTODY = "SELECT digest, epoch, holder FROM custody"
TABLES = (
    "inbox",
    "outbox",
    "cases",
    "timeline",
    "history",
    "access_log",
    "unit",
    "proof",
    "record",
    "person",
    "household",
)
INSERTED = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in TABLES)  # noqa: S608
CHANGED = (
    "SELECT (SELECT coalesce(sum(version - 1), 0) FROM cases),"
    " (SELECT coalesce(sum(version - 1), 0) FROM person),"
    " (SELECT count(*) FROM outbox WHERE receipted_at IS NOT NULL)"
)


class Reader(Protocol):
    """Read-only questions to one database."""

    async def rows(self, question: str) -> Sequence[tuple[Any, ...]]:
        """All rows of an answer."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class SqliteReader:
    """One SQLite file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    async def rows(self, question: str) -> Sequence[tuple[Any, ...]]:
        return self._connection.execute(question).fetchall()

    async def close(self) -> None:
        self._connection.close()


class PostgresReader:
    """One PostgreSQL database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, dsn: str) -> PostgresReader:
        """Connect. dsn: as SQLAlchemy writes it."""
        return cls(await asyncpg.connect(dsn.replace("+asyncpg", "")))

    async def rows(self, question: str) -> Sequence[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.fetch(question)]

    async def close(self) -> None:
        await self._connection.close()


@dataclass(frozen=True, slots=True)
class Country:
    """Readers of all registers and of the ledger."""

    registers: Mapping[Province, Reader]
    ledger: Reader
    custody_secret: bytes

    async def count(self, question: str) -> int:
        """The sum of a question's one number over all registers."""
        return sum([int((await reader.rows(question))[0][0]) for reader in self.registers.values()])

    async def settled(self) -> bool:
        """Whether every case has ended at both ends and every message is receipted."""
        return await self.count(UNSENT) == 0 and await self.count(OPEN_CASES) == 0

    async def close(self) -> None:
        """Hang up everywhere."""
        for reader in (*self.registers.values(), self.ledger):
            await reader.close()


@dataclass(slots=True)
class Written:
    """Rows so far in all registers: inserted by table; updated: changes of cases, persons and outbox."""

    inserted: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Inserted and updated."""
        return self.inserted.total() + self.updated.total()

    def since(self, before: Written) -> Written:
        """What was written after `before` was read."""
        return Written(self.inserted - before.inserted, self.updated - before.updated)


async def written(country: Country) -> Written:
    """Count; versions tell how often a row was changed."""
    found = Written()
    for reader in country.registers.values():
        found.inserted.update({name: int(count) for name, count in await reader.rows(INSERTED)})
        changes = (await reader.rows(CHANGED))[0]
        names = ("cases", "person", "outbox")
        found.updated.update({n: int(count) for n, count in zip(names, changes, strict=True)})
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found. faults: empty when all is right."""

    faults: Sequence[str]
    outcomes: Mapping[str, int]
    counted: Homes

    @property
    def homes(self) -> str:
        """The count in words."""
        return str(self.counted)


async def check(country: Country, cases: int) -> Verdict:
    """Check a settled country that has seen `cases` applications."""
    claims = {code: await _claims(reader) for code, reader in country.registers.items()}
    registered = {digest: (epoch, holder) for digest, epoch, holder in await country.ledger.rows(CUSTODY)}
    homes = count_homes({code: claim for code, (claim, _) in claims.items()}, len(registered))
    outcomes: Counter[str] = Counter()
    for reader in country.registers.values():
        outcomes.update({state: int(count) for state, count in await reader.rows(OUTCOMES)})
    faults = [] if homes.good and not homes.in_transfer else [str(homes)]
    if outcomes.total() != cases:
        faults.append(f"{outcomes.total()} cases are known, {cases} were accepted")
    wrong = sum(
        registered.get(custody_digest(country.custody_secret, PersonKey(key))) != (epoch, code)
        for code, (_, epochs) in claims.items()
        for key, epoch in epochs.items()
    )
    if wrong:
        faults.append(f"{wrong} persons have another epoch or holder in the ledger")
    for question, fault in _EMPTY:
        count = await country.count(question)
        if count:
            faults.append(f"{count} {fault}")
    return Verdict(faults, dict(outcomes), homes)


_EMPTY = (
    (OPEN_CASES, "cases are still open"),
    (NOT_RECEIPTED, "messages were not receipted, or returned"),
    (QUARANTINED, "messages are in quarantine"),
    (PARKED, "messages are parked"),
)


async def _claims(reader: Reader) -> tuple[Claims, dict[str, int]]:
    epochs = {key: int(epoch) for key, epoch in await reader.rows(CLAIMED)}
    transit = [Transit(*row) for row in await reader.rows(TRANSIT)]
    frozen = int((await reader.rows(FROZEN))[0][0])
    return Claims(set(epochs), frozen, transit), epochs
