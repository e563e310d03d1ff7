"""Where the time of a Python process goes: looks at the main thread's stack, weighted by the CPU it used.

A sample counts as much as the thread has worked since the one before, so waiting weighs nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

PAUSE_S = 0.005
SWITCH_S = 0.0005
TOP = 25
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


def share(weights: Counter[str], limit: int | None = None) -> dict[str, float]:
    """Percent of the whole, largest first."""
    total = sum(weights.values()) or 1.0
    return {name: round(100 * weight / total, 1) for name, weight in weights.most_common(limit)}


class Sampler:
    """Samples the main thread between `start` and `stop`; call both from that thread."""

    def __init__(self) -> None:
        self._groups: Counter[str] = Counter()
        self._functions: Counter[str] = Counter()
        self._over = threading.Event()
        self._main = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._main)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._switch_s = sys.getswitchinterval()

    def start(self) -> None:
        """Begin. Threads change hands faster meanwhile, so that a sample is not always behind a long call."""
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """End; returns percent of CPU time by group and by function (the innermost one on the stack)."""
        self._over.set()
        self._thread.join()
        sys.setswitchinterval(self._switch_s)
        return {"groups": share(self._groups), "functions": share(self._functions, TOP)}

    def _watch(self) -> None:
        before_s = time.clock_gettime(self._clock)
        while not self._over.wait(PAUSE_S):
            frames = _stack(sys._current_frames().get(self._main))  # noqa: SLF001 (there is no public way)
            now_s = time.clock_gettime(self._clock)
            self._note(frames, now_s - before_s)
            before_s = now_s

    def _note(self, frames: Frames, weight: float) -> None:
        self._groups[group_of(frames)] += weight
        if frames:
            self._functions[".".join(frames[0])] += weight


def _stack(frame: FrameType | None) -> Frames:
    return [(str(f.f_globals.get("__name__", "")), f.f_code.co_name) for f in _outwards(frame)]


def _outwards(frame: FrameType | None) -> Iterable[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
