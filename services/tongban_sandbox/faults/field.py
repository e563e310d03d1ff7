"""The field on which faults happen: a country under load, what is seen of it, and when it is well again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tongban_gateway.http1 import Http1Upstream
from tongban_sandbox.faults.client import Client, call
from tongban_sandbox.faults.history import Wrong
from tongban_sandbox.faults.verdict import Found, judge
from tongban_sandbox.faults.watch import Watch
from tongban_shared.errors import TongbanError
from tongban_shared.keys import load_secrets

if TYPE_CHECKING:
    from tongban_sandbox.faults.country import StruckCountry
    from tongban_sandbox.faults.programs import End

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
class Field:
    """A country under load. hold_s: how long strikes last that last; many_open: cases at a wiped broker.

    earlier: the version to roll back to, as git names it.
    """

    country: StruckCountry
    client: Client
    hold_s: float
    many_open: int
    earlier: str = "HEAD~1"
    random: Random = field(default_factory=lambda: Random(1))
    _ends: Counter[str] = field(default_factory=Counter)
    _known: set[Wrong] = field(default_factory=set)

    async def well(self, wound: Wound, limit_s: float) -> float:
        """Wait until what was struck answers and completes a new case; seconds since it was healed."""
        watch = self.client.watch = Watch(wound.provinces, wound.gateway, wound.healed_s)
        try:
            return await watch.well(limit_s)
        finally:
            self.client.watch = None

    async def about(self) -> Mapping[str, str]:
        """What the first registry says of itself: its schema, and its messages with their versions."""
        way = Http1Upstream(self.country.urls[self.country.provinces[0]])
        try:
            body = (await call(way, "GET", "/version")).body
        finally:
            await way.close()
        return {name: str(body[name]) for name in ("schema", "messages")}

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
        """What is wrong that was not wrong before. All is settled."""
        look = await self.country.look()
        try:
            found = await judge(look, self.client, load_secrets(self.country.keys))
        finally:
            await look.close()
        found.wrong = [wrong for wrong in found.wrong if wrong not in self._known]
        self._known.update(found.wrong)
        return found
