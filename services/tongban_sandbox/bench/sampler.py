"""Where the time of a Python process goes: looks at the main thread's stack, weighted by the CPU it used.

A sample counts as much as the thread has worked since the one before, so waiting weighs nothing.
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

EACH_S = 0.005
"""CPU seconds of this process from sample to sample."""
TOP = 25
OURS = "tongban_"
LOOP = "event loop and C calls (uvloop)"

# The first rule that any frame of the stack fits names the group; module prefix, function ("" for any).
RULES: Sequence[tuple[str, str, str]] = (
    ("sign the unit", "tongban_shared.keys", "sign"),
    ("verify signatures", "tongban_shared.keys", "verify"),
    ("seal and unseal records", "tongban_shared.keys", "seal"),
    ("seal and unseal records", "tongban_shared.keys", "unseal"),
    ("hash tree", "tongban_shared.tree", ""),
    ("decode messages", "tongban_shared.messages.codec", "decode_message"),
    ("encode messages", "tongban_shared.messages.codec", "encode_message"),
    ("rows to objects and back", "tongban_registry.storage.rows", ""),
    ("SQL: rows as arrays", "tongban_shared.storage.rowset", ""),
    ("SQL: asyncpg", "asyncpg", ""),
    ("SQL: aiosqlite", "aiosqlite", ""),
    ("SQL: SQLAlchemy", "sqlalchemy", ""),
    ("Kafka: aiokafka", "aiokafka", ""),
    ("Kafka: our transport", "tongban_shared.transports", ""),
    ("ledger, in this process", "tongban_ledger", ""),
    ("ledger client (httpx)", "httpx", ""),
    ("ledger client (httpx)", "httpcore", ""),
    ("ledger client (httpx)", "tongban_shared.ledger_client", ""),
    ("HTTP door", "tongban_registry.http", ""),
    ("HTTP door", "tongban_registry.door", ""),
    ("HTTP door", "uvicorn", ""),
    ("HTTP door", "fastapi", ""),
    ("HTTP door", "starlette", ""),
    ("HTTP door", "tongban_shared.web", ""),
    ("SQL: engine of ours", "tongban_shared.storage", ""),
    ("SQL: statements of ours", "tongban_registry.storage", ""),
    ("open parcels", "tongban_registry.arrivals", "open_records"),
    ("decide", "tongban_registry.inbox", "_decide"),
    ("decide", "tongban_registry.unit", ""),
    ("decide", "tongban_shared.cases", ""),
    ("envelopes and parcels", "tongban_registry.envelopes", ""),
    ("envelopes and parcels", "tongban_shared.wire", ""),
    ("send parcels", "tongban_registry.outbox", ""),
    ("hall", "tongban_registry", ""),
    ("driver", "tongban_sandbox", ""),
)

Frames = Sequence[tuple[str, str]]
"""Module and function, the innermost first."""


def group_of(frames: Frames) -> str:
    """The group of one stack."""
    for group, module, function in RULES:
        if any(_fits(frame, module, function) for frame in frames):
            return group
    return LOOP


def _fits(frame: tuple[str, str], module: str, function: str) -> bool:
    name, called = frame
    return (name == module or name.startswith(f"{module}.")) and function in ("", called)


def share(weights: Mapping[str, float], limit: int | None = None, whole: float = 0.0) -> dict[str, float]:
    """Percent of the whole (their sum where 0), largest first."""
    total = whole or sum(weights.values()) or 1.0
    ordered = sorted(weights.items(), key=lambda pair: -pair[1])[:limit]
    return {name: round(100 * weight / total, 1) for name, weight in ordered}


class Sampler:
    """Samples between `start` and `stop`; both belong to the main thread.

    The kernel's CPU timer asks for a sample; the interpreter takes it behind the call that was under way. A
    thread would get its turn mostly when the loop has gone to sleep, and see nothing else.
    """

    def __init__(self) -> None:
        self._groups: dict[str, float] = defaultdict(float)
        self._functions: dict[str, float] = defaultdict(float)
        self._inclusive: dict[str, float] = defaultdict(float)
        self._before_s = time.thread_time()

    def start(self) -> None:
        """Begin."""
        signal.signal(signal.SIGPROF, self._sample)
        self._before_s = time.thread_time()
        signal.setitimer(signal.ITIMER_PROF, EACH_S, EACH_S)

    def stop(self) -> dict[str, Any]:
        """End; returns percent of CPU time: groups, innermost functions, ours with all that they call.

        SQLAlchemy runs in greenlets, whose stacks end there: its share is in no function of ours.
        """
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        return {
            "groups": share(self._groups),
            "functions": share(self._functions, TOP),
            "inclusive": share(self._inclusive, TOP * 2, sum(self._groups.values())),
        }

    def _sample(self, _: int, frame: FrameType | None) -> None:
        frames = _stack(frame)
        now_s = time.thread_time()
        weight, self._before_s = now_s - self._before_s, now_s
        self._groups[group_of(frames)] += weight
        if frames:
            self._functions[".".join(frames[0])] += weight
        for name in {".".join(called) for called in frames if called[0].startswith(OURS)}:
            self._inclusive[name] += weight


def _stack(frame: FrameType | None) -> Frames:
    return [(str(f.f_globals.get("__name__", "")), f.f_code.co_name) for f in _outwards(frame)]


def _outwards(frame: FrameType | None) -> Iterable[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
