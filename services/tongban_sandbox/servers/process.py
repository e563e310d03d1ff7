"""One server process: started with its log, watched until it answers, ended by its own process id."""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tongban_shared.errors import TongbanError

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LINES_SHOWN = 20
# Below the range from which the kernel takes the near ends of outgoing connections.
PORTS = range(20_000, 32_000)
PROBE_PAUSE_S = 0.02
LAST_WAIT_S = 10.0


class ServerMissingError(TongbanError):
    """A server's programs are not installed here; the message says what to do."""

    code = "SERVER_MISSING"


class ServerFailedError(TongbanError):
    """A server did not start, did not answer in time or did not end; the message shows its last words."""

    code = "SERVER_FAILED"

    def __init__(self, what: str, advice: str, log: Path) -> None:
        shown = "\n".join(f"  | {line}" for line in last_lines(log))
        super().__init__(f"{what}. {advice}\nlast lines of {log}:\n{shown or '  | (empty)'}")
        self.log = log


@dataclass(frozen=True)
class Launch:
    """How one server is started.

    command: an absolute path, then its arguments. stop_signal: asks it to end in good order; it gets the same
    one if this program dies. user: to run as, when we are root; None keeps ours.
    """

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    stop_signal: signal.Signals
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class ServerProcess:
    """A running server with everything that it started in turn.

    It ends when the thread that made it ends, so make it in the main thread. It does not see the terminal's
    Ctrl-C: whoever made it decides when it stops.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        # The server and its children inherit the far end and never use it: the near end reads as closed only
        # when the last of them is gone.
        self._alive, theirs = os.pipe()
        try:
            self._process = _spawn(launch, theirs)
        except OSError:
            os.close(self._alive)
            raise
        finally:
            os.close(theirs)
        atexit.register(self._end_at_exit)

    @property
    def pid(self) -> int:
        """The server's process id, also after its end."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server's first process still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number if a signal ended it."""
        return self._process.poll()

    async def ready(self, probe: Callable[[], Awaitable[bool]], limit_s: float) -> None:
        """Return when `probe` says yes. Raises ServerFailedError if the server ends or the limit passes."""
        until = time.monotonic() + limit_s
        while not await probe():
            if not self.running:
                await self.end(signal.SIGKILL)
                raise self._failed(f"{self.launch.name} ended by itself, exit code {self.exit_code}")
            if time.monotonic() > until:
                await self.end(signal.SIGKILL)
                raise self._failed(f"{self.launch.name} gave no answer within {limit_s:.0f} s")
            await asyncio.sleep(PROBE_PAUSE_S)

    def send(self, how: signal.Signals) -> None:
        """Send a signal; nothing happens once the process is gone."""
        self._process.send_signal(how)

    async def end(self, how: signal.Signals, limit_s: float = 30.0) -> None:
        """Send `how` and return when the server and all its children are gone. Safe to repeat.

        Raises ServerFailedError when the limit passes; it is killed then, so nothing stays behind.
        """
        in_time = await self._ended(how, limit_s)
        if not in_time and not await self._ended(signal.SIGKILL, LAST_WAIT_S):
            raise self._failed(f"{self.launch.name} (pid {self.pid}) can't be ended")
        self._close()
        if not in_time and how is not signal.SIGKILL:
            raise self._failed(f"{self.launch.name} did not stop within {limit_s:.0f} s and was killed")

    async def _ended(self, how: signal.Signals, limit_s: float) -> bool:
        until = time.monotonic() + limit_s
        self._process.send_signal(how)  # does nothing once the process is gone
        while self.running or not self._all_gone():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(PROBE_PAUSE_S)
        return True

    def _all_gone(self) -> bool:
        return self._alive < 0 or bool(select.select([self._alive], [], [], 0)[0])

    def _close(self) -> None:
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
            atexit.unregister(self._end_at_exit)

    def _end_at_exit(self) -> None:
        """The program ends without having stopped its server: no event loop any more, little time."""
        self._process.send_signal(self.launch.stop_signal)
        try:
            self._process.wait(LAST_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _failed(self, what: str) -> ServerFailedError:
        advice = f"If the log does not tell, remove {self.launch.folder} (its data too) and start again."
        return ServerFailedError(what, advice, self.launch.log)


def _spawn(launch: Launch, inherited: int) -> subprocess.Popen[bytes]:
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
    terms = [str(os.getpid()), launch.user or "-", str(int(launch.stop_signal))]
    with launch.log.open("ab") as log:
        return subprocess.Popen(
            [*launcher, *terms, *launch.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=launch.folder,
            env={**_environment(), **launch.environment},
            pass_fds=(inherited,),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """A server sees no variable of ours but these: no setting of this machine may change what it does."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC"}


async def run_once(launch: Launch, limit_s: float = 60.0) -> None:
    """Run a command that prepares a server and ends by itself. Raises ServerFailedError unless it exits 0."""
    process = ServerProcess(launch)

    async def over() -> bool:
        return not process.running

    await process.ready(over, limit_s)
    await process.end(launch.stop_signal)
    if process.exit_code != 0:
        what = f"{launch.name} failed, exit code {process.exit_code}"
        advice = f"Remove what blocks it in {launch.folder} and start again."
        raise ServerFailedError(what, advice, launch.log)


def last_lines(log: Path) -> list[str]:
    """The end of a log file, at most 20 lines; empty if there is none."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        return file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment."""
    # Not the seeded generator: test processes that share a seed would all pick the same port.
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerMissingError("no free TCP port on 127.0.0.1 between 20000 and 32000; end what listens there")
