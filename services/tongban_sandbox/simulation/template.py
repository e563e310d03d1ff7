"""What every simulated country begins with, made once a process: keys, and a file for each province."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage.store import RegistryStore
from tongban_sandbox.people import HEAD, SyntheticHousehold, SyntheticPerson, households
from tongban_sandbox.simulation.chance import seeded_secrets
from tongban_shared.ids import PersonKey, Province, name_check, person_key
from tongban_shared.keys import generate_keys, load_secrets
from tongban_shared.provinces import load_provinces
from tongban_shared.registration import Household, Person, Registration
from tongban_shared.storage.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tongban_shared.provinces import ProvinceProfile

PROVINCES_MAX = 5
PEOPLE_EACH = 400
SEED = 7
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Resident:
    """One person of the country, wherever they live now."""

    key: PersonKey
    id_number: str
    name: str
    born: date

    @property
    def identity(self) -> dict[str, str]:
        """As the door wants it."""
        return {"id_number": self.id_number, "name": self.name}


@dataclass(frozen=True, slots=True)
class Template:
    """The folder, who governs, and who lives where at the beginning."""

    folder: Path
    profiles: Mapping[Province, ProvinceProfile]
    residents: Mapping[Province, Sequence[Resident]]

    @property
    def keys(self) -> Path:
        """The key folder; its secrets are those of the files, always."""
        return self.folder / "keys"

    def new_keys(self, owners: Iterable[str]) -> None:
        """Make the key folder anew, for these alone: who is in it is asked after."""
        shutil.rmtree(self.keys, ignore_errors=True)
        with seeded_secrets(Random("secrets of the simulated country")):
            generate_keys(self.keys, ())
            generate_keys(self.keys, owners)

    def copy(self, province: str, to: Path) -> None:
        """A province's file as it is at the beginning."""
        shutil.copyfile(self.folder / f"{province}.db", to)


def make_template(folder: Path) -> Template:
    """Make it in an empty folder. Runs loops of its own."""
    known = load_provinces()
    # Far apart in the list, so that they differ in kind; which ones does not matter.
    codes = sorted(known)[:: len(known) // PROVINCES_MAX][:PROVINCES_MAX]
    profiles = {code: known[code] for code in codes}
    residents: dict[Province, Sequence[Resident]] = {}
    template = Template(folder, profiles, residents)
    template.new_keys(())
    secret = load_secrets(template.keys).person
    for code in codes:
        homes = list(households(code, PEOPLE_EACH, SEED))
        residents[code] = [_resident(secret, member) for home in homes for member in home.members]
        asyncio.run(_seed(folder / f"{code}.db", secret, homes))
        _settle(folder / f"{code}.db")
    return template


def _resident(secret: bytes, person: SyntheticPerson) -> Resident:
    return Resident(person_key(secret, person.id_number), person.id_number, person.name, person.birth_date)


async def _seed(file: Path, secret: bytes, homes: Sequence[SyntheticHousehold]) -> None:
    url = f"sqlite:///{file}"
    await upgrade(url, MIGRATIONS)
    store = await RegistryStore.open(url)
    try:
        await store.seed(
            [Household(home.household_no, home.kind, home.station_code, home.address) for home in homes],
            [_row(secret, home, member) for home in homes for member in home.members],
        )
    finally:
        await store.close()


def _row(secret: bytes, home: SyntheticHousehold, member: SyntheticPerson) -> Person:
    """As a first registration."""
    return Person(
        key=person_key(secret, member.id_number),
        epoch=0,
        state=Registration.HELD,
        record_version=1,
        name_check=name_check(secret, member.id_number, member.name),
        birth_date=member.birth_date,
        household_id=home.household_no,
        head=home.kind == "FAMILY" and member.relation_code == HEAD,
        version=1,
        record=msgspec.json.encode(
            {**member.record, "name": member.name, "id_number": member.id_number}
        ).decode(),
    )


def _settle(file: Path) -> None:
    """All in one file, so that a copy of it is a copy of the database."""
    database = sqlite3.connect(file)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
