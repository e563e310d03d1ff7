"""Two provinces in the hands of a machine of rules: every fault that it may think of, one step at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.stories.backups import backup, put_back
from tests.stories.folk import Resident
from tests.stories.mischief import ProcessDiedError
from tests.stories.wire import Letter
from tests.stories.world import BREATH_S, Country
from tongban_registry.commands import Command
from tongban_registry.registry import Registry
from tongban_shared import fault_points
from tongban_shared.errors import PutBackError, UnavailableError

A, B = "32", "33"
CODES = (A, B)
PEOPLE_EACH: Final = 40
PATIENCE_S: Final = 60
RESTARTS_MAX: Final = 5
KEPT, LOST, ROLLED_BACK = "kept", "lost", "rolled back"


class _Everything(set[str]):
    """Names of all messages: the wire keeps everything until a rule lets it go."""

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Backup:
    """A province's database as it was, and its fence of that moment."""

    code: str
    copy: Path
    fence: bytes = field(repr=False)


class Pair(Country):
    """A country of two, whose processes die and are put back, and whose wire carries nothing by itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.backups: list[Backup] = []
        # Put back, and not through its gate since: nobody has been told anything by this database.
        self.unproven: set[str] = set()
        self.put_back_ever = False

    @classmethod
    async def begin(cls, folder: Path) -> Pair:
        """Open a folder that was prepared; from now on the wire is in the rules' hands."""
        pair = await cls.open(folder, provinces=len(CODES), people=PEOPLE_EACH)
        pair.wire.holding = _Everything()
        return pair

    def movers(self) -> list[Resident]:
        """Who moves: one who lives alone at A, one at B, and a couple at A."""
        return [self.person(A), self.person(B), *self.family(A, 2)]

    # --- processes

    def strike_at(self, point: str, passes: int) -> None:
        """The next process that passes this point so often dies there, as by a power cut."""
        left = passes

        def strike(passed: str) -> None:
            nonlocal left
            left -= passed == point
            if left == 0 and passed == point:
                fault_points.strike = None
                self._cut_off(asyncio.current_task())
                raise ProcessDiedError(point)

        fault_points.strike = strike

    def _cut_off(self, task: asyncio.Task[Any] | None) -> None:
        """Nothing leaves a process any more once one of its workers was struck."""
        for site in self.sites.values():
            if site.registry is not None and task in (*site.registry._tasks, site.registry._opening):
                site.end.dead = True

    def up(self, code: str) -> bool:
        """Whether its process runs."""
        return self.sites[code].registry is not None

    async def start(self, code: str) -> None:
        """As ever; it may be struck while it starts."""
        with contextlib.suppress(ProcessDiedError):
            await super().start(code)

    async def restore(self, number: int, mode: str) -> None:
        """Put a database back to a backup; its fence is kept, lost, or put back as well."""
        chosen = self.backups[number]
        if self.up(chosen.code):
            await self.crash(chosen.code)
        if mode == ROLLED_BACK:
            (self.folder / "fences" / chosen.code).write_bytes(chosen.fence)
        self.unproven.add(chosen.code)
        self.put_back_ever = True
        await put_back(self, chosen.code, chosen.copy, fence=mode != LOST)

    async def go_back(self, code: str, rounds: int, mode: str) -> None:
        """A backup of now is put back when the wire has worked so long."""
        self.save(code)
        await self.flow(rounds)
        await self.restore(len(self.backups) - 1, mode)
        self.backups.pop()
        await self.calm()

    def save(self, code: str) -> None:
        """One more backup of a province."""
        fence = (self.folder / "fences" / code).read_bytes()
        self.backups.append(Backup(code, backup(self, code), fence))

    async def bury(self) -> bool:
        """Processes that died are dead to all; one whose database was put back is started again."""
        buried = False
        for code, site in self.sites.items():
            if site.registry is None:
                continue
            error = _died_of(site.registry)
            if error is None:
                continue
            buried = True
            assert isinstance(error, ProcessDiedError | PutBackError), f"province {code} died: {error!r}"
            await self.crash(code)
            if isinstance(error, PutBackError):
                await self.start(code)
        return buried

    # --- rest

    async def calm(self) -> None:
        """Wait until nobody has anything left to do; whoever dies meanwhile is buried."""
        async with asyncio.timeout(PATIENCE_S):
            quiet = 0
            while quiet < 2:
                if await self.bury() or not self._at_rest():
                    quiet = 0
                    await asyncio.sleep(BREATH_S)
                    continue
                before = self._pulse()
                if all([await self._passes(registry) for registry in self.working()]):
                    quiet = quiet + 1 if self._at_rest() and before == self._pulse() else 0
        self.unproven -= {registry.office.province for registry in self.working()}

    async def _passes(self, registry: Registry) -> bool:
        """Whether a command that means nothing is answered; not by one that dies, or whose disk is slow."""
        answer = asyncio.ensure_future(registry.hall.ask(Command("pass")))
        try:
            return await _first(answer, registry) is not None
        except UnavailableError:
            return False

    # --- the doors

    async def ask(self, code: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """As ever; 503 where nobody answers, because the process does not run or dies over it."""
        registry = self.sites[code].registry
        if registry is None:
            return httpx.Response(503)
        request = asyncio.ensure_future(super().ask(code, path, body, **headers))
        return await _first(request, registry) or httpx.Response(503)

    # --- the wire

    def under_way(self) -> list[Letter]:
        """All messages under way, each once, in an order that does not depend on who was faster."""
        found = {letter.data: letter for letter in self.wire.held}
        self.wire.held = sorted(found.values(), key=_place)
        return self.wire.held

    async def deliver(self, number: int, *, keep: bool = False) -> None:
        """One message arrives; `keep`: and will arrive again."""
        letters = self.under_way()
        if letters:
            letter = letters[number % len(letters)]
            if not keep:
                letters.remove(letter)
            await self.wire.deliver(letter)
        await self.calm()

    async def flow(self, rounds: int) -> None:
        """The wire works for a while: all that is under way arrives, and what answers it, so many times."""
        for _ in range(rounds):
            letters, self.wire.held = self.under_way(), []
            for letter in letters:
                await self.wire.deliver(letter)
                await self.calm()
            if not self.wire.held:
                return

    def refused(self) -> set[tuple[str, str]]:
        """What was refused anywhere: the reason and the message's name, "*" for a number given twice."""
        names = {letter.label.id: letter.name for letter in self.wire.sent}
        query = "SELECT reason, message_id FROM quarantine"
        rows = [row for code in CODES for row in self.registers.rows(code, query)]
        return {(reason, "*" if reason == "ID_REUSED" else names.get(number, "?")) for reason, number in rows}

    # --- the end

    async def heal(self) -> None:
        """All faults stop: ledger and processes up, clocks right, the wire carries."""
        self.offsets.clear()
        self.wire.holding = set()
        self.wire.held.clear()
        await self.mend()

    async def mend(self) -> None:
        """Ledger and processes are up, and nobody is going to be struck."""
        fault_points.strike = None
        self.ledger.down = False
        for code in CODES:
            for _ in range(RESTARTS_MAX):
                if self.up(code):
                    break
                await self.start(code)
        await self.calm()

    async def settle(self, met: Callable[[], bool], days_max: int) -> None:
        """Officers decide, and days pass, until it is met or that many have passed."""
        for _ in range(days_max):
            await self.decide_all()
            await self.resend()
            if met():
                return
            await self.pass_time(hours=24)

    def waiting_for_officers(self) -> list[tuple[str, str]]:
        """Cases on which an officer decides: province and number."""
        query = "SELECT id FROM cases WHERE waits = 'OFFICER' AND closed_at IS NULL ORDER BY id"
        return [(code, row[0]) for code in CODES for row in self.registers.rows(code, query)]

    async def decide_all(self) -> None:
        """Officers approve whatever waits for them."""
        for code, case in self.waiting_for_officers():
            await self.act(code, case, "decision", {"outcome": "approve"})


def _place(letter: Letter) -> tuple[str, ...]:
    sender, receiver, incarnation, seq = letter.label.id.split("-")
    return (receiver, sender, incarnation.zfill(4), seq.zfill(6), letter.label.type)


def _died_of(registry: Registry) -> BaseException | None:
    """What one of its workers died of, None while all live."""
    opening = [] if registry._opening is None else [registry._opening]
    for task in (*registry._tasks, *opening):
        if task.done() and not task.cancelled() and task.exception() is not None:
            return task.exception()
    return None


async def _first(answer: asyncio.Future[Any], registry: Registry) -> Any:  # noqa: ANN401  # as the future's
    """The answer, or None if its process dies first."""
    death = asyncio.ensure_future(registry.ended())
    try:
        await asyncio.wait({answer, death}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        for future in (answer, death):
            future.cancel()
        await asyncio.gather(answer, death, return_exceptions=True)
