"""One event loop for the whole country: time that jumps, an order that chance decides, processes that die.

    loop = SimLoop(Random(7))
    province = loop.process("44")
    answer = await province.ask(registry.work())  # in the province's own process
    province.die()  # its tasks stay for ever where they stand, as after a power cut

Nothing waits for real: when nothing is ready, the clock jumps to the next timer. Of what is ready the seeded
source chooses, so that the same seed gives the same order and another seed another one.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import logging
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar, TypeVarTuple

from tongban_shared.storage import engine

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

STEPS_MAX = 200_000_000
# Of the loop's own time, without what leaps over it: no run has business for so long.
TIME_MAX_S = 50_000.0


class StalledError(RuntimeError):
    """Nothing is ready and no timer is set: everybody waits for somebody else."""


class ProcessDiedError(ConnectionError):
    """The process died before it had answered; what it had done by then is done."""


class Died(BaseException):  # no error of the code it passes through
    """Unwinds a process that dies in the middle of its own code; whatever it still tries has no effect."""


class Process:
    """What dies together. Everything that is started in it, and by what was started, belongs to it."""

    def __init__(self, name: str, loop: SimLoop) -> None:
        self.name = name
        self.dead = False
        self.at_death: list[Callable[[], None]] = []
        self.loop = loop
        self._tasks: list[asyncio.Task[Any]] = []
        self._callers: dict[asyncio.Future[Any], None] = {}
        self._prune_at = 64
        self._context = Context()
        self._context.run(PROCESS.set, self)

    def spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start something in this process."""
        return self.loop.create_task(work, context=self.context())

    def context(self) -> Context:
        """A context in which what is called belongs to this process."""
        return self._context.copy()

    async def ask(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Have this process do something, and wait as a caller from outside. Raises ProcessDiedError."""
        if self.dead:
            work.close()
            raise ProcessDiedError(self.name)
        answer: asyncio.Future[Result] = self.loop.create_future()
        self._callers[answer] = None
        self.spawn(work).add_done_callback(lambda task: self._answer(task, answer))
        try:
            return await answer
        finally:
            self._callers.pop(answer, None)

    def _answer(self, task: asyncio.Task[Result], answer: asyncio.Future[Result]) -> None:
        error = None if task.cancelled() else task.exception()
        if answer.done():
            return
        if task.cancelled():
            answer.cancel()
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())

    def die(self) -> None:
        """End as a power cut would: nothing of it ever runs again, and callers lose their connection."""
        if self.dead:
            return
        self.dead = True
        for answer in tuple(self._callers):
            if not answer.done():
                answer.set_exception(ProcessDiedError(self.name))
        for act in self.at_death:
            act()

    def took(self, task: asyncio.Task[Any]) -> None:
        """A task that began in it."""
        self._tasks.append(task)
        if len(self._tasks) > self._prune_at:
            self._tasks = self.unfinished()
            self._prune_at = 2 * len(self._tasks) + 64

    def bury(self) -> None:
        """Let go of everything."""
        for task in self.unfinished():
            # That it is pending is the point.
            vars_of: Any = task
            vars_of._log_destroy_pending = False  # noqa: SLF001  # as asyncio's own gather does
            engine._settling.discard(task)  # noqa: SLF001  # it waits there for an end that never comes
        self._tasks.clear()
        self._callers.clear()
        self.at_death.clear()

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended, in the order in which they began."""
        return [task for task in self._tasks if not task.done()]


PROCESS: ContextVar[Process] = ContextVar("tongban_process")
"""The process that the running code belongs to."""


class _Step(asyncio.Handle):
    """One thing to do, and whose it is."""

    __slots__ = ("owner",)

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], owner: Process, context: Context | None
    ) -> None:
        """As asyncio's own, which asks twice whether somebody debugs."""
        self.owner = owner
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._loop = owner.loop
        self._context = copy_context() if context is None else context
        self._repr = None
        self._source_traceback = None

    def take(self) -> None:
        """Do it, unless its process died meanwhile."""
        if not self._cancelled and not self.owner.dead:
            self._run()


class _TimedStep(asyncio.TimerHandle):
    """One thing to do at a time."""

    __slots__ = ("owner",)

    owner: Process

    def take(self) -> None:
        """Do it, unless its process died meanwhile."""
        if not self._cancelled and not self.owner.dead:
            self._run()


class SimLoop(asyncio.BaseEventLoop):
    """An event loop without the world: no sockets, no threads, no signals, no real time."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.processes: list[Process] = []
        self.outside = self.process("outside")
        self.unheard: list[dict[str, Any]] = []
        self.steps = 0
        self._random = random.random
        self._now = 0.0
        self._ready: list[_Step | _TimedStep] = []
        self._timers: list[tuple[float, int, _TimedStep]] = []
        self._serial = 0

    def process(self, name: str) -> Process:
        """A new process."""
        process = Process(name, self)
        self.processes.append(process)
        return process

    # --- what asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def create_task(
        self,
        coro: Coroutine[Any, Any, Result],  # type: ignore[override]  # asyncio's own takes generators too
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[Result]:
        task = asyncio.Task(coro, loop=self, name=None if name is None else str(name), context=context)
        self._owner(context).took(task)
        return task

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> _Step:
        step = _Step(callback, args, self._owner(context), context)
        self._ready.append(step)
        return step

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> _Step:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> _TimedStep:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> _TimedStep:
        step = _TimedStep(when, callback, args, self, context)
        step.owner = self._owner(context)
        self._serial += 1
        heapq.heappush(self._timers, (when, self._serial, step))
        return step

    def run_in_executor(  # type: ignore[override]  # there is no thread to wait for
        self,
        executor: object,
        func: Callable[..., Result],
        *args: Any,  # noqa: ANN401
    ) -> asyncio.Future[Result]:
        """Here and now: there are no threads."""
        del executor
        return self.create_task(_at_once(func, *args))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody takes care of is a fault; it is kept for the report."""
        self.unheard.append(context)

    def _owner(self, context: Context | None) -> Process:
        owner = PROCESS.get(self.outside) if context is None else context.get(PROCESS)
        return owner or self.outside

    def _run_once(self) -> None:
        """Asyncio's turn: here one step of those that are ready, or the jump to the next timer."""
        ready = self._ready
        if not ready:
            self._jump()
        while ready and not self._stopping:  # type: ignore[attr-defined]  # set by asyncio's stop()
            last = len(ready) - 1
            chosen = int(self._random() * (last + 1)) if last else 0
            step = ready[chosen]
            ready[chosen] = ready[last]
            ready.pop()
            self.steps += 1
            step.take()
        if self.steps > STEPS_MAX:
            raise StalledError("the run does not come to an end")

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise StalledError("everybody waits for somebody else")
        self._now = max(self._now, timers[0][0])
        if self._now > TIME_MAX_S:
            raise StalledError("the run does not come to an end")
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    # --- the end

    def bury(self) -> None:
        """Drop what the dead left standing. The collector ends their code, and nobody hears it complain."""
        for process in self.processes:
            process.dead = True
            process.bury()
        with _deaf():
            self._ready.clear()
            self._timers.clear()
            self.processes.clear()
            self.close()
            gc.collect()


async def _at_once(func: Callable[..., Result], *args: Any) -> Result:  # noqa: ANN401
    return func(*args)


@contextmanager
def _deaf() -> Iterator[None]:
    """The dead complain of not being waited for, and of there being no loop any more."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        sys.unraisablehook = before
