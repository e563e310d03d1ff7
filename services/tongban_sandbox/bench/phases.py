"""One measurement each: through the topics, over HTTP, latency at a rate. All end with a settled country."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tongban_sandbox.bench.caller import Applicant, Door, quantiles
from tongban_sandbox.bench.check import Written, written
from tongban_sandbox.bench.children import BenchFailedError, order_all
from tongban_sandbox.bench.country import Stage
from tongban_sandbox.bench.cpu import cpu_seconds, difference
from tongban_sandbox.bench.load import COMPLETED, BenchCase, windows

WINDOW = 3_100
"""Open cases of the whole country; at 500 cases a second that is 6 s, less than the 15 s of a first retry."""
SETTLE_LIMIT_S = 90.0
SETTLE_PAUSE_S = 0.05
CONNECTIONS = 256
QUIET_S = (0.2, 0.7)


@dataclass(slots=True)
class Measured:
    """One run. wall_s: from the first application until all is settled. cpu: cores used, by process.

    by_type: latencies in ms from the acceptance to the end, by case type.
    """

    cases: int
    persons: int
    wall_s: float
    cpu: Mapping[str, float]
    latencies_ms: Sequence[float]
    figures: Mapping[str, int]
    rows: Written
    profiles: Sequence[Mapping[str, Any]] = ()
    feeding_s: float = 0.0
    turned_away: int = 0
    by_type: dict[str, Sequence[float]] = field(default_factory=dict)

    @property
    def cases_per_s(self) -> float:
        """Complete at both ends, all receipts in."""
        return round(self.cases / self.wall_s, 1) if self.cases else 0.0

    def summary(self) -> dict[str, Any]:
        """For the report."""
        units, messages = self.figures.get("units", 0), self.figures.get("messages", 0)
        return {
            "cases": self.cases,
            "cases_per_s": self.cases_per_s,
            "persons_per_case": round(self.persons / max(1, self.cases), 2),
            "wall_s": round(self.wall_s, 2),
            "closed_ms_at_full_load": quantiles(self.latencies_ms),
            "cores": dict(self.cpu),
            "cpu_ms_per_case": {
                k: round(v * self.wall_s * 1000 / self.cases, 3) for k, v in self.cpu.items()
            },
            "messages_per_unit": round(messages / max(1, units), 1),
            "messages_per_case": round(messages / max(1, self.cases), 2),
            "rows_per_case": round(self.rows.rows / max(1, self.cases), 1),
            "feeding_s": round(self.feeding_s, 2),
            "turned_away_429_503": self.turned_away,
            "units": units,
            "resent_messages": self.figures.get("resent_messages", 0),
        }


@dataclass(slots=True)
class _Clockwork:
    """Reads everything before and after a run."""

    stage: Stage
    cpu: dict[str, float] = field(default_factory=dict)
    figures: Counter[str] = field(default_factory=Counter)
    rows: Written = field(default_factory=Written)
    at_s: float = 0.0

    @classmethod
    async def start(cls, stage: Stage) -> _Clockwork:
        rows, figures = await written(stage.look), await _figures(stage)
        return cls(stage, _cpu(stage), figures, rows, time.monotonic())

    async def stop(
        self, cases: Sequence[BenchCase], latencies_ms: Sequence[float], applied: int | None = None
    ) -> Measured:
        """Wait until all is settled, then read again. applied: cases begun, where applicants have several."""
        begun = len(cases) if applied is None else applied
        fed_s = time.monotonic()
        await settle(self.stage)
        now_s, cpu = time.monotonic(), _cpu(self.stage)
        figures = await _figures(self.stage) - self.figures
        self.stage.accepted += begun
        return Measured(
            cases=begun,
            persons=sum(case.persons for case in cases),
            wall_s=now_s - self.at_s,
            cpu=difference(self.cpu, cpu, now_s - self.at_s),
            latencies_ms=latencies_ms,
            figures=figures,
            rows=(await written(self.stage.look)).since(self.rows),
            feeding_s=fed_s - self.at_s,
        )


def _cpu(stage: Stage) -> dict[str, float]:
    times = os.times()
    return {**cpu_seconds(stage.pids), "driver": times.user + times.system}


async def _figures(stage: Stage) -> Counter[str]:
    answers = await order_all(stage.workers, "figures")
    return sum((Counter(answer["figures"]) for answer in answers), Counter[str]())


async def settle(stage: Stage) -> None:
    """Return when every case has ended at both ends and is receipted. Raises BenchFailedError."""
    until_s = time.monotonic() + SETTLE_LIMIT_S
    while not await stage.look.settled():
        if time.monotonic() > until_s:
            raise BenchFailedError(f"not settled within {SETTLE_LIMIT_S:.0f} s after the last application")
        await asyncio.sleep(SETTLE_PAUSE_S)


async def through_topics(stage: Stage, count: int, seconds: float, *, profile: bool = False) -> Measured:
    """Migrations handed to the registries without HTTP, through a window of open cases."""
    return await _fed(stage, stage.take(count), seconds, profile=profile)


async def all_types(stage: Stage, seconds: float) -> Measured:
    """The same with cases of all types; windows and officers are commands, so nobody thinks meanwhile."""
    return await _fed(stage, stage.take_mixed(), seconds)


async def _fed(
    stage: Stage, cases: Sequence[BenchCase], seconds: float, *, profile: bool = False
) -> Measured:
    await order_all(stage.workers, "prepare", start=cases[0].n, stop=cases[-1].n + 1)
    clockwork = await _Clockwork.start(stage)
    limits = windows(cases, WINDOW)
    answers = await order_all(stage.workers, "run", windows=limits, seconds=seconds, profile=profile)
    refused = sum((Counter(answer["refused"]) for answer in answers), Counter[str]())
    if refused:
        raise BenchFailedError(f"applications were refused: {dict(refused)}")
    asked = sum(answer["asked"] for answer in answers)
    latencies_ms = [value for answer in answers for value in answer["latencies_ms"]]
    applied = sum(answer["applied"] for answer in answers)
    measured = await clockwork.stop(cases[:asked], latencies_ms, applied)
    for kind in sorted({kind for answer in answers for kind in answer["by_type"]}):
        measured.by_type[kind] = [v for answer in answers for v in answer["by_type"].get(kind, ())]
    measured.profiles = [answer["profile"] for answer in answers if answer["profile"]]
    return measured


def direct(stage: Stage) -> Callable[[BenchCase], Door]:
    """The registry's own door."""
    return lambda case: stage.door_of(case.destination)


async def over_http(
    stage: Stage, count: int, seconds: float, door_of: Callable[[BenchCase], Door]
) -> Measured:
    """Every case taken in over HTTP: kept connections, the same window of open cases."""
    cases = list(stage.take(count))
    await order_all(stage.workers, "watch")
    clockwork = await _Clockwork.start(stage)
    crowd = _Crowd(stage, Applicant(door_of), cases)
    try:
        await crowd.run(clockwork.at_s + seconds)
        measured = await clockwork.stop(cases[: len(crowd.accepted_at)], ())
    finally:
        crowd.applicant.close()
    measured.turned_away = crowd.applicant.turned_away
    measured.latencies_ms = await _latencies_ms(stage, crowd.accepted_at)
    return measured


async def _latencies_ms(stage: Stage, accepted_at: Mapping[str, float]) -> list[float]:
    """From the 202 to the destination's commit that ended the case; 0 for one that ended before its 202."""
    answers = await order_all(stage.workers, "unwatch")
    ended_at = {case_id: at for answer in answers for case_id, at in answer["ended_at"].items()}
    return [max(0.0, ended_at[case_id] - at) * 1000 for case_id, at in accepted_at.items()]


class _Crowd:
    """Applicants at so many connections as `CONNECTIONS`, held back while too many cases are open."""

    def __init__(self, stage: Stage, applicant: Applicant, cases: Sequence[BenchCase]) -> None:
        self.applicant = applicant
        self.accepted_at: dict[str, float] = {}
        self._stage = stage
        self._cases = iter(cases)
        self._room = asyncio.Event()
        for worker in stage.workers:
            worker.ended = 0
            worker.when_more_ended(self._room.set)

    async def run(self, until_s: float) -> None:
        """Until the cases or the time run out."""
        await asyncio.gather(*(self._one(until_s) for _ in range(CONNECTIONS)))

    async def _one(self, until_s: float) -> None:
        for case in self._cases:
            await self._wait_for_room()
            if time.monotonic() > until_s:
                return
            case_id = await self.applicant.apply(case)
            self.accepted_at[case_id] = time.monotonic()
            await self.applicant.follow(case, case_id)

    async def _wait_for_room(self) -> None:
        while len(self.accepted_at) - sum(worker.ended for worker in self._stage.workers) >= WINDOW:
            for worker in self._stage.workers:
                worker.check()
            self._room.clear()
            await self._room.wait()


async def at_rate(stage: Stage, per_s: float, seconds: float) -> list[float]:
    """Latencies in ms of completed cases that arrive at random, `per_s` on average, over HTTP."""
    random = Random(1)
    applicant = Applicant(direct(stage))
    accepted_at: dict[str, float] = {}

    async def one(case: BenchCase) -> None:
        await _apply(applicant, case, accepted_at)

    async with _watching(stage, applicant, accepted_at) as latencies_ms, asyncio.TaskGroup() as lives:
        for case in stage.take(round(per_s * seconds)):
            lives.create_task(one(case))
            await asyncio.sleep(random.expovariate(per_s))
    return latencies_ms


async def one_by_one(stage: Stage, seconds: float) -> list[float]:
    """Latencies in ms of completed cases that never overlap, as at the national rate.

    There a case of some 50 ms comes every 4 s, so that it meets idle registries; here the next one comes as
    soon as the one before has ended and all has been quiet for 0.2 to 0.7 s, at other provinces mostly.
    """
    random = Random(2)
    applicant = Applicant(direct(stage))
    accepted_at: dict[str, float] = {}
    until_s = time.monotonic() + seconds
    async with _watching(stage, applicant, accepted_at) as latencies_ms:
        while time.monotonic() < until_s and (cases := stage.take(1)):
            await _apply(applicant, cases[0], accepted_at)
            await _all_ended(stage)
            await asyncio.sleep(random.uniform(*QUIET_S))
    return latencies_ms


async def _apply(applicant: Applicant, case: BenchCase, accepted_at: dict[str, float]) -> None:
    case_id = await applicant.apply(case)
    if case.ending == COMPLETED:
        accepted_at[case_id] = time.monotonic()
    await applicant.follow(case, case_id)


async def _all_ended(stage: Stage) -> None:
    """The workers tell how many cases have ended; all that were accepted since the watch began."""
    begun = stage.next_n - stage.watched_from
    until_s = time.monotonic() + SETTLE_LIMIT_S
    while sum(worker.ended for worker in stage.workers) < begun:
        if time.monotonic() > until_s:
            raise BenchFailedError("a case alone in the country did not end")
        await asyncio.sleep(SETTLE_PAUSE_S)


@asynccontextmanager
async def _watching(
    stage: Stage, applicant: Applicant, accepted_at: dict[str, float]
) -> AsyncIterator[list[float]]:
    """Fills the list with latencies when the block has ended and all is settled."""
    latencies_ms: list[float] = []
    stage.watched_from = stage.next_n
    for worker in stage.workers:
        worker.ended = 0
    await order_all(stage.workers, "watch")
    try:
        yield latencies_ms
        await settle(stage)
    finally:
        applicant.close()
    stage.accepted += stage.next_n - stage.watched_from
    latencies_ms += await _latencies_ms(stage, accepted_at)
