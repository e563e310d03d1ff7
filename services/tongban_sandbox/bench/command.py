"""`tongban bench`: cases a second end to end, latencies, CPU split and raw ceilings, in one run."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from tongban_sandbox.bench import report
from tongban_sandbox.bench.caller import Door, quantiles
from tongban_sandbox.bench.ceiling_runs import kafka_records_per_s, sql_rows_per_s
from tongban_sandbox.bench.check import check
from tongban_sandbox.bench.children import BenchFailedError
from tongban_sandbox.bench.country import Stage, embedded, gateway, live
from tongban_sandbox.bench.gateway import measure_gateway
from tongban_sandbox.bench.load import Load, draw_load
from tongban_sandbox.bench.phases import (
    Measured,
    all_types,
    at_rate,
    direct,
    one_by_one,
    over_http,
    through_topics,
)
from tongban_sandbox.bench.size import BUSY_PER_S, QUICK, Size
from tongban_shared.errors import TongbanError
from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces

OUTPUT = Path("var/bench.json")
FOLDER_NAME = "bench"
"""Beside the output: databases and logs of the country under measurement, removed at the end."""
PARTS = ("embedded", "kafka_postgres", "latency", "ceilings", "gateway")
LIVE = frozenset({"kafka_postgres", "latency", "ceilings"})
MERGED_TOP = 30


@dataclass(slots=True)
class Bench:
    """One run of the command. results: what goes into the file."""

    size: Size
    workers: int
    parts: Sequence[str]
    console: Console
    folder: Path
    results: dict[str, Any] = field(default_factory=lambda: {"machine": report.machine()})

    def say(self, text: str) -> None:
        """One line of progress."""
        self.console.print(f"[dim]·[/dim] {text}")

    async def run(self) -> None:
        """All parts that are wanted."""
        if "embedded" in self.parts:
            await self._embedded()
        if LIVE & set(self.parts):
            await self._live()
        if "gateway" in self.parts:
            self.say("gateway against nginx")
            self.results["gateway"] = await asyncio.to_thread(_gateway_apart, self.size.gateway_s)

    def _load(self, cases: int, mixed: int = 0) -> Load:
        self.say(f"drawing {cases + mixed} cases among {self.size.provinces} provinces")
        return draw_load(cases, choose_provinces(self.size.provinces), mixed=mixed)

    async def _embedded(self) -> None:
        size = self.size
        load = self._load(size.warm_up + size.cases + size.profiled)
        with _cleared(self.folder) as folder:
            await self._run_embedded(folder, load)

    async def _run_embedded(self, folder: Path, load: Load) -> None:
        size = self.size
        async with embedded(folder, load) as stage:
            await through_topics(stage, size.warm_up, size.seconds)
            measured = await through_topics(stage, size.cases, size.seconds)
            self._note("embedded", measured)
            await self._profile(stage, "embedded")
            await self._check(stage, "embedded")

    async def _live(self) -> None:
        size = self.size
        load = self._load(size.needed, size.mixed)
        people = sum(load.people.values())
        self.say(f"starting Kafka, PostgreSQL, ledger and {self.workers} workers; seeding {people} people")
        with _cleared(self.folder) as folder:
            await self._run_live(folder, load)

    async def _run_live(self, folder: Path, load: Load) -> None:
        size = self.size
        async with live(folder, load, self.workers) as stage:
            await through_topics(stage, size.warm_up, size.seconds)
            measured = None
            if {"kafka_postgres", "ceilings"} & set(self.parts):
                measured = await through_topics(stage, size.cases, size.seconds)
                self._note("kafka_postgres", measured)
            if "kafka_postgres" in self.parts:
                assert measured is not None, "it was wanted too"
                await self._mixed(stage, measured)
                await self._profile(stage, "kafka_postgres")
                await self._http(stage)
            if "latency" in self.parts:
                await self._latency(stage)
            await self._check(stage, "kafka_postgres")
            if "ceilings" in self.parts and measured is not None:
                await self._ceilings(stage, measured)

    def _note(self, name: str, measured: Measured) -> None:
        summary = measured.summary()
        self.results.setdefault(name, {}).update(summary)
        self._split(name, measured)
        self.say(f"{name}: {measured.cases} cases, {measured.cases_per_s:.0f}/s, {summary['cores']}")

    def _split(self, name: str, measured: Measured) -> None:
        """Percent of all CPU time that was used, workers together."""
        cores: dict[str, float] = {}
        for process, used in measured.cpu.items():
            kind = process.partition(".")[0]
            cores[kind] = cores.get(kind, 0.0) + used
        total = sum(cores.values()) or 1.0
        split = {kind: round(100 * used / total, 1) for kind, used in cores.items()}
        self.results.setdefault("cpu_share", {})[name] = split

    async def _profile(self, stage: Stage, name: str) -> None:
        measured = await through_topics(stage, self.size.profiled, self.size.profiled_s, profile=True)
        merged = {
            kind: _mean([p[kind] for p in measured.profiles]) for kind in ("groups", "functions", "inclusive")
        }
        self.results.setdefault("profile", {})[name] = merged

    async def _mixed(self, stage: Stage, alone: Measured) -> None:
        """All case types of 2023 beside migrations alone, in the same run on the same machine."""
        found, measured = self.results["kafka_postgres"], await all_types(stage, self.size.seconds)
        found["mixed_cases_per_s"] = measured.cases_per_s
        found["mixed_ratio"] = round(measured.cases_per_s / alone.cases_per_s, 2)
        by_type = {kind: quantiles(values) for kind, values in measured.by_type.items()}
        found["mixed"] = {**measured.summary(), "closed_ms_by_type": by_type}
        self._split("kafka_postgres_mixed", measured)
        self.say(f"all case types: {measured.cases} cases, {measured.cases_per_s:.0f}/s")

    async def _http(self, stage: Stage) -> None:
        size, found = self.size, self.results["kafka_postgres"]
        measured = await over_http(stage, size.http, size.seconds, direct(stage))
        found["http_cases_per_s"], found["http"] = measured.cases_per_s, measured.summary()
        self._split("kafka_postgres_http", measured)
        self.say(f"over HTTP: {measured.cases_per_s:.0f} cases/s")
        async with gateway(stage) as front:
            measured = await over_http(stage, size.http, size.seconds, lambda _: Door(front.port))
        found["gateway_cases_per_s"], found["through_gateway"] = measured.cases_per_s, measured.summary()
        self._split("kafka_postgres_gateway", measured)
        self.say(f"through the gateway: {measured.cases_per_s:.0f} cases/s")

    async def _latency(self, stage: Stage) -> None:
        self.say("latencies at 10 cases/s and one by one")
        found = self.results.setdefault("kafka_postgres", {}).setdefault("latency_ms", {})
        found["@10/s"] = quantiles(await at_rate(stage, BUSY_PER_S, self.size.busy_s))
        found["@national"] = quantiles(await one_by_one(stage, self.size.alone_s))

    async def _ceilings(self, stage: Stage, measured: Measured) -> None:
        records, size_bytes = measured.figures["records"], measured.figures["size_bytes"]
        mean_bytes = max(1, size_bytes // max(1, records))
        self.say(f"raw ceilings: records of {mean_bytes} bytes, {measured.rows.rows} rows")
        kafka = await kafka_records_per_s(stage, records, mean_bytes)
        sql = await sql_rows_per_s(stage)
        run_records, run_rows = records / measured.wall_s, measured.rows.rows / measured.wall_s
        self.results["ceilings"] = {
            "kafka_records_per_s": kafka,
            "kafka_record_bytes": mean_bytes,
            "sql_rows_per_s": sql,
            "run_records_per_s": round(run_records, 1),
            "run_rows_per_s": round(run_rows, 1),
        }
        self.results["ratio"] = {"kafka": round(run_records / kafka, 3), "sql": round(run_rows / sql, 3)}

    async def _check(self, stage: Stage, name: str) -> None:
        verdict = await check(stage.look, stage.accepted)
        self.results.setdefault("check", {})[name] = {
            "homes": verdict.homes,
            "outcomes": dict(verdict.outcomes),
            "faults": list(verdict.faults),
        }
        self.say(f"{name}: {verdict.homes}; {dict(verdict.outcomes)}")
        if verdict.faults:
            raise BenchFailedError(f"{name}: " + "; ".join(verdict.faults))


def choose_provinces(count: int) -> Sequence[Province]:
    """The first so many by code; all are 31."""
    return sorted(load_provinces())[:count]


def _mean(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the workers, each weighing the same."""
    names = {name for one in shares for name in one}
    means = {name: round(sum(one.get(name, 0.0) for one in shares) / len(shares), 1) for name in names}
    return dict(sorted(means.items(), key=lambda pair: -pair[1])[:MERGED_TOP])


def _gateway_apart(seconds: float) -> dict[str, Any]:
    """In a thread: it runs a loop of its own."""
    return measure_gateway(seconds)


@contextmanager
def _cleared(folder: Path) -> Iterator[Path]:
    """A folder for one country, removed behind it."""
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _interruptible(bench: Bench) -> None:
    """SIGTERM ends a measurement as Ctrl-C does: every process that was started is ended first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await bench.run()


def bench(
    *,
    seconds: Annotated[float | None, typer.Option(min=1, help="each throughput run at most so long")] = None,
    cases: Annotated[int | None, typer.Option(min=50, help="cases of each throughput run")] = None,
    provinces: Annotated[int | None, typer.Option(min=2, max=31, help="how many provinces")] = None,
    workers: Annotated[int, typer.Option(min=1, max=31, help="registry processes")] = 2,
    only: Annotated[list[str] | None, typer.Option(help=f"one part, or several: {', '.join(PARTS)}")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="under a minute, for a first look")] = False,
    output: Annotated[Path, typer.Option(help="where the figures go, JSON")] = OUTPUT,
) -> None:
    """Measure cases a second, latencies and raw ceilings on this machine; 6 minutes, with --quick one."""
    unknown = sorted(set(only or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    size = (QUICK if quick else Size()).changed(cases=cases, seconds=seconds, provinces=provinces)
    console = Console()
    folder = output.absolute().parent / FOLDER_NAME
    run = Bench(size, workers, only or PARTS, console, folder)
    code = _measure(run)
    report.write(output, run.results)
    report.show(console, run.results)
    console.print(f"written to {output}")
    raise typer.Exit(code)


def _measure(run: Bench) -> int:
    """0 when all was right, 1 when a check failed or a part could not be measured, 130 when interrupted."""
    try:
        uvloop.run(_interruptible(run))
    except (KeyboardInterrupt, asyncio.CancelledError):
        run.results["failed"] = "interrupted"
        return 130
    except (TongbanError, ExceptionGroup) as error:
        failures = _known(error)
        run.results["failed"] = "; ".join(str(failure) for failure in failures)
        run.console.print(f"[red]failed:[/red] {run.results['failed']}", highlight=False)
        return 1
    return 0


def _known(error: Exception) -> Sequence[Exception]:
    """The failures in it. Raises what is not ours, so that it is seen whole."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    ours, others = error.split(TongbanError)
    if others is not None:
        raise others
    return ours.exceptions if ours is not None else ()


if __name__ == "__main__":
    typer.run(bench)
