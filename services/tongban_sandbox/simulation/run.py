"""One run: a country, its traffic, its misfortune; then calm, and what must be true at the end.

    result = run(seed=7, cases=1000, template=template, folder=folder)
    if result.broken: print(result.broken.what)

The same seed and the same number of cases is the same run, event for event.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tongban_sandbox.simulation.callers import Callers
from tongban_sandbox.simulation.chance import Chance, seeded_secrets
from tongban_sandbox.simulation.country import Country
from tongban_sandbox.simulation.loop import SimLoop
from tongban_sandbox.simulation.nemesis import Nemesis
from tongban_sandbox.simulation.plan import Fault, Plan, draw_plan
from tongban_sandbox.simulation.quiet import quiet
from tongban_sandbox.simulation.sqlite import on_the_loop
from tongban_sandbox.simulation.verdict import Verdict
from tongban_sandbox.simulation.watch import BrokenPromiseError

if TYPE_CHECKING:
    from tongban_sandbox.simulation.template import Template

LAST_EVENTS = 60
MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
# What is open ends by itself within the longest limit, 90 days; what is silent is asked daily.
STEPS_S = (MINUTE_S, 10 * MINUTE_S, HOUR_S, 6 * HOUR_S, DAY_S, 3 * DAY_S, *(10 * DAY_S,) * 13)
SETTLES_S = 3.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run. virtual_s: national time that passed. about: last events of whom it concerns."""

    plan: Plan
    broken: str | None
    about: tuple[str, ...]
    digest: str
    cases: int
    looked: int
    answers: int
    counts: Counter[str]
    replies: Counter[str]
    virtual_s: float
    wall_s: float
    cpu_s: float


def run(
    seed: int,
    cases: int,
    template: Template,
    *,
    folder: Path,
    faults: Collection[Fault] = tuple(Fault),
) -> Result:
    """Play one run. folder: empty, for the provinces' files."""
    chance = Chance(seed)
    plan = draw_plan(seed, cases, chance.source("plan"), faults)
    loop = SimLoop(chance.source("order"))
    try:
        return _run(loop, plan, template, folder)
    finally:
        # When nothing else holds what the dead left standing.
        loop.bury()


def _run(loop: SimLoop, plan: Plan, template: Template, folder: Path) -> Result:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    chance = Chance(plan.seed)
    country = Country(loop, template, folder, chance)
    people = Callers(country, plan)
    with _alone(chance, country.said_error), on_the_loop(country.attendant_of):
        broken = loop.run_until_complete(loop.outside.spawn(_play(country, plan, people)))
    journal = country.journal
    return Result(
        plan=plan,
        broken=None if broken is None else broken.what,
        about=tuple(journal.last(broken.about, LAST_EVENTS)) if broken is not None else (),
        digest=journal.digest,
        cases=len(people.acknowledged.cases),
        looked=country.watch.looked,
        answers=country.history.answers,
        counts=journal.counts,
        replies=people.replies,
        virtual_s=country.time.now_s(),
        wall_s=time.perf_counter() - began_s,
        cpu_s=time.process_time() - began_cpu_s,
    )


@contextmanager
def _alone(chance: Chance, error: Callable[[str], None]) -> Iterator[None]:
    """The collector rests, so that nothing happens when it likes; whoever asks for chance gets the run's."""
    before = random.getstate()
    random.seed(f"{chance.seed} everybody")
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        with quiet(error), seeded_secrets(chance.source("secrets")):
            yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
        random.setstate(before)


async def _play(country: Country, plan: Plan, people: Callers) -> BrokenPromiseError | None:
    """The run until it is over, or until a promise is broken."""
    story = asyncio.ensure_future(_story(country, plan, people))
    _ = await asyncio.wait((story, country.failed), return_when=asyncio.FIRST_COMPLETED)
    if country.failed.done():
        story.cancel()
        return country.failed.result()
    story.result()
    return None


async def _story(country: Country, plan: Plan, people: Callers) -> None:
    await country.open(plan.provinces)
    people.arrive()
    nemesis = Nemesis(country, plan)
    nemesis.begin()
    await people.day()
    await nemesis.rest()
    people.calm = True
    people.officers.look_round()
    verdict = Verdict(country, people.acknowledged)
    for step_s in STEPS_S:
        await asyncio.sleep(SETTLES_S)
        if not people.busy and verdict.over():
            break
        country.time.leap(step_s)
    await people.over()
    await verdict.final()
