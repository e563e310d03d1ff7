"""The command `tongban simulate`: many runs on all processors; one that fails names its replay."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from tongban_sandbox.simulation.plan import Fault
from tongban_sandbox.simulation.run import Result, run
from tongban_sandbox.simulation.template import Template, make_template

CASES_PER_RUN = 1_000
# What a process of a dead run leaves behind is let go with it.
RUNS_PER_PROCESS = 50
SEEDS = 10**9
PROGRESS_EACH_S = 5.0
DONE = ("lost", "spoilt", "disk", "point")
DAYS_PER_YEAR, DAY_S = 365.25, 86_400.0
IN_MEMORY = Path("/dev/shm")  # noqa: S108  # nothing in it is secret, and a run's own folder is made in it

_template: list[Template] = []


@contextmanager
def folder(inside: Path | None = None) -> Iterator[Path]:
    """A folder for databases, in memory where the machine has such a place; it is gone afterwards."""
    place = inside or (IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="tongban-simulation-", dir=place) as name:
        yield Path(name)


def simulate(
    *,
    seed: Annotated[
        int | None, typer.Option(help="the same seed plays the same runs; without it a new one")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="accepted applications in all")] = 10_000,
    faults: Annotated[
        str, typer.Option(help="kinds of faults that may occur, by commas; without it all")
    ] = "",
    processes: Annotated[int, typer.Option(min=1, help="runs side by side")] = os.cpu_count() or 1,
) -> None:
    """Play real services on a seeded loop with virtual time, while everything fails that can.

    Exit code 1 if a promise breaks; then the one command that plays that run again is printed.
    """
    first = secrets.randbelow(SEEDS) if seed is None else seed
    allowed = _faults(faults)
    typer.echo(f"seed {first}: {cases} cases in {processes} processes")
    tally = Tally()
    with folder() as place:
        for result in _results(list(_runs(first, cases)), (allowed, place), processes):
            tally.add(result)
            tally.progress(cases)
            if result.broken is not None:
                typer.echo(failure(result, faults), err=True)
                break
    typer.echo("\n".join(tally.lines()))
    if tally.broken:
        raise typer.Exit(1)
    typer.echo("never two, never zero, none stuck, nothing forgotten")


def _faults(text: str) -> tuple[Fault, ...]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in set(Fault)]
    if unknown:
        raise typer.BadParameter(f"no such faults: {', '.join(unknown)}; there are {', '.join(Fault)}")
    return tuple(Fault(name) for name in names) or tuple(Fault)


def _runs(first: int, cases: int) -> Iterator[tuple[int, int]]:
    """Seed and cases of each run: a run's seed alone plays it again."""
    for number, start in enumerate(range(0, cases, CASES_PER_RUN)):
        yield first + number, min(CASES_PER_RUN, cases - start)


def _results(
    runs: Sequence[tuple[int, int]], how: tuple[Sequence[Fault], Path], processes: int
) -> Iterator[Result]:
    """Results as they come. how: faults that may occur, and a folder. Who stops listening ends them all."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=RUNS_PER_PROCESS) as pool:
        waiting = list(reversed(runs))
        under_way: set[Future[Result]] = set()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < 2 * processes:
                    under_way.add(pool.submit(_play, waiting.pop(), *how))
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _play(what: tuple[int, int], faults: Sequence[Fault], place: Path) -> Result:
    """One run, in a process of the pool, which keeps its template."""
    if not _template:
        own = place / str(os.getpid())
        own.mkdir()
        _template.append(make_template(own))
    with folder(place) as files:
        return run(*what, _template[0], folder=files, faults=faults)


def failure(result: Result, faults: str) -> str:
    """What broke, what happened before, and the one command that plays it again."""
    again = f"make simulate SEED={result.plan.seed} N={result.plan.cases}"
    if faults:
        again = f"tongban simulate --seed {result.plan.seed} --cases {result.plan.cases} --faults {faults}"
    kinds = ", ".join(sorted(result.plan.faults)) or "none"
    lines = [f"BROKEN: {result.broken}", f"  faults: {kinds}", *(f"  {line}" for line in result.about)]
    return "\n".join([*lines, f"replay: {again}"])


@dataclass(slots=True)
class Tally:
    """Figures of all runs so far."""

    runs: int = 0
    broken: bool = False
    cases: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    looked: int = 0
    answers: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    began_s: float = field(default_factory=time.monotonic)
    said_s: float = field(default_factory=time.monotonic)

    def add(self, result: Result) -> None:
        """One more run."""
        self.runs += 1
        self.broken = self.broken or result.broken is not None
        self.cases += result.cases
        self.virtual_s += result.virtual_s
        self.cpu_s += result.cpu_s
        self.looked += result.looked
        self.answers += result.answers
        self.counts += result.counts

    def progress(self, cases: int) -> None:
        """A line now and then."""
        now_s = time.monotonic()
        if now_s - self.said_s > PROGRESS_EACH_S:
            self.said_s = now_s
            rate = self.cases / (now_s - self.began_s)
            typer.echo(f"  … {self.cases} of {cases} cases, {rate:.0f} a second")

    def lines(self) -> list[str]:
        """All figures."""
        wall_s = time.monotonic() - self.began_s
        years = self.virtual_s / DAY_S / DAYS_PER_YEAR
        kinds = {name: n for name, n in self.counts.items() if name.startswith("fault ") or name in DONE}
        faults = {name.removeprefix("fault "): number for name, number in kinds.items()}
        cost_ms = 1000 * self.cpu_s / max(1, self.cases)
        starts, parcels, lines = (self.counts[name] for name in ("start", "record", "ledger"))
        rate = self.cases / wall_s
        return [
            f"  {self.runs} runs: {self.cases} cases in {years:.1f} years of virtual time",
            f"  {wall_s:.0f} s, {rate:.0f} cases a second, {cost_ms:.1f} ms of processor a case",
            f"  {parcels} parcels, {lines} lines of the ledger, {starts} starts of a registry",
            f"  custody looked at {self.looked} times, {self.answers} answers given outside",
            "  faults: " + ", ".join(f"{name} {number}" for name, number in sorted(faults.items())),
        ]
