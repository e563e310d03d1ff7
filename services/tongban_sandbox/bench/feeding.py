"""Feeding registries without HTTP, and watching their cases end. Runs inside a worker process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_registry.commands import Command
from tongban_registry.door import ApplicationIn, Door
from tongban_registry.entries import ENTRIES
from tongban_sandbox.bench.load import WITHDRAWN, BenchCase, Share
from tongban_sandbox.bench.sampler import Sampler
from tongban_sandbox.bench.watching import Watch
from tongban_sandbox.seeding import batches
from tongban_shared.errors import SettingsError
from tongban_shared.ids import PersonKey, Province, person_key
from tongban_shared.ports import BirthHeld, Custody, Passage, Verdict

if TYPE_CHECKING:
    from tongban_registry.registry import Registry
    from tongban_sandbox.bench.worker import CountingTransport
    from tongban_shared.ports import Ledger

SEED = 1
TELL_EACH_S = 0.02
SEEDED_AT_ONCE = 4

Tell = Callable[..., None]


class Order(msgspec.Struct, frozen=True):
    """seed; prepare the cases start <= n < stop, then run them; watch, unwatch; figures.

    windows: open cases a destination; seconds: how long to begin new ones; profile: sample meanwhile.
    """

    do: str
    start: int = 0
    stop: int = 0
    seconds: float = 60.0
    windows: dict[Province, int] = {}
    profile: bool = False


class _KnownOrigin:
    """Stands for the ledger while applications are prepared: the load knows each origin."""

    def __init__(self, origin: Province) -> None:
        self._place = Custody(origin, 0, "")

    async def locate(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, Custody]:
        return dict.fromkeys(persons, self._place)

    async def register_first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        raise NotImplementedError

    async def append(self, moves: object) -> Sequence[Verdict]:
        raise NotImplementedError

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        raise NotImplementedError

    async def claim_births(self, births: object) -> Sequence[BirthHeld]:
        raise NotImplementedError

    async def release_births(self, births: object) -> Sequence[BirthHeld]:
        raise NotImplementedError

    async def enter_births(self, births: object) -> Sequence[Verdict]:
        raise NotImplementedError

    def digest_of(self, person: PersonKey) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Prepared:
    """One applicant. then: asked for when the card is approved."""

    case: BenchCase
    command: Command
    then: Command | None = None


@dataclass(slots=True)
class Line:
    """One province: its registry, its ledger line, its share of the load, commands prepared beforehand."""

    registry: Registry
    ledger: Ledger
    share: Share
    commands: list[Prepared] = field(default_factory=list)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch.over(self.registry)

    async def seed(self) -> int:
        """Enter the province's people; some are under a hold from the beginning."""
        office = self.registry.office
        holds = {person_key(office.secrets.person, number) for number in self.share.holds}
        for batch in batches(office.province, self.share.people, SEED, office.secrets.person):
            persons = [msgspec.structs.replace(p, hold=True) if p.key in holds else p for p in batch.persons]
            claims = [(PersonKey(person.key), office.province) for person in persons]
            if Verdict.CONFLICT in await self.ledger.register_first(claims):
                raise SettingsError(f"the ledger holds people of province {office.province} already")
            await self.registry.store.seed(batch.households, persons)
        return self.share.people

    async def prepare(self, start: int, stop: int) -> int:
        """Check the applications as the door does, but for the question to the ledger."""
        office, store = self.registry.office, self.registry.store
        self.commands = []
        for case in self.share.cases:
            if start <= case.n < stop:
                door = Door(office, _KnownOrigin(case.origin), store, ENTRIES)
                command = await door.application(ApplicationIn.model_validate(case.body))
                then = case.then and await door.application(ApplicationIn.model_validate(case.then))
                self.commands.append(Prepared(case, command, then or None))
        return len(self.commands)


@dataclass(slots=True)
class Feed:
    """One province being fed through a window of open cases."""

    line: Line
    window: asyncio.Semaphore
    until_s: float
    asked: int = 0
    applied: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def run(self) -> None:
        """Return when all cases that were begun have ended here."""
        async with asyncio.TaskGroup() as lives:
            for prepared in self.line.commands:
                await self.window.acquire()
                if time.monotonic() > self.until_s:
                    return
                self.asked += 1
                lives.create_task(self._live(prepared))

    async def _live(self, prepared: Prepared) -> None:
        try:
            await self._end_of(prepared)
        finally:
            self.window.release()

    async def _end_of(self, prepared: Prepared) -> None:
        case, watch = prepared.case, self.line.watch
        # Before the application: whatever comes of it comes later.
        approved = watch.hold_back(prepared.command.persons[0]) if prepared.then else None
        begun = await self._apply(prepared.command)
        if begun is None:
            return
        case_id, accepted_s = begun
        if case.ending == WITHDRAWN:
            self.line.registry.hall.post(Command("withdraw", case_id=case_id))
        ended = watch.end_of(case_id)
        if approved is not None and prepared.then is not None:
            await asyncio.wait((approved, ended), return_when=asyncio.FIRST_COMPLETED)
            if approved.done():
                await self._in_between(prepared.then)
                self.line.registry.hall.post(Command("made", case_id=case_id))
        self.latencies_ms[case.kind].append((await ended - accepted_s) * 1000)

    async def _in_between(self, command: Command) -> None:
        """A temporary card, from the application to its print, while the real one is in production."""
        begun = await self._apply(command)
        if begun is not None:
            case_id, accepted_s = begun
            ended_s = await self.line.watch.end_of(case_id)
            self.latencies_ms[command.kind].append((ended_s - accepted_s) * 1000)

    async def _apply(self, command: Command) -> tuple[str, float] | None:
        """Number and time of the acceptance; None where it was refused at once."""
        reply = await self.line.registry.hall.ask(command)
        accepted_s = time.monotonic()
        if reply.code is not None or reply.case_id is None:
            self.refused[reply.code or "NO_CASE"] += 1
            return None
        self.applied += 1
        return reply.case_id, accepted_s


class Feeder:
    """Obeys the parent's orders."""

    def __init__(self, lines: Mapping[Province, Line], transport: CountingTransport) -> None:
        self._lines = lines
        self._transport = transport
        self._telling: asyncio.Task[None] | None = None

    async def obey(self, order: Order, tell: Tell) -> dict[str, Any]:
        """Do what is ordered; returns what to answer."""
        if order.do == "seed":
            return await self._seed()
        if order.do == "prepare":
            return {"cases": sum([await line.prepare(order.start, order.stop) for line in self._all])}
        if order.do == "run":
            return await self._run(order)
        if order.do == "watch":
            return self._watch(tell)
        if order.do == "unwatch":
            return self._unwatch()
        return self._figures()

    @property
    def _all(self) -> Iterable[Line]:
        return self._lines.values()

    async def _seed(self) -> dict[str, Any]:
        turns = asyncio.Semaphore(SEEDED_AT_ONCE)

        async def one(line: Line) -> int:
            async with turns:
                return await line.seed()

        return {"people": sum(await asyncio.gather(*(one(line) for line in self._all)))}

    async def _run(self, order: Order) -> dict[str, Any]:
        sampler = Sampler() if order.profile else None
        if sampler is not None:
            sampler.start()
        until_s = time.monotonic() + order.seconds
        feeds = [
            Feed(line, asyncio.Semaphore(order.windows.get(code, 1)), until_s)
            for code, line in self._lines.items()
        ]
        await asyncio.gather(*(feed.run() for feed in feeds))
        by_type: dict[str, list[float]] = defaultdict(list)
        for feed in feeds:
            for kind, values in feed.latencies_ms.items():
                by_type[kind] += values
        refused = sum((feed.refused for feed in feeds), Counter())
        return {
            "asked": sum(feed.asked for feed in feeds),
            "refused": dict(refused),
            "applied": sum(feed.applied for feed in feeds),
            "latencies_ms": [value for values in by_type.values() for value in values],
            "by_type": by_type,
            "profile": sampler.stop() if sampler is not None else None,
        }

    def _watch(self, tell: Tell) -> dict[str, Any]:
        """Begin to tell how many own cases have ended since now."""
        for line in self._all:
            line.watch.ended_at.clear()
        self._telling = asyncio.create_task(self._tell_ended(tell))
        return {}

    async def _tell_ended(self, tell: Tell) -> None:
        while True:
            tell(ended=sum(len(line.watch.ended_at) for line in self._all))
            await asyncio.sleep(TELL_EACH_S)

    def _unwatch(self) -> dict[str, Any]:
        """When each ended, by the machine's monotonic clock, which all its processes share."""
        if self._telling is not None:
            self._telling.cancel()
        return {"ended_at": {k: v for line in self._all for k, v in line.watch.ended_at.items()}}

    def _figures(self) -> dict[str, Any]:
        """Counters since the start: units, messages and so on, and what went through the transport."""
        sums: Counter[str] = Counter()
        for line in self._all:
            for metric in line.registry.hall.meters.registry.collect():
                for sample in metric.samples:
                    if sample.name.endswith("_total"):
                        name = sample.name.removeprefix("tongban_").removesuffix("_total")
                        sums[name] += int(sample.value)
        sent = {"records": self._transport.records, "size_bytes": self._transport.size_bytes}
        return {"figures": {**sums, **sent}}
