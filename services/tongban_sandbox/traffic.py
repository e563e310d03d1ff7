"""The sandbox's traffic: people apply, forget papers, withdraw; windows report and officers decide.

All case types in the proportions of 2023, or migrations alone, through the gateway. Every case it begins
comes to an end, also those that a stopped or killed sandbox left open. It leaves the cases of guests
alone: it knows its own by their purpose, or by who took them in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from tongban_sandbox.api import InProcess, Reply
from tongban_sandbox.applications import PURPOSE, Drawn
from tongban_sandbox.plays import (
    PLAYS,
    Deed,
    Drawers,
    Life,
    Mix,
    deed_at_home,
    deed_at_window,
    is_answered_at_home,
    report_due,
)
from tongban_sandbox.residents import Pool
from tongban_shared.errors import UnavailableError

if TYPE_CHECKING:
    from tongban_sandbox.world import World

DEFAULT_PER_S = 1.0
"""About twice the real country's rate, so that something is to be seen every second."""
PER_S_MAX = 200.0
OPEN_MAX = 2_000
# How long people take, in seconds of the country's clock.
THINKING_S = (1.0, 5.0)
# A wait ends early when the case ends, not when it begins to wait for a person.
WAIT_S = 4
LOOK_AT_CLOCK_S = 60.0
RETRY_S = 1.0
APPLY_TRIES = 5
AWAY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
ENDED = frozenset({"COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"})
OWN_OPEN_CASES = (
    "SELECT id FROM cases WHERE side = 'DESTINATION' AND due_at IS NOT NULL"
    " AND ? IN (accepted_by, json_extract(data, '$.purpose'), json_extract(data, '$.use'))"
)

log = structlog.get_logger("tongban.traffic")


@dataclass(slots=True)
class Tally:
    """What the traffic has seen: cases begun, open now, ended by state, refused at the door by code."""

    begun: int = 0
    open: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    begun_by_type: Counter[str] = field(default_factory=Counter)
    ended_by_type: Counter[str] = field(default_factory=Counter)
    refused_at_door: Counter[str] = field(default_factory=Counter)


class Traffic:
    """Runs until cancelled. `cases_per_s` may be changed at any time; 0 begins no new cases."""

    def __init__(self, world: World, rate_per_s: float = DEFAULT_PER_S, seed: int = 1) -> None:
        self.tally = Tally()
        self.mix = Mix()
        self._world = world
        self._api = InProcess(world.gateway)
        self._random = Random(seed)
        self._rate_per_s = rate_per_s
        self._changed = asyncio.Event()
        self._serial = 0
        self._pool = Pool(())

    @property
    def cases_per_s(self) -> float:
        """New cases a second, on average."""
        return self._rate_per_s

    @cases_per_s.setter
    def cases_per_s(self, rate: float) -> None:
        """Raises ValueError unless 0 to 200."""
        if not 0 <= rate <= PER_S_MAX:
            raise ValueError(f"a rate is 0 to {PER_S_MAX:.0f} cases a second")
        self._rate_per_s = rate
        self._changed.set()

    @property
    def times_the_national_rate(self) -> float:
        """The rate against that of the same case types in the real country."""
        return self._rate_per_s / self.mix.national_per_s

    async def run(self) -> None:
        """Take up what was left open, then begin cases at the rate wanted."""
        world = self._world
        self._pool = await Pool.of(world.registers, world.profiles)
        drawers = Drawers.over(self._pool, world.profiles, self._random)
        try:
            async with asyncio.TaskGroup() as lives:
                for life in await asyncio.to_thread(self._left_open):
                    lives.create_task(self._live(life))
                while True:
                    await self._next_arrival()
                    drawn = self._draw(drawers) if self.tally.open < OPEN_MAX else None
                    if drawn is not None:
                        lives.create_task(self._begin(drawn))
        finally:
            await self._api.close()

    def _draw(self, drawers: Drawers) -> Drawn | None:
        now = self._world.clock.now()
        case_type = self.mix.draw_type(self._random, now)
        return None if case_type is None else PLAYS[case_type].draw(drawers, now.date())

    async def _next_arrival(self) -> None:
        """Wait as chance has it: arrivals are independent of each other. Anew when the rate changes."""
        while True:
            self._changed.clear()
            rate = self._rate_per_s * self.mix.factor(self._world.clock.now())
            wait_s = self._random.expovariate(rate) if rate else inf
            # What has not come within a minute is drawn anew: the hour may have changed meanwhile.
            limit_s = min(wait_s, LOOK_AT_CLOCK_S if self.mix.shaped else inf)
            try:
                async with asyncio.timeout(limit_s if limit_s < inf else None):
                    await self._changed.wait()
            except TimeoutError:
                if wait_s <= limit_s:
                    return

    def _left_open(self) -> list[Life]:
        """Own cases that are open in the registers: of a run before this one."""
        lives: list[Life] = []
        for code in self._world.profiles:
            with self._world.registers.reader(code) as reader:
                lives += [Life(case_id) for (case_id,) in reader.execute(OWN_OPEN_CASES, (PURPOSE,))]
        return lives

    async def _begin(self, drawn: Drawn) -> None:
        """Apply, and see the case to its end."""
        life = Life("", drawn.ending, drawn.sent_back, drawn.then)
        self._settle(drawn, await self._see_through(drawn.body, life))

    async def _see_through(self, body: Mapping[str, Any], life: Life) -> str | None:
        """One application to its end; its last state, None where the door refused it."""
        self._serial += 1
        reply = await self._apply(body, f"sandbox-{self._world.clock.now():%Y%m%d%H%M%S%f}-{self._serial}")
        if reply is None or reply.status != HTTPStatus.ACCEPTED:
            self.tally.refused_at_door[reply.code if reply else "UNAVAILABLE"] += 1
            return None
        self.tally.begun += 1
        self.tally.begun_by_type[reply.body["case_type"]] += 1
        life.case_id = reply.body["case_id"]
        return await self._live(life)

    async def _apply(self, body: Mapping[str, Any], key: str) -> Reply | None:
        """The same key each time: whatever became of the try before, there is one case."""
        for _ in range(APPLY_TRIES):
            reply = await self._call("POST", "/v1/cases", body, key=key)
            if reply is not None and reply.status not in AWAY:
                return reply
            await asyncio.sleep(RETRY_S)
        return None

    def _settle(self, drawn: Drawn, ended: str | None) -> None:
        """Its people are free again, wherever they live now."""
        gone = drawn.moves and ended == "COMPLETED"
        now_at = {"province": drawn.destination, "household_no": None} if gone else {}
        for resident in drawn.persons:
            self._pool.put(msgspec.structs.replace(resident, **now_at))

    async def _live(self, life: Life) -> str:
        """See a case to its end; returns its last state."""
        self.tally.open += 1
        try:
            while True:
                case = await self._look(life, wait_s=0)
                if case is not None and case["state"] in ENDED:
                    self.tally.ended[case["state"]] += 1
                    self.tally.ended_by_type[case["case_type"]] += 1
                    return str(case["state"])
                if case is None:
                    await asyncio.sleep(RETRY_S)
                else:
                    await self._go_on(life, case)
        finally:
            self.tally.open -= 1

    async def _go_on(self, life: Life, case: dict[str, Any]) -> None:
        """Do what is to be done here or at the home registry, or wait for who has the case."""
        if life.then is not None and report_due(case) is not None:
            body, life.then = life.then, None
            await self._see_through(body, Life(""))
            return
        deed = deed_at_window(life, case)
        if deed is None and is_answered_at_home(case):
            deed = await self._deed_at_home(life, case)
        if deed is not None:
            await self._act(life, case, deed)
        elif is_answered_at_home(case):
            await asyncio.sleep(RETRY_S)
        else:
            await self._look(life, wait_s=WAIT_S)

    async def _deed_at_home(self, life: Life, case: dict[str, Any]) -> Deed | None:
        home = (case["waiting_for"] or {}).get("province")
        if home is None or home == case["accepting_province"]:
            return None
        there = await self._look(life, wait_s=0, province=home)
        return None if there is None else deed_at_home(life, there, home)

    async def _look(self, life: Life, wait_s: int, province: str | None = None) -> dict[str, Any] | None:
        reply = await self._call("GET", _path(life, Deed("", None, province)), wait_s=wait_s)
        return reply.body if reply is not None and reply.status == HTTPStatus.OK else None

    async def _act(self, life: Life, case: dict[str, Any], deed: Deed) -> None:
        """Think, then do it: withdraw, hand in what is missing, report, decide."""
        await self._world.clock.sleep(self._random.uniform(*THINKING_S))
        # One deed for one version of the case: tried again after a lost answer, it is still one.
        key = f"sandbox-{life.case_id}-{case['version']}"
        reply = await self._call("POST", _path(life, deed), deed.body, key=key)
        if reply is None or reply.status >= HTTPStatus.BAD_REQUEST:
            # Somebody else was faster, or the province is away: look again.
            log.debug(
                "traffic_deed_refused", case_id=life.case_id, code=reply.code if reply else "UNAVAILABLE"
            )
            await asyncio.sleep(RETRY_S)

    async def _call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, wait_s: int = 0
    ) -> Reply | None:
        """None where nobody answers."""
        try:
            return await self._api.call(method, path, body, key=key, wait_s=wait_s)
        except UnavailableError:
            return None


def _path(life: Life, deed: Deed) -> str:
    """Of the case, and of what is done with it; `province` asks a registry that did not accept it."""
    path = f"/v1/cases/{life.case_id}" + (f"/{deed.step}" if deed.step else "")
    return path if deed.province is None else f"{path}?province={deed.province}"
