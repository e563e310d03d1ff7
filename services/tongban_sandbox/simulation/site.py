"""One province's machine: its process starts, dies, starts again; its file stays, or is put back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tongban_gateway.upstream import (
    AsgiUpstream,
    Failure,
    UpstreamFailedError,
    UpstreamRequest,
    UpstreamResponse,
)
from tongban_registry.fence import MemoryFence
from tongban_registry.registry import Registry, Surrounds
from tongban_sandbox.simulation.broker import BrokerEnd
from tongban_sandbox.simulation.loop import ProcessDiedError
from tongban_sandbox.simulation.sqlite import FULL, LOST, SHUT, WATCHED, Change
from tongban_sandbox.simulation.watch import BrokenPromiseError
from tongban_shared.errors import FenceDownError, PutBackError, TongbanError, UnavailableError
from tongban_shared.ports import Head

if TYPE_CHECKING:
    from tongban_sandbox.simulation.broker import Broker
    from tongban_sandbox.simulation.clock import ProvinceClock
    from tongban_sandbox.simulation.journal import Journal
    from tongban_sandbox.simulation.ledger import LedgerLine
    from tongban_sandbox.simulation.loop import Process, SimLoop
    from tongban_sandbox.simulation.watch import Watch
    from tongban_shared.provinces import ProvinceProfile

DISK_FAILS, IS_FULL, FENCE_FAILS = 0.02, 0.5, 0.2
OPENS_S = 0.05
RESTART_S = 0.5
COMMITS = ("COMMIT", "commit")


class SiteFence(MemoryFence):
    """A province's fence: it outlives the process, and may fail."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    async def write(self, head: Head) -> None:
        await asyncio.sleep(0)
        if self._site.fence_fails():
            raise FenceDownError("the fence can't be written")
        await super().write(head)


class Fate(StrEnum):
    """What becomes of the fence when a file is put back."""

    STAYS = "stays"
    LOST = "lost"
    PUT_BACK = "put back"


class Backup(NamedTuple):
    """A copy of a province's file, and what stood beside it then."""

    file: Path
    head: Head | None
    at_s: float


class Site:
    """A province. `broken` takes what may not happen."""

    def __init__(
        self,
        profile: ProvinceProfile,
        file: Path,
        *,
        loop: SimLoop,
        broker: Broker,
        ledger: LedgerLine,
        clock: ProvinceClock,
        keys: Path,
        watch: Watch,
        speaks: Callable[[str], None],
        committed: Callable[[str, list[Change]], None],
        journal: Journal,
        random: Random,
        broken: Callable[[BrokenPromiseError], None],
    ) -> None:
        self.profile = profile
        self.code = profile.code
        self.file = file
        self.clock = clock
        self.fence = SiteFence(self)
        self.fuse: int | None = None
        self.lost: list[tuple[float, float, Fate]] = []
        self.process: Process | None = None
        self.registry: Registry | None = None
        self._door: AsgiUpstream | None = None
        self._starting: asyncio.Task[None] | None = None
        self._backups = 0
        self._loop = loop
        self._broker = broker
        self._ledger = ledger
        self._keys = keys
        self._watch = watch
        self._speaks = speaks
        self._committed = committed
        self._journal = journal
        self._random = random.random
        self._broken = broken

    # --- the process

    @property
    def up(self) -> bool:
        """Whether it answers at the door."""
        return self._door is not None

    async def start(self) -> None:
        """Start the process, and again when it dies while it starts. Returns when it works."""
        # One machine has one process, whoever wants it started.
        if self._starting is None or self._starting.done():
            self._starting = self._loop.create_task(self._start(), context=self._loop.outside.context())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        while not self.up:
            if self.process is not None and not self.process.dead:
                await asyncio.sleep(OPENS_S)  # it is about to end
                continue
            process = self.process = self._loop.process(self.code)
            process.at_death.append(self._gone)
            self._journal.note("start", self.code)
            try:
                await process.ask(self._run())
            except ProcessDiedError:
                await asyncio.sleep(RESTART_S)
            except UnavailableError:
                # As its supervisor sees it: it ended, and is started again.
                process.die()
                await asyncio.sleep(RESTART_S)

    async def _run(self) -> None:
        process = self.process
        end = BrokerEnd(self._broker, self.code)
        around = Surrounds(end, self._ledger, self.clock, self._keys, lambda _: self.fence)
        registry = await Registry.open(self.profile, f"sqlite:///{self.file}", around)
        door = AsgiUpstream(registry.app())
        await registry.start()
        assert process is not None
        _ = process.spawn(self._mind(registry))
        self.registry, self._door = registry, door

    async def _mind(self, registry: Registry) -> None:
        """When a worker ends the process does, and is started again; without a reason that is a fault."""
        while not registry.gate.open and await registry.failed() is None:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(OPENS_S)
        self._journal.note("open", self.code, registry.gate.open)
        if registry.gate.open:
            self._broker.weather.spared.discard(self.code)
            self._speaks(self.code)
        error = await registry.ended()
        if self.registry is not registry:
            return
        if not isinstance(error, FenceDownError | PutBackError):
            self._broken(BrokenPromiseError(f"a worker of province {self.code} ended: {error!r}", self.code))
        self._journal.note("ended", self.code, type(error).__name__)
        _ = self._loop.outside.spawn(self._again())

    async def _again(self) -> None:
        self.crash()
        await asyncio.sleep(RESTART_S)
        await self.start()

    def crash(self) -> None:
        """Die here and now."""
        if self.process is not None and not self.process.dead:
            self._journal.note("crash", self.code)
            self.process.die()

    def _gone(self) -> None:
        self.registry = self._door = None
        self.fuse = None

    async def stop(self) -> None:
        """End in good order; what does not end is killed."""
        process, registry = self.process, self.registry
        if process is None or registry is None:
            return
        self._journal.note("stop", self.code)
        self.registry = self._door = None
        with suppress(ProcessDiedError, TongbanError):
            await process.ask(registry.stop())
        process.die()

    # --- the door, as ports of the gateway want it

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Carry one request. Raises UpstreamFailedError."""
        process, door = self.process, self._door
        if process is None or door is None or self.code in self._broker.weather.cut:
            raise UpstreamFailedError(Failure.CONNECT)
        try:
            answer = await process.ask(door.send(request))
        except ProcessDiedError as error:
            raise UpstreamFailedError(Failure.BROKEN) from error
        if self.code in self._broker.weather.cut:
            raise UpstreamFailedError(Failure.BROKEN)
        return answer

    async def close(self) -> None:
        """The gateway closes; the province stays."""

    # --- the database, as it is attended

    def takes_s(self, words: str) -> float:
        """A unit of work takes its time to commit, so that others arrive meanwhile; a read does not."""
        return self._broker.weather.commit_s * self._random() if words == "COMMIT" else 0.0

    def before(self, words: str) -> str | None:
        self._burn()
        if words != "ROLLBACK" and self.code in self._broker.weather.disk and self._random() < DISK_FAILS:
            self._journal.note("disk", self.code)
            return FULL if self._random() < IS_FULL else SHUT
        return None

    def after(self, words: str) -> str | None:
        self._burn()
        if words in COMMITS and self.code in self._broker.weather.disk and self._random() < DISK_FAILS:
            self._journal.note("disk", self.code, "after")
            return LOST
        return None

    def committed(self, changes: list[Change]) -> None:
        self._committed(self.code, changes)

    def fence_fails(self) -> bool:
        """Whether the fence can't be written just now."""
        return self.code in self._broker.weather.fence and self._random() < FENCE_FAILS

    def _burn(self) -> None:
        """A fuse that was lit counts visits; then the process dies, before or after one."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                self.crash()

    # --- the file, from outside

    def read(self, query: str, *values: object) -> Sequence[Sequence[object]]:
        """What is committed, past the registry."""
        reader = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return reader.execute(query, values).fetchall()
        finally:
            reader.close()

    def load(self) -> None:
        """Let the watch begin with what stands in the file."""
        (_, people), (_, cases) = WATCHED
        self._watch.load(
            self.code,
            self.read(f"SELECT {people} FROM person"),  # noqa: S608  # constants
            self.read(f"SELECT {cases} FROM cases"),  # noqa: S608  # constants
        )

    def back_up(self, at_s: float) -> Backup:
        """A copy of what is committed."""
        self._backups += 1
        copy = self.file.with_suffix(f".{self._backups}.backup")
        source, target = sqlite3.connect(self.file), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        self._journal.note("backup", self.code)
        return Backup(copy, self.fence.head, at_s)

    def put_back(self, backup: Backup, at_s: float, *, fence: Fate) -> None:
        """The process dies, and starts again on an old file; the fence stays, is lost, or is put back too.

        If it is put back, nothing but the ledger can tell: so the ledger is there until the gate is open. Who
        puts back both while the ledger is away gets what no protocol can prevent.
        """
        self.crash()
        for ending in ("", "-wal", "-shm"):
            Path(f"{self.file}{ending}").unlink(missing_ok=True)
        shutil.copyfile(backup.file, self.file)
        if fence is not Fate.STAYS:
            self.fence.head = backup.head if fence is Fate.PUT_BACK else None
        if fence is Fate.PUT_BACK:
            self._broker.weather.spared.add(self.code)
        self.lost.append((backup.at_s, at_s, fence))
        self._journal.note("restore", self.code, fence)
        self._watch.put_back(self.code)
        self.load()
