"""Backups of a province's database, taken while it works and put back later, as operators do in trouble."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.world import Country

ORIGIN, DESTINATION = "32", "33"

_numbers = count(1)


def backup(country: Country, code: str) -> Path:
    """A copy of the database as it stands, committed units only."""
    copy = country.folder / f"backup-{code}-{next(_numbers)}.db"
    source = country.sites[code].database
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(copy)) as here:
        there.backup(here)
    return copy


async def put_back(country: Country, code: str, copy: Path, *, fence: bool = True) -> None:
    """The process dies, the copy takes its database's place, and it starts. fence False: lost as well.

    Under another name: a thread of the process that died here may still close the file that it had.
    """
    if country.sites[code].registry is not None:
        await country.crash(code)
    country.registers.remove(code)
    database = country.folder / f"{code}-{next(_numbers)}.db"
    shutil.copyfile(copy, database)
    country.sites[code].database = database
    if not fence:
        (country.folder / "fences" / code).unlink()
    country.registers.add(code, database)
    await country.start(code)


async def moved_since(country: Country, code: str, moment: str | None) -> tuple[Resident, Path]:
    """Somebody moves from 32 to 33; a backup of one side is taken on the way, and put back after the end."""
    person = country.person(ORIGIN)
    if moment is None:
        copy = backup(country, code)
        case = await country.move(person, DESTINATION)
    else:
        case = await stopped_at(country, person, moment)
        copy = backup(country, code)
        await country.wire.let_go(moment)
        await country.until(DESTINATION, case, "COMPLETED")
        await country.until(ORIGIN, case, "CONFIRMED")
    await country.calm()
    return person, copy


async def all_is_well(country: Country, person: Resident, holder: tuple[str, int]) -> None:
    """One home at once; and in the end nothing open, nothing owed, nothing quarantined but reused numbers."""
    claims = country.registers.claims(person.key)
    assert len(claims) <= 1
    await country.calm()
    await country.resend()
    await country.pass_time(days=1)
    await country.resend()
    assert country.registers.claims(person.key) == [holder[0]]
    assert country.registers.holder(person.key) == holder
    assert country.registers.homeless_and_doubled() == []
    assert country.registers.count("cases", "closed_at IS NULL") == 0
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert {reason for code in country.sites for reason in country.registers.quarantine(code)} <= {
        "ID_REUSED"
    }
