"""A province that is away while thousands of messages wait for it: really made, counted, and drained."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.stories.folk import Resident
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_registry.door import ApplicationIn
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import CaseId
from tongban_shared.ports import Family
from tongban_shared.registration import ADULT_AGE

AWAY = "44"
APPLY_AT_ONCE = 100
TICK_S = 0.05
SECOND_H = 1 / 3600
LATENCIES_MIN = 5
UNAVAILABLE = 503


class Stage(NamedTuple):
    """A share of the cases that stops because this message does not reach the province that is away."""

    lost: str
    share: float
    moving_in: bool


# As destination first, then as origin; later stages stop earlier in a case, so none holds up the next.
STAGES = (
    Stage("certificate", 0.10, moving_in=True),
    Stage("offer", 0.10, moving_in=True),
    Stage("facts", 0.05, moving_in=True),
    Stage("settled", 0.10, moving_in=False),
    Stage("acceptance", 0.10, moving_in=False),
    Stage("permit", 0.20, moving_in=False),
)


def movable(country: Country, code: str) -> Iterator[Resident]:
    """Adults of a province, nobody twice; of a family with minors one stays with them."""
    for family in country.sites[code].folk.families:
        adults = [member for member in family if member.age >= ADULT_AGE]
        yield from adults[1:] if len(adults) < len(family) else adults


@dataclass
class Backlog:
    """Cases of one province with all others. wanted: how many messages shall wait for it; copies: of each."""

    country: Country
    wanted: int
    copies: Counter[str] = field(default_factory=Counter)
    cases: dict[str, list[CaseId]] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    _lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        vars(self.country.wire)["carry"] = self._carry
        codes = list(self.country.sites)
        self._folk = {code: movable(self.country, code) for code in codes}
        self._others = [code for code in codes if code != AWAY]
        self._turn = 0

    async def _carry(self, letter: Letter) -> None:
        """As the wire does, but without keeping every letter; what is to be lost is lost."""
        if letter.to == AWAY:
            if letter.name != "receipt":
                self.copies[letter.label.id] += 1
            if letter.name in self._lost:
                return
            if letter.label.case_id in self.urgent:
                letter = Letter(letter.to, Family.IDENTITY, letter.data, letter.label)
        await self.country.wire.deliver(letter)

    async def pile_up(self) -> None:
        """Let cases stop at every step that needs the province; then it goes away and applications go on."""
        for stage in STAGES:
            self._lost.add(stage.lost)
            await self._apply(stage.lost, int(self.wanted * stage.share), moving_in=stage.moving_in)
        await self.country.stop(AWAY)
        self._lost.clear()
        await self._apply("precheck", self.wanted - self.waiting(), moving_in=False)

    async def hurry(self, number: int) -> None:
        """Applications made last of all, whose messages travel with an urgent family."""
        for _ in range(number):
            other = self._other()
            self.urgent.add(await self._application(self.next_of(AWAY), other))
        await self.country.calm()

    async def _apply(self, name: str, number: int, *, moving_in: bool) -> None:
        made = self.cases.setdefault(name, [])
        while len(made) < number:
            wave = range(min(APPLY_AT_ONCE, number - len(made)))
            made += await asyncio.gather(*(self._one(moving_in=moving_in) for _ in wave))
            await self.country.calm()

    async def _one(self, *, moving_in: bool) -> CaseId:
        other = self._other()
        origin, to = (other, AWAY) if moving_in else (AWAY, other)
        return await self._application(self.next_of(origin), to)

    def next_of(self, code: str) -> Resident:
        """Somebody of that province who is not on the move yet."""
        return next(self._folk[code])

    async def _application(self, person: Resident, to: str) -> CaseId:
        """As the door takes it, without the bytes of HTTP."""
        live = self.country.sites[to].live
        given = ApplicationIn.model_validate(self.country.application(person, to))
        while True:
            # On a busy machine a database takes more than its second; then people come again.
            with contextlib.suppress(StoreDownError):
                reply = await live.hall.ask(await live.door.application(given))
                assert reply.code in {None, "DUPLICATE_CASE"}, reply.code
                return CaseId(str(reply.case_id))

    def _other(self) -> str:
        self._turn += 1
        return self._others[self._turn % len(self._others)]

    def waiting(self) -> int:
        """Messages, each counted once, that the province has not receipted."""
        query = "SELECT count(*) FROM outbox WHERE receiver = ? AND next_try_at IS NOT NULL"
        return sum(int(self.country.registers.rows(code, query, AWAY)[0][0]) for code in self._others)

    def _something_waits(self) -> bool:
        """Cheaper to ask than how much."""
        query = "SELECT 1 FROM outbox WHERE receiver = ? AND next_try_at IS NOT NULL LIMIT 1"
        return any(self.country.registers.rows(code, query, AWAY) for code in self._others)

    def taken(self) -> list[str | None]:
        """The cases of the messages that the province took, in this order."""
        rows = self.country.registers.rows(AWAY, "SELECT case_id FROM inbox ORDER BY rowid")
        return [row[0] for row in rows]

    def ranks(self, known: int) -> list[int]:
        """At which places, after those known before, the first message of each urgent case came."""
        places: dict[str | None, int] = {}
        for place, case_id in enumerate(self.taken()[known:]):
            places.setdefault(case_id, place)
        return sorted(places[case_id] for case_id in self.urgent)

    async def ends(self) -> None:
        """All cases come to their end, and everybody has one home."""
        while self.country.registers.count("cases", "closed_at IS NULL"):
            await self.tick()
        await self.country.calm()
        assert self.country.registers.homeless_and_doubled() == []
        assert self.country.registers.count("cases", "state NOT IN ('COMPLETED', 'CONFIRMED')") == 0

    async def month(self) -> None:
        """Thirty days: the first hour closely, until it is known to be silent, then day by day."""
        await self.country.pass_time(hours=1, step_hours=0.1)
        for _ in range(30):
            self.country.clock.advance(24)
            await self.country.calm()
            while self._due():
                self.country.clock.advance(SECOND_H)
                await self.country.calm()

    def _due(self) -> bool:
        """Whether limits have passed that nobody has noticed yet: a round takes so many."""
        now_us = int(self.country.clock.now().timestamp() * 1_000_000)
        query = "SELECT count(*) FROM cases WHERE due_at <= ?"
        return any(self.country.registers.rows(code, query, now_us)[0][0] for code in self._others)

    async def idle(self, seconds: float) -> None:
        """Let time pass as outside, with nothing else to do."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.tick()

    async def drain(self, limit_s: float) -> float:
        """The province is back; time goes on as outside. Returns the seconds until nothing waits for it."""
        await self.country.start(AWAY)
        begun = time.monotonic()
        while self._something_waits():
            await self.tick()
            assert time.monotonic() - begun < limit_s, f"{self.waiting()} still wait after {limit_s:.0f} s"
        return time.monotonic() - begun

    async def tick(self) -> None:
        """Let a moment pass, as long inside as outside."""
        begun = time.monotonic()
        await asyncio.sleep(TICK_S)
        self.country.clock.advance((time.monotonic() - begun) * SECOND_H)


class NewWork:
    """Applications that do not concern the province; how long each took until it was taken, in seconds."""

    def __init__(self, backlog: Backlog, origin: str, to: str) -> None:
        self._backlog = backlog
        self._way = origin, to
        self._took_s: list[float] = []

    async def run(self) -> None:
        """One after another, with a breath between them, until cancelled."""
        origin, to = self._way
        country = self._backlog.country
        while True:
            person, begun = self._backlog.next_of(origin), time.monotonic()
            body = country.application(person, to)
            status = UNAVAILABLE
            while status == UNAVAILABLE:
                status = (await country.ask(to, "/v1/cases", body)).status_code
            self._took_s.append(time.monotonic() - begun)
            await asyncio.sleep(TICK_S)

    def p95_s(self) -> float:
        """Of what was measured since the last question."""
        taken, self._took_s = sorted(self._took_s), []
        assert len(taken) >= LATENCIES_MIN, f"only {len(taken)} applications were measured"
        return taken[int(len(taken) * 0.95)]
