"""`tongban live`: the stories over real Kafka and PostgreSQL, each program a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
TONGBAN = [sys.executable, "-m", "tongban_sandbox.cli"]


def test_the_stories_complete_over_real_parts() -> None:
    """It exits with 0, all stories are completed, and none of its processes is left."""
    done = subprocess.run([*TONGBAN, "live"], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 stories completed" in done.stdout
    assert left_over(done.stdout) == []


def test_told_to_stop_it_stops_what_it_started(tmp_path: Path) -> None:
    """SIGTERM in the middle leaves no process and no data behind."""
    folder = tmp_path / "live"
    arguments = [*TONGBAN, "live", "--keep", str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        told += process.stdout.read()
        assert process.wait(timeout=60) != 0
    assert "PostgreSQL (pid" in told
    assert left_over(told) == []


def left_over(told: str) -> list[int]:
    """Of the processes that it named, those that still run."""
    pids = [int(pid) for pid in re.findall(r"\(pid (\d+)\)", told)]
    assert pids
    return [pid for pid in pids if is_running(pid)]


def is_running(pid: int) -> bool:
    """Whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
