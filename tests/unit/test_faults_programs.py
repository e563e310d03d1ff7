"""A supervisor starts again what ended, says which ends nobody asked for, and holds a frozen program."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tongban_sandbox.faults.programs import Program
from tongban_sandbox.servers.process import Launch

LIMIT_S = 10.0
# Each life writes its number and what it was told, and a line for each moment that it runs.
SCRIPT = """
echo "life $TOLD" >> lives
[ "$TOLD" = end ] && exit 3
while :; do echo . >> moments; sleep 0.05; done
"""


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    """A shell script under a supervisor."""
    launch = Launch("registry-script", ["/bin/sh", "-c", SCRIPT], tmp_path, tmp_path / "log", signal.SIGKILL)
    started = Program(launch)
    yield started
    await started.stop(signal.SIGKILL)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens in another process."""
    async with asyncio.timeout(LIMIT_S):
        while not true():  # noqa: ASYNC110 (another process tells nobody)
            await asyncio.sleep(0)


def lives(program: Program) -> list[str]:
    """What its lives were told."""
    file = program.launch.folder / "lives"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def moments(program: Program) -> int:
    """How long it has run."""
    file = program.launch.folder / "moments"
    return file.stat().st_size if file.exists() else 0


async def test_a_killed_program_lives_again(program: Program) -> None:
    """It is started as before, under another process id; its end was asked for."""
    await until(lambda: lives(program) == ["life "])
    pid = program.pid
    program.kill()
    end = await program.died(LIMIT_S)
    await until(lambda: lives(program) == ["life ", "life "])
    assert (end.code, end.asked, program.pid != pid) == (-signal.SIGKILL, True, True)


async def test_what_is_told_once_is_told_to_one_life(program: Program) -> None:
    """The environment of the next life alone; an end in it that nobody announced is unasked."""
    await until(lambda: lives(program) == ["life "])
    program.kill({"TOLD": "end"})
    await until(lambda: lives(program) == ["life ", "life end", "life "])
    assert [(end.code, end.asked) for end in program.ends] == [(-signal.SIGKILL, True), (3, False)]


async def test_a_frozen_program_stands_still(program: Program) -> None:
    """It does nothing and does not end; thawed, it goes on as the same process."""
    await until(lambda: moments(program) > 0)
    pid = program.pid
    program.freeze()
    await until(lambda: state_of(pid) == "T")
    still = moments(program)
    program.thaw()
    await until(lambda: moments(program) > still)
    assert (program.pid, program.ends) == (pid, [])


async def test_a_stopped_program_stays_away(program: Program) -> None:
    """Stopped for good, even frozen, it is not started again; begun again, it is."""
    await until(lambda: lives(program) == ["life "])
    program.freeze()
    await program.stop(signal.SIGTERM)
    assert (program.running, program.ends) == (False, [])
    program.change({"TOLD": "other"})
    program.start()
    await until(lambda: lives(program) == ["life ", "life other"])


def state_of(pid: int) -> str:
    """The letter that the kernel shows for a process."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
