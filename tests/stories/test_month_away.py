"""A province is away for a month while messages pile up for it (guards.md R2).

The suite plays some hundreds; TONGBAN_WAITING=50000 plays as many, --log-cli-level=INFO shows the figures.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories import world
from tests.stories.backlog import Backlog, NewWork
from tests.stories.world import Country
from tongban_registry.inbox import RECORDS_PER_UNIT_MAX
from tongban_registry.silence import TRIES_BEFORE_SILENCE

log = logging.getLogger(__name__)

WAITING = int(os.environ.get("TONGBAN_WAITING", "600"))
URGENT = 20
PATIENCE_S = max(180, WAITING // 5)
DRAIN_S = 600.0
QUIET_S = 2.0
SERVED_S = 5.0
COPIES_MAX = 2 * TRIES_BEFORE_SILENCE
A, B = "32", "33"


@pytest.fixture
async def backlog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backlog]:
    """A month of silence, and at its end some messages that are urgent."""
    monkeypatch.setattr(world, "PATIENCE_S", PATIENCE_S)
    # Two thirds of the cases are about residents of one province, and not everybody may leave a family.
    country = await Country.open(tmp_path, provinces=3, people=200 + int(WAITING * 1.4))
    try:
        backlog = Backlog(country, WAITING)
        await backlog.pile_up()
        await backlog.month()
        await backlog.hurry(URGENT)
        yield backlog
    finally:
        await country.close()


@pytest.mark.timeout(PATIENCE_S)
async def test_a_month_s_messages_drain_urgent_ones_first(backlog: Backlog) -> None:
    """All is taken in ten minutes, the urgent ones first although they came last; people are served too."""
    waited, sent, known = set(backlog.copies), backlog.copies.total(), len(backlog.taken())
    waiting = backlog.waiting()
    assert len(waited) >= waiting >= WAITING + URGENT
    assert sent <= len(waited) * COPIES_MAX
    new_work = NewWork(backlog, A, B)
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(new_work.run())
        await backlog.idle(QUIET_S)
        normal_s = new_work.p95_s()
        took_s = await backlog.drain(DRAIN_S)
        meanwhile_s = new_work.p95_s()
        working.cancel()
    ranks = backlog.ranks(known)
    again = sum(backlog.copies[message_id] for message_id in waited) - sent
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    log.info("%d waited, sent %d times in the month, %d times after it", waiting, sent, again)
    log.info("drained in %.1f s, urgent ones at %s; %d MiB", took_s, ranks, memory)
    log.info("p95 of new work %.3f s before, %.3f s meanwhile", normal_s, meanwhile_s)
    assert max(ranks) < URGENT + RECORDS_PER_UNIT_MAX
    assert again <= len(waited)
    assert meanwhile_s < SERVED_S
    assert backlog.country.registers.homeless_and_doubled() == []
    await backlog.ends()


@pytest.mark.timeout(PATIENCE_S)
async def test_the_broker_forgot_the_month_too(backlog: Backlog) -> None:
    """Nothing lies before the one who is back: a probe is answered, and all goes out again, once or so."""
    waiting, waited, sent = backlog.waiting(), set(backlog.copies), backlog.copies.total()
    backlog.country.wire.wipe()
    took_s = await backlog.drain(DRAIN_S)
    again = sum(backlog.copies[message_id] for message_id in waited) - sent
    log.info("%d waited and were lost, sent %d times again; drained in %.1f s", waiting, again, took_s)
    assert again <= 3 * len(waited)
    await backlog.ends()
