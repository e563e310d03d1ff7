"""The live view of a running sandbox: a table on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.live import Live

from tongban_sandbox.report import as_line, as_table

if TYPE_CHECKING:
    from rich.console import Console

    from tongban_sandbox.traffic import Traffic
    from tongban_sandbox.world import World

TABLE_S = 1.0
LINE_S = 5.0
# A reading of a large country takes long: the watching is at most this share of the time.
READING_SHARE_MAX = 0.05


async def watch(world: World, traffic: Traffic, console: Console, heading: str) -> None:
    """Show the country until cancelled."""
    if console.is_terminal:
        await _watch_table(world, traffic, console, heading)
    else:
        await _watch_lines(world, console)


async def _watch_table(world: World, traffic: Traffic, console: Console, heading: str) -> None:
    # The table is drawn when there is something new; a thread of its own would draw the old one again.
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            reading = await world.read()
            times = traffic.times_the_national_rate
            rate = f"{traffic.cases_per_s:g} new cases/s, {times:.1f} times the real country"
            live.update(as_table(reading, world, f"{heading}\n{rate}"), refresh=True)
            await asyncio.sleep(max(TABLE_S, reading.took_s / READING_SHARE_MAX))


async def _watch_lines(world: World, console: Console) -> None:
    while True:
        reading = await world.read()
        console.print(as_line(reading), soft_wrap=True, highlight=False)
        await asyncio.sleep(max(LINE_S, reading.took_s / READING_SHARE_MAX))
