"""`tongban faults`: a small country on real Kafka and PostgreSQL, under load, struck again and again."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tongban_sandbox.faults import report
from tongban_sandbox.faults.campaign import Campaign, Row
from tongban_sandbox.faults.client import Client, Pace
from tongban_sandbox.faults.country import StruckCountry
from tongban_sandbox.faults.crowd import Crowd
from tongban_sandbox.faults.field import Field
from tongban_sandbox.faults.table import DISK_FULL, FAULTS, Fault
from tongban_sandbox.state import Plan
from tongban_shared.errors import TongbanError
from tongban_shared.provinces import load_provinces
from tongban_shared.tuning import loop_factory

TABLE_WIDTH = 140
INTERRUPTED = 130


def faults(
    *,
    only: Annotated[list[str] | None, typer.Option(help="one fault, or several; see --list")] = None,
    short: Annotated[bool, typer.Option("--short", help="the few that every test run has; a minute")] = False,
    listed: Annotated[bool, typer.Option("--list", help="name the faults and end")] = False,
    times: Annotated[int | None, typer.Option(min=1, help="how often each, instead of the table's")] = None,
    keep: Annotated[Path | None, typer.Option(help="write to this folder, and keep logs and data")] = None,
    seed: Annotated[int, typer.Option(help="of people, moves and moments")] = 1,
    earlier: Annotated[str, typer.Option(help="the version to roll back to, as git names it")] = "HEAD~1",
) -> None:
    """Kill, freeze, cut and fill real processes under load; exit code 1 if there was more than a pause."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_WIDTH)
    if listed:
        for fault in FAULTS:
            console.print(f"{fault.name:<24} {fault.what}", highlight=False)
        return
    unknown = sorted(set(only or ()) - {fault.name for fault in FAULTS})
    if unknown:
        raise typer.BadParameter(f"no fault {', '.join(unknown)}; --list names them")
    chosen = [
        (fault, times or how_often(fault, short=short)) for fault in FAULTS if _wanted(fault, only, short)
    ]
    raise typer.Exit(run(console, chosen, Options(short, keep, seed, earlier)))


def how_often(fault: Fault, *, short: bool) -> int:
    """At least once, since it is wanted."""
    return max(1, fault.short if short else fault.times)


def _wanted(fault: Fault, only: Sequence[str] | None, short: bool) -> bool:  # noqa: FBT001 (one caller)
    return fault.name in only if only else bool(fault.short if short else fault.times)


@dataclass(frozen=True, slots=True)
class Form:
    """The full form of a run, or the short one that every test run has.

    scale: one person for so many real ones; hold_s: how long strikes last that last; many_open: cases that
    are open when the broker is wiped; patience: by how much the bounds are longer, on a machine that does
    other things meanwhile.
    """

    provinces: int
    pace: Pace
    scale: int
    hold_s: float
    many_open: int
    patience: float


FULL = Form(5, Pace(8.0, 40.0), 12_000, hold_s=60.0, many_open=1_000, patience=1.0)
SHORT = Form(4, Pace(5.0, 25.0), 40_000, hold_s=3.0, many_open=40, patience=6.0)


@dataclass(frozen=True, slots=True)
class Options:
    """Of one run. keep: a folder that stays; None: one that goes with the run. earlier: as git names it."""

    short: bool
    keep: Path | None
    seed: int
    earlier: str


def run(console: Console, chosen: Sequence[tuple[Fault, int]], options: Options) -> int:
    """0 when nobody noticed more than a pause, 1 when somebody did, 130 when interrupted."""
    rows: list[Row] = []
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="tongban-faults-")
        folder = options.keep or Path(stack.enter_context(temporary))
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
        try:
            runner.run(_campaign(folder, chosen, (options, console, rows)))
        except (KeyboardInterrupt, asyncio.CancelledError):
            console.print("[red]interrupted[/red]; everything that was started is ended")
            return INTERRUPTED
        except TongbanError as error:
            console.print(f"[red]failed:[/red] {error}", highlight=False)
            return 1
        finally:
            report.show(console, rows)
    return 0 if all(row.good for row in rows) else 1


async def _campaign(
    folder: Path, chosen: Sequence[tuple[Fault, int]], around: tuple[Options, Console, list[Row]]
) -> None:
    """One country after another, until every fault had its turn: a spoiled one proves nothing more."""
    began_s = time.monotonic()

    def say(text: str) -> None:
        around[1].print(f"{time.monotonic() - began_s:6.1f} s  {text}", highlight=False, soft_wrap=True)

    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    left, number = chosen, 1
    while left:
        left = await _one_country(folder / f"country-{number}", left, (*around, say))
        number += 1


async def _one_country(
    folder: Path,
    faults: Sequence[tuple[Fault, int]],
    around: tuple[Options, Console, list[Row], Callable[[str], None]],
) -> Sequence[tuple[Fault, int]]:
    """Strike it until nothing is left to do, or it is spoiled; returns what is left."""
    options, _, rows, say = around
    form = SHORT if options.short else FULL
    plan = Plan(form.scale, options.seed)
    provinces = sorted(load_provinces())[: form.provinces]
    small_disk = any(fault.name == DISK_FULL for fault, _ in faults)
    kept = options.keep is not None
    async with StruckCountry(folder, provinces, plan, say, small_disk=small_disk, keep=kept) as country:
        client = Client(Crowd(provinces, plan), form.pace)
        client.begin(country.gateway_urls)
        say(f"load: {form.pace.cases_per_s:g} cases/s, {form.pace.lookups_per_s:g} lookups/s")
        try:
            ground = Field(country, client, form.hold_s, form.many_open, options.earlier)
            campaign = Campaign(ground, say, each=not options.short, patience=form.patience, rows=rows)
            return await campaign.run(faults)
        finally:
            country.thaw()
            await client.close()


if __name__ == "__main__":
    typer.run(faults)
