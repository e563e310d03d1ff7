"""The field on which faults happen: a country under load, what is seen of it, and when it is well again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tongban_sandbox.bench.check import check
from tongban_sandbox.faults.client import COMPLETED, Client
from tongban_sandbox.faults.history import (
    GONE,
    UNASKED,
    Home,
    Wrong,
    homes_due,
    wrong_answers,
    wrong_homes,
    wrong_requests,
)
from tongban_sandbox.faults.watch import Watch
from tongban_shared.errors import TongbanError
from tongban_shared.ids import custody_digest
from tongban_shared.keys import load_secrets

if TYPE_CHECKING:
    from tongban_sandbox.bench.check import Country as Look
    from tongban_sandbox.faults.country import StruckCountry
    from tongban_sandbox.faults.programs import End

ENDS_OF_ALL = (
    "SELECT id, CASE WHEN closed_at IS NULL THEN '' ELSE state END FROM cases WHERE side = 'DESTINATION'"
)
CUSTODY = "SELECT digest, epoch, holder FROM custody"
LOOK_EACH_S = 0.2


class StrikeMissedError(TongbanError):
    """A fault could not be brought about, so nothing is proven; the message says why."""

    code = "STRIKE_MISSED"


@dataclass(frozen=True, slots=True)
class Wound:
    """What a strike concerns, for `Watch`; nothing named: the whole country. healed_s: when it was over.

    in_flight: open cases when it struck, where that is not when it was called. faults: what broke a promise
    while it lasted, in words; told: what else was seen.
    """

    provinces: frozenset[str] = frozenset()
    gateway: int | None = None
    healed_s: float = field(default_factory=time.monotonic)
    in_flight: int | None = None
    faults: Sequence[str] = ()
    told: Sequence[str] = ()


@dataclass(slots=True)
class Found:
    """What a check found. faults: what has to do with registers and messages, in words."""

    lost: int = 0
    doubled: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing at all."""
        return not (self.lost or self.doubled or self.wrong or self.faults)


@dataclass(slots=True)
class Field:
    """A country under load. hold_s: how long strikes last that last; many_open: cases at a wiped broker."""

    country: StruckCountry
    client: Client
    say: Callable[[str], None]
    hold_s: float
    many_open: int
    random: Random = field(default_factory=lambda: Random(1))
    _ends: Counter[str] = field(default_factory=Counter)

    async def well(self, wound: Wound, limit_s: float) -> float:
        """Wait until what was struck answers and completes a new case; seconds since it was healed."""
        watch = self.client.watch = Watch(wound.provinces, wound.gateway, wound.healed_s)
        try:
            return await watch.well(limit_s)
        finally:
            self.client.watch = None

    def unasked_ends(self) -> list[End]:
        """Ends of programs since the last call that no fault of ours brought about."""
        new = []
        for name, program in self.country.programs.items():
            new += [end for end in program.ends[self._ends[name] :] if not end.asked]
            self._ends[name] = len(program.ends)
        return new

    async def settled(self, limit_s: float) -> list[str]:
        """Take no new cases in and wait until all have ended on both sides; what is left open, in words."""
        self.client.pause()
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            if not self.client.busy:
                look = await self.country.look()
                try:
                    if await look.settled():
                        return []
                finally:
                    await look.close()
            self.client.check()
            await asyncio.sleep(LOOK_EACH_S)
        left = f"{len(self.client.open)} cases open, {self.client.unsure} applications without an answer"
        return [f"not settled within {limit_s:.0f} s: {left}"]

    async def check(self) -> Found:
        """Compare what outsiders were told with each other, and with registers and ledger. All is settled."""
        history, secrets = self.client.history, load_secrets(self.country.keys)
        look = await self.country.look()
        try:
            verdict = await check(look, len(history.requests))
            known = await _known(look)
            entries = {
                digest: Home(holder, epoch) for digest, epoch, holder in await look.ledger.rows(CUSTODY)
            }
        finally:
            await look.close()
        people = self.client.crowd.keys(secrets.person)
        digests = {custody_digest(secrets.custody, key): person for key, person in people.items()}
        found = {digests[digest]: home for digest, home in entries.items() if digest in digests}
        due = homes_due(self.client.crowd.first_homes, self.client.ended, COMPLETED)
        requests = wrong_requests(history.requests, known)
        wrong = [*requests, *wrong_homes(due, found), *wrong_answers(history.answers)]
        wrong += [Wrong(GONE, f"{case_id} was unknown for a while") for case_id in self.client.gone]
        lost = verdict.counted.lost + sum(one.kind == GONE for one in requests)
        doubled = verdict.counted.doubled + sum(one.kind == UNASKED for one in requests)
        return Found(lost, doubled, [one for one in wrong if one not in requests], list(verdict.faults))


async def _known(look: Look) -> Mapping[str, str]:
    known: dict[str, str] = {}
    for reader in look.registers.values():
        known |= dict(await reader.rows(ENDS_OF_ALL))
    return known
