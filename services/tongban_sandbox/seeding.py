"""First registrations: synthetic people go into the registers, then into the custody ledger, at epoch 0.

The ledger takes the same person again, so that step can be repeated; a register whose seeding was cut off is
made anew by its owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from tongban_sandbox.people import HEAD, SyntheticHousehold, SyntheticPerson, households
from tongban_shared.custody import first
from tongban_shared.errors import SettingsError
from tongban_shared.ids import PersonKey, Province, custody_digest, name_check, person_key
from tongban_shared.ports import Verdict
from tongban_shared.registration import Household, Person, Registration

if TYPE_CHECKING:
    from tongban_ledger.storage.sql import LedgerStore
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.ports import Ledger

# Keys are random to the databases: the fewer transactions, the less often each page is written.
PERSONS_PER_BATCH = 10_000
ENTRIES_PER_BATCH = 20_000
# Well under what the ledger takes in one call.
PERSONS_PER_CALL = 2_500
Progress = Callable[[int], None]
"""Called with the number of people entered since the last call."""


@dataclass(slots=True)
class Batch:
    """Whole households, and their members."""

    households: list[Household] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """One province's register; secret: of the person keys."""

    province: Province
    store: RegistryStore
    secret: bytes


async def seed_register(place: Place, people: int, seed: int, progress: Progress) -> Sequence[PersonKey]:
    """Enter `people` synthetic people into a register; returns their keys."""
    keys: list[PersonKey] = []
    made = batches(place.province, people, seed, place.secret)
    # In a thread: making a batch takes longer than a database waits for its next statement.
    while (batch := await asyncio.to_thread(next, made, None)) is not None:
        await place.store.seed(batch.households, batch.persons)
        keys += [PersonKey(person.key) for person in batch.persons]
        progress(len(batch.persons))
    return keys


async def claim(ledger: Ledger, province: Province, keys: Sequence[PersonKey]) -> None:
    """Enter people into the ledger as their province does. Raises SettingsError if it knows one elsewhere."""
    for start in range(0, len(keys), PERSONS_PER_CALL):
        claims = [(key, province) for key in keys[start : start + PERSONS_PER_CALL]]
        _check(await ledger.register_first(claims))


async def claim_all(
    store: LedgerStore, keys: Mapping[Province, Sequence[PersonKey]], secret: bytes, now_us: int
) -> None:
    """Enter a whole country into the ledger's own store, in the order of its keys: each page is written once.

    secret: of the ledger's digests. Raises SettingsError if the ledger knows somebody elsewhere.
    """
    entries = sorted((custody_digest(secret, key), code) for code, found in keys.items() for key in found)
    for start in range(0, len(entries), ENTRIES_PER_BATCH):
        hops = [first(digest, code) for digest, code in entries[start : start + ENTRIES_PER_BATCH]]
        _check(await store.enter(hops, now_us))


def _check(verdicts: Sequence[Verdict]) -> None:
    if Verdict.CONFLICT in verdicts:
        raise SettingsError("the ledger holds some of these people elsewhere; begin a new country")


def batches(province: Province, people: int, seed: int, secret: bytes) -> Iterator[Batch]:
    """A province's people in batches of whole households."""
    batch = Batch()
    for home in households(province, people, seed):
        batch.households.append(Household(home.household_no, home.kind, home.station_code, home.address))
        batch.persons.extend(_person(member, home, secret) for member in home.members)
        if len(batch.persons) >= PERSONS_PER_BATCH:
            yield batch
            batch = Batch()
    if batch.persons:
        yield batch


def _person(member: SyntheticPerson, home: SyntheticHousehold, secret: bytes) -> Person:
    return Person(
        key=person_key(secret, member.id_number),
        epoch=0,
        state=Registration.HELD,
        record_version=1,
        name_check=name_check(secret, member.id_number, member.name),
        birth_date=member.birth_date,
        household_id=home.household_no,
        head=member.relation_code == HEAD,
        version=1,
        record=_record(member, home),
    )


def _record(member: SyntheticPerson, home: SyntheticHousehold) -> str:
    """The resident form: what the generator says, and what identifies the person on paper."""
    form = {
        **member.record,
        "id_number": member.id_number,
        "name": member.name,
        "sex": member.sex,
        "birth_date": member.birth_date,
        "relation_code": member.relation_code,
        "address": home.address,
        "household_no": home.household_no,
    }
    return msgspec.json.encode(form).decode()
