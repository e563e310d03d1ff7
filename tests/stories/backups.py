"""Backups of a province's database, taken while it works and put back later, as operators do in trouble."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from tests.stories.world import Country

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
