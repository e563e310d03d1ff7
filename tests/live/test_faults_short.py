"""`tongban faults --short`: real processes killed, cut and wiped under load; nobody is lost by it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]
POLL_S = 0.05
FAULTS = [sys.executable, "-m", "tongban_sandbox.cli", "faults"]


def test_nobody_is_lost_by_real_faults(tmp_path: Path) -> None:
    """It exits with 0: nothing lost, doubled or wrong, all well again in time; no process is left."""
    folder = tmp_path / "run"
    arguments = [*FAULTS, "--short", "--keep", str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=390, check=False)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    rows = {row[0]: row[1:] for row in map(cells, done.stdout.splitlines()) if len(row) > 10}
    assert rows.keys() >= {"hall.committed", "kill-ledger", "kill-gateway", "postgres", "wipe", "put-back"}
    assert all(row[-1] in {"ok", ""} for row in rows.values()), told
    *_, (_, _, lost, doubled, wrong, *_) = rows.values()
    assert (lost, doubled, wrong) == ("0", "0", "0")
    assert left_over(folder) == []


def test_interrupted_it_ends_what_it_started(tmp_path: Path) -> None:
    """Ctrl-C while a program is frozen leaves no process behind."""
    folder = tmp_path / "run"
    arguments = [*FAULTS, "--short", "--only", "freeze-ledger", "--keep", str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = ""
        while "load:" not in told:
            told += (line := process.stdout.readline())
            assert line, told
        wait_until_frozen(folder)
        process.send_signal(signal.SIGINT)
        told += process.stdout.read()
        assert process.wait(timeout=60) == 130, told
    assert left_over(folder) == []


def cells(line: str) -> list[str]:
    """The cells of a line of the table."""
    return [cell.strip() for cell in line.strip("│┃").split("│")] if "│" in line else []


def left_over(folder: Path) -> list[str]:
    """Command lines of processes that still speak of this folder."""
    return [line for _, line in processes() if str(folder) in line]


def wait_until_frozen(folder: Path) -> None:
    """Return when a program of the run stands still."""
    while not any("tongban_ledger" in line and state == "T" for state, line in processes(folder)):
        time.sleep(POLL_S)


def processes(folder: Path | None = None) -> list[tuple[str, str]]:
    """State and command line of each process, of a run's alone if one is named."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (place / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            continue
        if folder is None or str(folder) in line:
            found.append((state, line))
    return found
