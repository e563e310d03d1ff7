"""The sandbox's traffic: people apply, forget papers, withdraw; officers decide. All through the gateway.

Every case it begins comes to an end, also those that a stopped or killed sandbox left open. It leaves the
cases of guests alone: it knows its own by their purpose.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from tongban_sandbox.api import InProcess, Reply
from tongban_sandbox.applications import PURPOSE, Drawer, Drawn
from tongban_sandbox.residents import Pool
from tongban_sandbox.volumes import CASES_PER_YEAR, cases_per_s
from tongban_shared.catalogue import load_catalogue
from tongban_shared.errors import UnavailableError

if TYPE_CHECKING:
    from tongban_sandbox.world import World
    from tongban_shared.ids import Province

NATIONAL_PER_S = cases_per_s(CASES_PER_YEAR["migration"])
"""Migrations of the whole country, a second of office hours: 0.26."""
DEFAULT_PER_S = 1.0
"""About 4 times the real country's rate, so that something is to be seen every second."""
PER_S_MAX = 200.0
OPEN_MAX = 2_000
# How long people take, in seconds of the country's clock.
THINKING_S = (1.0, 5.0)
# A wait ends early when the case ends, not when it begins to wait for a person.
WAIT_S = 4
RETRY_S = 1.0
APPLY_TRIES = 5
AWAY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
ENDED = frozenset({"COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"})
OWN_OPEN_CASES = (
    "SELECT id, data FROM cases WHERE side = 'DESTINATION' AND due_at IS NOT NULL"
    " AND json_extract(data, '$.purpose') = ?"
)

log = structlog.get_logger("tongban.traffic")


@dataclass(slots=True)
class Life:
    """One case under way. ending: what is to become of it where people decide."""

    case_id: str
    ending: str
    drawn: Drawn | None = None


@dataclass(slots=True)
class Tally:
    """What the traffic has seen: cases begun, open now, ended by state, refused at the door by code."""

    begun: int = 0
    open: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    refused_at_door: Counter[str] = field(default_factory=Counter)


class Traffic:
    """Runs until cancelled. `cases_per_s` may be changed at any time; 0 begins no new cases."""

    def __init__(self, world: World, rate_per_s: float = DEFAULT_PER_S, seed: int = 1) -> None:
        self.tally = Tally()
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

    async def run(self) -> None:
        """Take up what was left open, then begin cases at the rate wanted."""
        world = self._world
        self._pool = await Pool.of(world.registers, world.profiles)
        drawer = Drawer(self._pool, world.profiles, load_catalogue(), self._random)
        try:
            async with asyncio.TaskGroup() as lives:
                for life in await asyncio.to_thread(self._left_open):
                    lives.create_task(self._live(life))
                while True:
                    await self._next_arrival()
                    drawn = drawer.draw(world.clock.now().date()) if self.tally.open < OPEN_MAX else None
                    if drawn is not None:
                        lives.create_task(self._begin(drawn))
        finally:
            await self._api.close()

    async def _next_arrival(self) -> None:
        """Wait as chance has it: arrivals are independent of each other. Anew when the rate changes."""
        while True:
            self._changed.clear()
            rate = self._rate_per_s
            try:
                async with asyncio.timeout(self._random.expovariate(rate) if rate else None):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _left_open(self) -> list[Life]:
        """Own cases that are open in the registers: of a run before this one."""
        lives = []
        for code in self._world.profiles:
            with self._world.registers.reader(code) as reader:
                for case_id, _ in reader.execute(OWN_OPEN_CASES, (PURPOSE,)):
                    lives.append(Life(case_id, "COMPLETED"))
        return lives

    async def _begin(self, drawn: Drawn) -> None:
        """Apply, and see the case to its end; then its people are free again, wherever they live now."""
        self._serial += 1
        reply = await self._apply(drawn, f"sandbox-{self._world.clock.now():%Y%m%d%H%M%S%f}-{self._serial}")
        if reply is None or reply.status != HTTPStatus.ACCEPTED:
            self.tally.refused_at_door[reply.code if reply else "UNAVAILABLE"] += 1
            self._settle(drawn, drawn.applicant.province)
            return
        self.tally.begun += 1
        ended = await self._live(Life(reply.body["case_id"], drawn.ending, drawn))
        self._settle(drawn, drawn.destination if ended == "COMPLETED" else drawn.applicant.province)

    async def _apply(self, drawn: Drawn, key: str) -> Reply | None:
        """The same key each time: whatever became of the try before, there is one case."""
        for _ in range(APPLY_TRIES):
            reply = await self._call("POST", "/v1/cases", drawn.body, key=key)
            if reply is not None and reply.status not in AWAY:
                return reply
            await asyncio.sleep(RETRY_S)
        return None

    def _settle(self, drawn: Drawn, province: Province) -> None:
        for resident in drawn.persons:
            moved = province != resident.province
            home = None if moved else resident.household_no
            self._pool.put(msgspec.structs.replace(resident, province=province, household_no=home))

    async def _live(self, life: Life) -> str:
        """See a case to its end; returns its last state."""
        self.tally.open += 1
        try:
            while True:
                case = await self._look(life, wait_s=0)
                while case is not None and case["state"] not in ENDED and not _waits_for_people(case):
                    case = await self._look(life, wait_s=WAIT_S)
                if case is None:
                    await asyncio.sleep(RETRY_S)
                elif case["state"] in ENDED:
                    self.tally.ended[case["state"]] += 1
                    return str(case["state"])
                else:
                    await self._act(life, case)
        finally:
            self.tally.open -= 1

    async def _look(self, life: Life, wait_s: int) -> dict[str, Any] | None:
        reply = await self._call("GET", f"/v1/cases/{life.case_id}", wait_s=wait_s)
        return reply.body if reply is not None and reply.status == HTTPStatus.OK else None

    async def _act(self, life: Life, case: dict[str, Any]) -> None:
        """Think, then do what a person does here: withdraw, hand in what is missing, decide."""
        await self._world.clock.sleep(self._random.uniform(*THINKING_S))
        step, body = _deed(life, case)
        # One deed for one version of the case: tried again after a lost answer, it is still one.
        key = f"sandbox-{life.case_id}-{case['version']}"
        reply = await self._call("POST", f"/v1/cases/{life.case_id}/{step}", body, key=key)
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


def _waits_for_people(case: dict[str, Any]) -> bool:
    waiting = case.get("waiting_for")
    return waiting is not None and waiting["owner"] in ("officer", "applicant")


def _deed(life: Life, case: dict[str, Any]) -> tuple[str, object]:
    """The last part of the path, and the body."""
    if life.ending == "WITHDRAWN" and case["state"] in ("CORRECTION", "REVIEWING"):
        return "withdrawal", None
    if case["waiting_for"]["owner"] == "applicant":
        missing = [{"kind": kind, "grade": "A"} for kind in case["missing_materials"]]
        return "materials", {"materials": missing}
    if life.ending == "REFUSED" and case["state"] == "REVIEWING":
        return "decision", {"outcome": "refuse", "reason_code": "NOT_ELIGIBLE"}
    return "decision", {"outcome": "approve"}
