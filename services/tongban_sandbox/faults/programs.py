"""A program of ours under a supervisor, which starts it again whenever it ends unasked, on the same port."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from tongban_sandbox.servers.process import Launch, ServerFailedError, ServerProcess
from tongban_sandbox.together import end

LOOK_EACH_S = 0.02
RESTART_PAUSE_S = 0.1
"""As service managers do: not at once, so that a program that can't start does not burn the machine."""

READY_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class End:
    """One end of a program that its supervisor saw. at_s: on the monotonic clock; asked: it was struck."""

    name: str
    at_s: float
    code: int
    asked: bool


class Program:
    """One program. `kind` is the part of its name before the dash: registry, ledger or gateway."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.ends: list[End] = []
        self._answers: Callable[[], Awaitable[bool]] | None = None
        self._once: Mapping[str, str] = {}
        self._struck = self._frozen = False
        self._process = ServerProcess(launch)
        self._supervising: asyncio.Task[None] | None = asyncio.create_task(self._supervise())

    @property
    def name(self) -> str:
        """As its log is named."""
        return self.launch.name

    @property
    def kind(self) -> str:
        """Which of the three programs it is."""
        return self.name.partition("-")[0]

    @property
    def pid(self) -> int:
        """The process id of its newest life."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives just now."""
        return self._process.running

    @property
    def exit_code(self) -> int | None:
        """Of its newest life; None while it runs."""
        return self._process.exit_code

    async def ready(self, probe: Callable[[], Awaitable[bool]], limit_s: float) -> None:
        """Return when `probe` says yes, which is remembered. Raises ServerFailedError."""
        self._answers = probe
        await self.again_ready(limit_s)

    async def again_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Return when it may take work, however often it ends until then. Raises ServerFailedError."""
        until = time.monotonic() + limit_s
        while self._answers is not None and not await self._answers():
            if time.monotonic() > until:
                what = f"{self.name} is not ready within {limit_s:.0f} s"
                raise ServerFailedError(what, "Its log says why.", self.launch.log)
            await asyncio.sleep(LOOK_EACH_S)

    def kill(self, environment: Mapping[str, str] | None = None) -> None:
        """SIGKILL; the supervisor starts it again. environment: added in its next life alone."""
        self._once = environment or {}
        self._struck = True
        self._process.send(signal.SIGKILL)

    def expect_end(self) -> None:
        """Its next end is wanted: a fault point will kill it."""
        self._struck = True

    def freeze(self) -> None:
        """SIGSTOP: it neither works nor ends nor closes a connection."""
        self._process.send(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """SIGCONT. Safe to repeat."""
        if self._frozen:
            self._process.send(signal.SIGCONT)
        self._frozen = False

    async def died(self, limit_s: float) -> End:
        """Wait for its next end. Raises TimeoutError."""
        seen = len(self.ends)
        async with asyncio.timeout(limit_s):
            while len(self.ends) == seen:  # noqa: ASYNC110 (a process tells nobody)
                await asyncio.sleep(LOOK_EACH_S)
        return self.ends[seen]

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it for good. Safe to repeat."""
        self.thaw()
        if self._supervising is not None:
            supervising, self._supervising = self._supervising, None
            await end([supervising])
        await self._process.end(how)

    def change(self, environment: Mapping[str, str]) -> None:
        """Add to its environment, from its next life on."""
        self.launch = replace(self.launch, environment={**self.launch.environment, **environment})

    def start(self, once: Mapping[str, str] | None = None) -> None:
        """Begin again after `stop`. once: environment of this life alone, which a fault point will end."""
        self._struck = bool(once)
        environment = {**self.launch.environment, **(once or {})}
        self._process = ServerProcess(replace(self.launch, environment=environment))
        self._supervising = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        while True:
            while self._process.running:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(LOOK_EACH_S)
            code = self._process.exit_code or 0
            self.ends.append(End(self.name, time.monotonic(), code, self._struck))
            self._struck = self._frozen = False
            await self._process.end(signal.SIGKILL)
            await asyncio.sleep(RESTART_PAUSE_S)
            environment = {**self.launch.environment, **self._once}
            self._once = {}
            self._process = ServerProcess(replace(self.launch, environment=environment))
