"""A passed limit becomes a message to oneself, so time is a line in the case table like any other.

What people are to be called for is looked after by the same round, as time passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tongban_registry.commands import Command
from tongban_registry.storage.reports import Reports
from tongban_registry.watch import Watch
from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall

ROUND_S = 1.0
DUE_PER_ROUND_MAX = 500


async def run_timers(hall: Hall) -> None:
    """Every second, put passed limits before the hall. Runs until cancelled."""
    office = hall.office
    watch = Watch(office.province, office.clock, Reports(hall.store.engine), hall.meters)
    while True:
        await office.clock.sleep(ROUND_S)
        await watch.look()
        if hall.waiting == 0:
            await pass_limits(hall)


async def pass_limits(hall: Hall) -> int:
    """One round; returns how many limits had passed."""
    try:
        due = await hall.store.due_cases(hall.office.clock.now(), DUE_PER_ROUND_MAX)
    except StoreDownError:
        hall.meters.store_failures.inc()
        return 0
    for case_id in due:
        hall.post(Command("limit", case_id=case_id))
    return len(due)
