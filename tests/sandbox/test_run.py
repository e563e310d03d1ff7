"""`tongban run` as people use it: started, called, killed, started again, stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.running import END_S, TONGBAN, Sandbox, until

# Whole programs are started, several times in one test.
pytestmark = pytest.mark.timeout(180)


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


def test_the_log_tells_what_a_crash_left_and_names_nobody(sandbox: Sandbox) -> None:
    """After kill -9 each province says how much it goes on with; no line holds an id number."""
    sandbox.start("--rate", "40")
    # So many that some message of theirs has no receipt at any moment.
    until(lambda: sandbox.open_cases() >= 40, END_S)
    sandbox.send(signal.SIGKILL)
    sandbox.start("--rate", "0")
    lines = (sandbox.state / "sandbox.log").read_text(encoding="utf-8").splitlines()
    started = [json.loads(line) for line in lines if "going on from here" in line]
    assert len(started) == 2 * len(sandbox.status()["provinces"])
    assert sum(line["backlog"] for line in started) > 0
    assert not any(re.search(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])", line) for line in lines)


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
    assert sandbox.put("/sandbox/v1/traffic", {"cases_per_s": 60}).json()["times_the_national_rate"] > 100
    until(lambda: sandbox.get("/sandbox/v1/traffic").json()["begun"] > 0, END_S)
