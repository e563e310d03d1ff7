"""A server process answers, or says why not; and it is gone when it was ended."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tongban_sandbox.servers.process import (
    Launch,
    ServerFailedError,
    ServerProcess,
    free_port,
    last_lines,
    run_once,
)


def shell(folder: Path, script: str) -> Launch:
    """A server that is a shell script."""
    command = ["/bin/sh", "-c", script]
    return Launch("the script", command, folder, folder / "log", signal.SIGTERM)


async def never() -> bool:
    """A server that does not answer."""
    return False


async def test_it_ends_with_its_children(tmp_path: Path) -> None:
    """The end is reported only when the last child is gone, whatever became of the first process."""
    process = ServerProcess(shell(tmp_path, "(sleep 0.4; touch late) & trap 'exit 0' TERM; touch up; wait"))

    async def up() -> bool:
        return (tmp_path / "up").exists()

    await process.ready(up, limit_s=5)
    await process.end(signal.SIGTERM)
    assert (tmp_path / "late").exists()
    assert not process.running
    await process.end(signal.SIGTERM)


async def test_one_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    """Past the limit it is killed, and the caller hears of it."""
    process = ServerProcess(shell(tmp_path, "trap '' TERM; echo here; while :; do sleep 0.05; done"))

    async def here() -> bool:
        return last_lines(tmp_path / "log") == ["here"]

    await process.ready(here, limit_s=5)
    with pytest.raises(ServerFailedError, match="did not stop within 0 s and was killed"):
        await process.end(signal.SIGTERM, limit_s=0.1)
    assert process.exit_code == -signal.SIGKILL


async def test_one_that_ends_by_itself_shows_its_last_words(tmp_path: Path) -> None:
    """The error holds the exit code, the log's name and its last 20 lines."""
    process = ServerProcess(shell(tmp_path, "seq 30; exit 3"))
    with pytest.raises(ServerFailedError, match="exit code 3") as caught:
        await process.ready(never, limit_s=5)
    assert str(caught.value).endswith("| 30")
    assert "| 10\n" not in str(caught.value)


async def test_one_that_does_not_answer_is_killed(tmp_path: Path) -> None:
    """A server that gives no answer within the limit does not stay behind."""
    process = ServerProcess(shell(tmp_path, "exec sleep 60"))
    with pytest.raises(ServerFailedError, match="gave no answer within 0 s"):
        await process.ready(never, limit_s=0.1)
    assert not process.running


async def test_a_preparing_command_must_succeed(tmp_path: Path) -> None:
    """run_once returns for exit code 0 and raises for any other."""
    await run_once(shell(tmp_path, "exit 0"))
    with pytest.raises(ServerFailedError, match="exit code 7"):
        await run_once(shell(tmp_path, "exit 7"))


async def test_it_sees_no_setting_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would change a server do not reach it."""
    monkeypatch.setenv("PGPORT", "1")
    await run_once(shell(tmp_path, "env > seen"))
    seen = {line.partition("=")[0] for line in (tmp_path / "seen").read_text(encoding="utf-8").splitlines()}
    assert seen <= {"PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "PWD", "SHLVL", "OLDPWD", "_"}


async def test_a_free_port_can_be_listened_on() -> None:
    """The port is free on loopback, and outside the range of outgoing connections."""
    port = free_port()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    server.close()
    assert 20_000 <= port < 32_000
