"""The nemesis: at times drawn from the seed it breaks what the plan allows, and mends it a while later.

As FoundationDB's: which kinds of faults a run has is drawn first, then when each strikes; provinces are cut
off one by one and come back in another order. Source: guards.md §1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tongban_sandbox.simulation.loop import PROCESS, Died
from tongban_sandbox.simulation.plan import Fault
from tongban_sandbox.simulation.poison import Poisoner
from tongban_sandbox.simulation.site import Backup, Fate
from tongban_shared import fault_points
from tongban_shared.ids import Province
from tongban_shared.keys import rotate_keys

if TYPE_CHECKING:
    from tongban_sandbox.simulation.country import Country
    from tongban_sandbox.simulation.plan import Plan
    from tongban_sandbox.simulation.site import Site

STRIKES_MAX, BACKUPS = 8, 6
DAY_S = 86_400.0
MONTH_S = 30 * DAY_S
VISITS_MAX = 120
# A case takes as long as this from its application to its end, where commits take long.
TAIL_S = 12.0
LASTS = 0.2
"""Share of outages that last for days."""
POINT_ACTIVE, POINT_FIRES = 0.25, 0.25


class Nemesis:
    """One run's misfortune. `rest` ends it, and mends everything."""

    def __init__(self, country: Country, plan: Plan) -> None:
        self._country = country
        self._plan = plan
        self._random = country.chance.source("nemesis")
        self._tasks: list[asyncio.Task[None]] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._points = [name for name in fault_points.POINTS if self._random.random() < POINT_ACTIVE]
        self._striking = False
        self._span_s = plan.traffic_s + TAIL_S
        self._backups: list[tuple[Site, Backup]] = []
        self._poisoner = Poisoner(country, self._random)

    def begin(self) -> None:
        """Set the weather, and plan every strike."""
        self._set_weather()
        acts: dict[Fault, Callable[[], Coroutine[Any, Any, None]]] = {
            Fault.WIPE: self._wipe,
            Fault.BROKER: self._broker,
            Fault.CUT: self._cut,
            Fault.LEDGER: self._ledger,
            Fault.SKEW: self._skew,
            Fault.CRASH: self._crash,
            Fault.STATEMENT: self._statement,
            Fault.POINT: self._point,
            Fault.STOP: self._stop,
            Fault.DISK: self._disk,
            Fault.LEAP: self._leap,
            Fault.POISON: self._poison,
            Fault.ROTATE: self._rotate,
            Fault.FENCE: self._fence,
            Fault.RESTORE: self._restore,
        }
        if Fault.RESTORE in self._plan.faults:
            for _ in range(BACKUPS):
                self._at(self._random.random() * self._span_s, Fault.RESTORE, self._back_up)
        for kind, act in acts.items():
            if kind in self._plan.faults:
                for _ in range(1 + int(self._plan.strength * STRIKES_MAX * self._random.random())):
                    self._at(self._random.random() * self._span_s, kind, act)
        if Fault.POINT in self._plan.faults:
            fault_points.strike = self._passed

    def _at(self, when_s: float, kind: Fault, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def strike() -> None:
            await asyncio.sleep(when_s)
            self._country.journal.note(f"fault {kind}")
            await act()

        self._tasks.append(self._country.loop.outside.spawn(strike()))

    def _set_weather(self) -> None:
        """What goes on all the time."""
        weather, faults, random = self._country.weather, self._plan.faults, self._random.random
        strength = self._plan.strength
        weather.commit_s = self._plan.commit_s
        if Fault.DROP in faults:
            weather.drop = 0.3 * strength * random()
        if Fault.REPEAT in faults:
            weather.repeat = 0.5 * strength * random()
        if Fault.DELAY in faults:
            weather.delay_s = 3 * random() ** 2
        if Fault.LATE in faults:
            weather.late, weather.late_s = 0.05 * strength * random(), MONTH_S
        if Fault.CORRUPT in faults:
            weather.corrupt = 0.05 * strength * random()
        if Fault.UNSURE in faults:
            weather.unsure = 0.2 * strength * random()
            weather.ledger_unsure = 0.2 * strength * random()

    async def rest(self) -> None:
        """Soon after the traffic: no more strikes, what was broken works again, every process runs."""
        await asyncio.sleep(TAIL_S)
        fault_points.strike = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._starting, return_exceptions=True)
        self._country.weather.clear_up()
        for site in self._country.sites.values():
            site.fuse = None
            await site.start()

    # --- strikes

    def _site(self) -> Site:
        return self._random.choice(list(self._country.sites.values()))

    async def _while(self) -> None:
        """As long as an outage lasts; some last for days, which pass at once."""
        random = self._random.random
        await asyncio.sleep(0.1 + self._span_s * random() ** 2 / 2)
        if Fault.LEAP in self._plan.faults and random() < LASTS:
            self._country.time.leap(MONTH_S ** random())
            await asyncio.sleep(1.0)

    def _restart(self, site: Site) -> None:
        """Start it again after a while, as its supervisor would."""

        async def later() -> None:
            await asyncio.sleep(0.1 + 3 * self._random.random() ** 2)
            await site.start()

        task = self._country.loop.outside.spawn(later())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _wipe(self) -> None:
        self._country.broker.wipe()

    async def _broker(self) -> None:
        self._country.weather.broker_down = True
        await self._while()
        self._country.weather.broker_down = False

    async def _cut(self) -> None:
        """Some are cut off one by one, and come back in another order."""
        codes = [*self._country.sites]
        self._random.shuffle(codes)
        cut = codes[: self._random.randint(1, len(codes))]
        for code in cut:
            self._country.weather.cut.add(code)
            await asyncio.sleep(self._random.random())
        await self._while()
        self._random.shuffle(cut)
        for code in cut:
            self._country.weather.cut.discard(code)
            await asyncio.sleep(self._random.random())

    async def _ledger(self) -> None:
        self._country.weather.ledger_down = True
        await self._while()
        self._country.weather.ledger_down = False

    async def _skew(self) -> None:
        """A clock is set, forward or back, by seconds or by days."""
        size_s = (3 * DAY_S) ** self._random.random() * self._random.choice((1, -1))
        self._site().clock.fault = timedelta(seconds=size_s)

    async def _crash(self) -> None:
        """Between any two steps of its tasks."""
        site = self._site()
        site.crash()
        self._restart(site)

    async def _statement(self) -> None:
        """At a visit to its database: before it, or after it and before anybody knows."""
        site = self._site()
        process = site.process
        if process is None or process.dead or not site.up:
            return
        site.fuse = self._random.randint(1, VISITS_MAX)
        process.at_death.append(lambda: self._restart(site))

    async def _point(self) -> None:
        """From now on, until one of them fires."""
        self._striking = True

    def _passed(self, name: str) -> None:
        if not self._striking or name not in self._points or self._random.random() > POINT_FIRES:
            return
        site = self._country.sites.get(Province(PROCESS.get().name))
        if site is None or site.process is not PROCESS.get() or not site.up:
            return
        self._striking = False
        self._country.journal.note("point", name, site.code)
        site.crash()
        self._restart(site)
        raise Died(name)

    async def _stop(self) -> None:
        """In good order, as at a new version."""
        site = self._site()
        if site.up:
            await site.stop()
            await site.start()

    async def _disk(self) -> None:
        site = self._site()
        self._country.weather.disk.add(site.code)
        await self._while()
        self._country.weather.disk.discard(site.code)

    async def _leap(self) -> None:
        """Weeks pass in which nobody does anything."""
        self._country.time.leap(MONTH_S ** self._random.random())

    async def _poison(self) -> None:
        for _ in range(self._random.randint(1, 5)):
            self._poisoner.strike()

    async def _rotate(self) -> None:
        """A province gets new keys while its messages are under way."""
        rotate_keys(self._country.template.keys, self._site().code)

    async def _fence(self) -> None:
        site = self._site()
        self._country.weather.fence.add(site.code)
        await self._while()
        self._country.weather.fence.discard(site.code)

    async def _back_up(self) -> None:
        """A copy of a province's file, for whoever needs it."""
        site = self._site()
        self._backups.append((site, site.back_up(self._country.time.now_s())))

    async def _restore(self) -> None:
        """A file is put back to what it was once; sometimes the fence is lost or put back with it."""
        if not self._backups:
            return
        site, backup = self._random.choice(self._backups)
        fence = self._random.choice((Fate.STAYS, Fate.STAYS, Fate.LOST, Fate.PUT_BACK))
        site.put_back(backup, self._country.time.now_s(), fence=fence)
        self._restart(site)
