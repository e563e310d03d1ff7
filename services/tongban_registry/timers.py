"""A passed limit becomes a message to oneself, so time is a line in the case table like any other.

What people are to be called for is looked after by the same round, as time passes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tongban_registry.commands import Command
from tongban_registry.storage.documents import Documents
from tongban_registry.storage.refused import Refusals
from tongban_registry.storage.reports import Reports
from tongban_registry.watch import Watch
from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_registry.storage.reports import Pulse

ROUND_S = 1.0
DUE_PER_ROUND_MAX = 500
# Longer than any permit is good for, and than a province may be away: then no cause will come by itself.
PARKED_MAX = timedelta(days=60)
PARKED_COUNT_MAX = 10_000
COPIES_LOOKED_AT = timedelta(hours=1)


async def run_timers(hall: Hall) -> None:
    """Every second, put passed limits before the hall. Runs until cancelled."""
    office = hall.office
    watch = Watch(office, Reports(hall.store.engine), hall.meters)
    looked_at = office.clock.now()
    while True:
        await office.clock.sleep(ROUND_S)
        pulse = await watch.look()
        if pulse is not None:
            await give_up_parked(hall, pulse)
        if office.clock.now() - looked_at >= COPIES_LOOKED_AT:
            looked_at = office.clock.now()
            await let_copies_go(hall)
        if hall.waiting == 0:
            await pass_limits(hall)


async def give_up_parked(hall: Hall, pulse: Pulse) -> int:
    """What waits for its cause too long, or is too much, is for people. Returns how many messages that is."""
    since = hall.office.clock.now() - PARKED_MAX
    none_late = pulse.oldest_parked_at is None or pulse.oldest_parked_at > since
    if none_late and pulse.parked <= PARKED_COUNT_MAX:
        return 0
    try:
        waiting = await Refusals(hall.store.engine).waiting_too_long(
            since, PARKED_COUNT_MAX, DUE_PER_ROUND_MAX
        )
    except StoreDownError:
        hall.meters.store_failures.inc()
        return 0
    by_case: dict[str, set[str]] = {}
    for message_id, case_id in waiting:
        by_case.setdefault(case_id, set()).add(message_id)
    for case_id, message_ids in by_case.items():
        hall.post(Command("parked", body=message_ids, case_id=case_id))
    return len(waiting)


async def let_copies_go(hall: Hall) -> int:
    """Copies of documents that nobody came for are dropped (EN2). Returns how many."""
    try:
        return await Documents(hall.store.engine).let_go(hall.office.clock.now())
    except StoreDownError:
        hall.meters.store_failures.inc()
        return 0


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
