"""`tongban run` as people use it: started, called, killed, started again, stopped."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

# Whole programs are started, several times in one test.
pytestmark = pytest.mark.timeout(180)
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


@pytest.fixture
def sandbox(country: Path) -> Iterator[Sandbox]:
    """A country that nobody runs yet; whoever does is gone after the test."""
    one = Sandbox(country)
    yield one
    if one.process is not None and one.process.poll() is None:
        one.send(signal.SIGKILL)


def test_the_first_call_finds_somebody(sandbox: Sandbox) -> None:
    """The address it announces answers, with synthetic people of the province asked for."""
    sandbox.start()
    found = sandbox.get("/sandbox/v1/people?province=33&limit=1").json()
    assert found["items"][0]["id_number"].startswith("330000")
    assert found["items"][0]["synthetic"] is True


def test_every_open_case_ends_after_a_crash(sandbox: Sandbox) -> None:
    """Killed in the middle of its traffic and started again, it brings every case to an end."""
    sandbox.start("--rate", "20")
    until(lambda: sandbox.open_cases() >= 10, END_S)
    sandbox.send(signal.SIGKILL)
    sandbox.start("--rate", "0")
    assert sandbox.status()["homes"]["good"]
    until(lambda: sandbox.open_cases() == 0, END_S)
    assert sandbox.status()["homes"]["good"]


def test_it_stops_when_told_to(sandbox: Sandbox) -> None:
    """SIGTERM ends it in good order: exit code 0, and it announces nothing any more."""
    sandbox.start("--rate", "20")
    until(lambda: sandbox.open_cases() >= 1, END_S)
    assert sandbox.send(signal.SIGTERM) == 0
    assert not sandbox.announcement.exists()
    assert "stopped; tongban run goes on from here" in sandbox.log.read_text(encoding="utf-8")


def test_a_second_run_on_the_same_folder_is_refused(sandbox: Sandbox) -> None:
    """It says who runs there and what to do, and exits with 2."""
    sandbox.start()
    arguments = [*TONGBAN, "run", "--state", str(sandbox.state)]
    second = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 2
    assert "tongban status" in second.stderr


def test_the_rate_can_be_changed_while_it_runs(sandbox: Sandbox) -> None:
    """A rate of 0 begins no new cases; a higher one does, and its factor to the real country is shown."""
    sandbox.start("--rate", "0")
    assert sandbox.get("/sandbox/v1/traffic").json()["begun"] == 0
    assert sandbox.put("/sandbox/v1/traffic", {"cases_per_s": 50}).json()["times_the_national_rate"] > 100
    until(lambda: sandbox.get("/sandbox/v1/traffic").json()["begun"] > 0, END_S)


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
