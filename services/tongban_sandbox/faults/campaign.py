"""A campaign: faults one after another on one country, each measured, checked and told in one row."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tongban_sandbox.faults.client import COMPLETED, NO_ANSWER, kinds
from tongban_sandbox.faults.field import Field, StrikeMissedError
from tongban_sandbox.faults.figures import quantile
from tongban_sandbox.faults.table import Fault
from tongban_sandbox.faults.verdict import Found
from tongban_shared.errors import TongbanError

WELL_LIMIT_S = 120.0
SETTLE_LIMIT_S = 300.0
BREATH_S = (0.3, 1.5)


@dataclass(slots=True)
class Row:
    """What became of one fault. in_flight: open cases at each strike; took_s: each recovery.

    notes: what was not as promised, in words; told: what else was seen.
    """

    fault: Fault
    bound_s: float
    in_flight: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    unanswered: int = 0
    turned_away: int = 0
    notes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    found: Found | None = None
    drained_s: float = 0.0

    @property
    def good(self) -> bool:
        """Nothing lost, doubled or wrong, and p99 of the recoveries within the bound."""
        in_time = not self.took_s or quantile(self.took_s, 99) <= self.bound_s
        return in_time and not self.notes and (self.found is None or self.found.good)


@dataclass(slots=True)
class Campaign:
    """Runs faults. each: check after every fault, not only after the last.

    patience: by how much the bounds are longer than the table's. spoiled: something is left of the last
    fault, so that this country can tell nothing of another one.
    """

    ground: Field
    say: Callable[[str], None]
    each: bool = True
    patience: float = 1.0
    rows: list[Row] = field(default_factory=list)
    spoiled: bool = False

    async def run(self, faults: Sequence[tuple[Fault, int]]) -> Sequence[tuple[Fault, int]]:
        """Strike; the last row holds the last check. Returns the faults that are left where it is spoiled."""
        for place, (fault, times) in enumerate(faults):
            row = Row(fault, fault.bound_s * self.patience)
            self.rows.append(row)
            await self._strike(row, times)
            if self.each or fault is faults[-1][0]:
                await self._check(row)
                if fault is not faults[-1][0]:
                    self.ground.client.apply_on()
            self._say(row)
            if self.spoiled:
                return faults[place + 1 :]
        return ()

    async def _strike(self, row: Row, times: int) -> None:
        client, before = self.ground.client, len(self.ground.client.failures)
        refused, ended = client.refused.copy(), len(client.ended)
        for _ in range(times):
            await asyncio.sleep(self.ground.random.uniform(*BREATH_S))
            in_flight = client.busy
            try:
                wound = await row.fault.strike(self.ground)
                row.in_flight.append(in_flight if wound.in_flight is None else wound.in_flight)
                row.notes += wound.faults
                row.told += wound.told
                row.took_s.append(await self.ground.well(wound, WELL_LIMIT_S))
            except TimeoutError:
                row.notes.append(f"not well within {WELL_LIMIT_S:.0f} s")
                break
            except TongbanError as error:
                row.notes.append(f"could not be done: {error}")
                self.spoiled = not isinstance(error, StrikeMissedError)
                break
            finally:
                self.ground.country.thaw()
            client.check()
        failures = client.failures[before:]
        row.unanswered = sum(one.status == NO_ANSWER for one in failures)
        row.turned_away = len(failures) - row.unanswered
        row.told += [f"without a yes or no: {kinds(failures)}"] if failures else []
        row.notes += [f"refused: {count} {code}" for code, count in (client.refused - refused).items()]
        others = Counter(one.ended for one in client.ended[ended:] if one.ended != COMPLETED)
        row.told += [f"{count} cases ended {state}" for state, count in others.items()]
        row.notes += [f"{end.name} ended by itself, code {end.code}" for end in self.ground.unasked_ends()]

    async def _check(self, row: Row) -> None:
        begin_s = time.monotonic()
        row.notes += await self.ground.settled(SETTLE_LIMIT_S)
        row.drained_s = time.monotonic() - begin_s
        row.found = await self.ground.check()
        row.told += row.found.told
        self.spoiled = self.spoiled or bool(row.found.faults)

    def _say(self, row: Row) -> None:
        took = ", ".join(f"{took_s:.1f}" for took_s in sorted(row.took_s)[-5:])
        drained = f"; all ended after {row.drained_s:.0f} s" if row.found else ""
        self.say(f"{row.fault.name}: well after {took} s{drained}{'' if row.good else '  FAILED'}")
        for note in (*row.notes, *row.told):
            self.say(f"  {note}")
        if row.found is not None and not row.found.good:
            for fault in row.found.faults:
                self.say(f"  {fault}")
            for wrong in row.found.wrong[:20]:
                self.say(f"  {wrong.kind}: {wrong.text}")
