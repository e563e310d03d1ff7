"""What comes in one unit of work does not spoil each other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.stories.backups import backup, put_back
from tests.stories.world import Country
from tongban_registry.commands import Command
from tongban_shared.ports import Record

A, B = "32", "33"


async def test_a_recall_and_a_hold_on_one_of_the_family(country: Country) -> None:
    """The hold reads the family's rows, and the recall needs the records that were read with them."""
    family = country.family(A, 2, 1)
    copy = backup(country, B)
    country.wire.hold("settled", "recall")
    case = await country.apply(family[0], B, members=family[1:])
    await country.until(B, case, "COMPLETED")
    await country.until(A, case, "RELEASED")
    await put_back(country, B, copy)
    await country.wait(lambda: any(x.name == "recall" for x in country.wire.held), "recall")
    hall = country.sites[A].live.hall
    work, may_work, begun = hall.work, asyncio.Event(), asyncio.Event()
    units: list[tuple[int, int]] = []

    async def slow(records: Sequence[Record], commands: Sequence[Command]) -> None:
        units.append((len(records), len(commands)))
        begun.set()
        await may_work.wait()
        await work(records, commands)

    vars(hall)["work"] = slow
    passing = asyncio.create_task(hall.ask(Command("pass")))
    await begun.wait()
    await country.wire.let_go("recall")
    holding = asyncio.create_task(country.hold(family[0], "HOLD", at=A))
    await country.wait(lambda: hall.waiting >= 2, "both in line")
    may_work.set()
    await asyncio.gather(passing, holding)
    await country.until(B, case, "COMPLETED")
    assert any(records and commands for records, commands in units)
    assert [country.registers.holder(person.key) for person in family] == [(B, 1)] * 3
