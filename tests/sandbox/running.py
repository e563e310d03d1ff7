"""`tongban run` as a program: started, asked, killed, started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

TONGBAN = [sys.executable, "-m", "tongban_sandbox.cli"]
READY_S, END_S, PAUSE_S = 30.0, 40.0, 0.1


class Sandbox:
    """One `tongban run` on one folder, started anew as often as wanted."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.announcement = state.with_name("sandbox.json")
        self.log = state.with_name("run.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, and return when it takes work."""
        self.announcement.unlink(missing_ok=True)
        arguments = [
            *TONGBAN,
            "run",
            "--state",
            str(self.state),
            "--port",
            str(free_port()),
            *options,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        until(self._ready, READY_S, lambda: self.log.read_text(encoding="utf-8"))

    def _ready(self) -> bool:
        with suppress(OSError, ValueError, httpx.TransportError):
            return self.get("/readyz").status_code == 200
        return False

    def get(self, path: str) -> httpx.Response:
        """Call it at the address it has announced."""
        base_url = json.loads(self.announcement.read_text(encoding="utf-8"))["base_url"]
        return httpx.get(base_url + path, trust_env=False, timeout=10)

    def put(self, path: str, body: object) -> httpx.Response:
        """The same with a body."""
        base_url = json.loads(self.announcement.read_text(encoding="utf-8"))["base_url"]
        return httpx.put(base_url + path, json=body, trust_env=False, timeout=10)

    def status(self) -> dict[str, Any]:
        """The sandbox's own report."""
        return dict(self.get("/sandbox/v1/status").json())

    def open_cases(self) -> int:
        """Open cases of all provinces."""
        return sum(row["open"] for row in self.status()["provinces"])

    def send(self, number: signal.Signals) -> int:
        """Send a signal; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def until(holds: Callable[[], bool], limit_s: float, told: Callable[[], str] = lambda: "") -> None:
    """Look again and again until it holds; fails after `limit_s`."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, f"not within {limit_s:.0f} s. {told()}"
        time.sleep(PAUSE_S)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
