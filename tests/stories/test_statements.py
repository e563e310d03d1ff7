"""The number of SQL statements of a unit of work does not grow with the number of its deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.stories.folk import Resident
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_registry.registry import Registry
from tongban_shared.ports import Record
from tongban_shared.registration import ADULT_AGE

A, B = "32", "33"
NUMBERS = (1, 10, 500)
# What the origin's ledger answer makes of it is a unit of its own, counted with "appended".
AT = {"precheck": A, "permit": A, "offer": B, "certificate": B, "settled": A}


class Counted:
    """Counts what a registry's database gets: through the writer's own connection, and through SQLAlchemy."""

    def __init__(self, registry: Registry) -> None:
        self._engine = registry.store.engine.sync_engine
        self._writer = registry.store.writer
        self.statements: list[str] = []

    def __enter__(self) -> list[str]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        self._writer.on_statement.append(self.statements.append)
        return self.statements

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)
        self._writer.on_statement.clear()

    def _note(self, *given: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own signature
        self.statements.append(str(given[2]))


async def _batch(country: Country, people: list[Resident], name: str) -> list[Letter]:
    """So many messages of one name, kept back."""
    country.wire.hold(name)
    await asyncio.gather(*(country.apply(person, B) for person in people))

    def all_there() -> bool:
        return len(country.wire.held) == len(people)

    await country.wait(all_there, f"{len(people)} × {name}")
    await country.calm()
    letters, country.wire.held = country.wire.held, []
    return letters


async def _count(country: Country, people: list[Resident], name: str) -> list[str]:
    """The statements of one unit of work that takes all of a batch at once."""
    letters = await _batch(country, people, name)
    registry = country.sites[AT[name]].live
    records = [
        Record(letter.family, country.wire.inner.log_id, 10**6 + number, letter.data)
        for number, letter in enumerate(letters)
    ]
    with Counted(registry) as statements:
        await registry.hall.work(records, [])
    country.wire.holding.clear()
    for person in people:
        assert country.registers.claims(person.key) in ([A], [B], [])
    return statements


def _heads(country: Country) -> Iterator[Resident]:
    """Adults who may leave: one of each household in which no minor would stay alone."""
    for family in country.sites[A].folk.families:
        adults = [member for member in family if member.age >= ADULT_AGE]
        if len(adults) > 1 or len(family) == 1:
            yield adults[0]


@pytest.mark.parametrize("name", list(AT))
async def test_statements_do_not_grow_with_the_batch(tmp_path: Path, name: str) -> None:
    """1, 10 and 500 deliveries of one kind cost the same statements, one by one the same."""
    country = await Country.open(tmp_path, provinces=2, people=sum(NUMBERS) * 4)
    try:
        heads = _heads(country)
        seen = {}
        for number in NUMBERS:
            seen[number] = await _count(country, [next(heads) for _ in range(number)], name)
        assert seen[1] == seen[10] == seen[500]
        assert 0 < len(seen[500]) <= 25
    finally:
        await country.close()
