"""First registrations: synthetic people go into a register and into the custody ledger, at epoch 0.

Both sides are set-wise and safe to repeat as a pair: the ledger takes the same person again, and a register
whose seeding was cut off is made anew by its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from tongban_sandbox.people import HEAD, SyntheticHousehold, SyntheticPerson, households
from tongban_shared.errors import SettingsError
from tongban_shared.ids import PersonKey, Province, name_check, person_key
from tongban_shared.ports import Verdict
from tongban_shared.registration import Household, Person, Registration

if TYPE_CHECKING:
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.ports import Ledger

# Well under what the ledger takes in one call.
PERSONS_PER_BATCH = 2_500
Progress = Callable[[int], None]
"""Called with the number of people entered since the last call."""


@dataclass(slots=True)
class Batch:
    """Whole households, and their members."""

    households: list[Household] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where people are entered: register and ledger of one province. secret: of the person keys."""

    province: Province
    store: RegistryStore
    ledger: Ledger
    secret: bytes


async def seed_province(place: Place, people: int, seed: int, progress: Progress) -> None:
    """Enter `people` synthetic people. Raises SettingsError where the ledger knows one of them elsewhere."""
    for batch in batches(place.province, people, seed, place.secret):
        claims = [(PersonKey(person.key), place.province) for person in batch.persons]
        verdicts = await place.ledger.register_first(claims)
        if Verdict.CONFLICT in verdicts:
            raise SettingsError(f"the ledger holds people of province {place.province} already")
        await place.store.seed(batch.households, batch.persons)
        progress(len(batch.persons))


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
