"""A disk of a few megabytes for one PostgreSQL, to be filled to the last byte and freed again."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tongban_sandbox.servers.homes import Home, home_of
from tongban_sandbox.servers.postgres import PostgresServer
from tongban_sandbox.servers.process import LAUNCHER, Launch, ServerProcess

SIZE_BYTES = 320 * 1024 * 1024
SCRIPT = Path(__file__).with_name("cramped.py")
MOUNTED_LIMIT_S = 10.0
BALLAST = "ballast"
PIECE_BYTES = 1024 * 1024
# Log files of the database that are kept for the next checkpoint must not fill the disk by themselves.
SETTINGS = {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "32MB"}


class SmallDisk:
    """A tmpfs over a folder, seen by those alone who are let in. It is gone when its holder is."""

    def __init__(self, folder: Path, size_bytes: int, log: Path) -> None:
        self.folder = folder
        self._size_bytes = size_bytes
        self._log = log
        self._holder: ServerProcess | None = None

    async def mount(self, user: str | None) -> None:
        """Make it, for this user. Raises ServerFailedError where the system does not allow it."""
        owner = pwd.getpwnam(user) if user is not None else pwd.getpwuid(os.geteuid())
        terms = [str(self._size_bytes), str(self.folder), str(owner.pw_uid), str(owner.pw_gid)]
        command = [sys.executable, "-I", "-S", str(SCRIPT), "hold", *terms]
        self._holder = ServerProcess(Launch("a small disk", command, self.folder, self._log, signal.SIGKILL))
        await self._holder.ready(self._mounted, MOUNTED_LIMIT_S)

    async def release(self) -> None:
        """Let go of it, and of all that is on it. Safe to repeat."""
        if self._holder is not None:
            await self._holder.end(signal.SIGKILL)

    @property
    def inside(self) -> Path:
        """The folder as those see it who are let in."""
        assert self._holder is not None, "not mounted yet"
        return Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def let_in(self, launch: Launch) -> Launch:
        """The same start, on this disk. The user is changed behind the door, which only root may pass."""
        assert self._holder is not None, "not mounted yet"
        door = [sys.executable, "-I", "-S", str(SCRIPT), "enter", str(self._holder.pid)]
        become = [sys.executable, "-I", "-S", str(LAUNCHER)]
        become += [str(os.getpid()), launch.user or "-", str(int(launch.stop_signal))]
        return replace(launch, command=[*door, *become, *launch.command], user=None)

    def fill(self) -> int:
        """Leave not a byte; returns how many were free."""
        written = 0
        with (self.inside / BALLAST).open("wb", buffering=0) as file:
            piece = PIECE_BYTES
            while piece:
                try:
                    written += file.write(bytes(piece))
                except OSError:
                    piece //= 2
        return written

    def free(self) -> None:
        """Give back what `fill` took. Safe to repeat."""
        (self.inside / BALLAST).unlink(missing_ok=True)

    async def _mounted(self) -> bool:
        return self.inside.stat().st_dev != self.folder.stat().st_dev


class CrampedPostgres(PostgresServer):
    """A PostgreSQL whose data lies on a small disk."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, {**SETTINGS, **(settings or {})})
        self.disk: SmallDisk | None = None

    async def start(self) -> None:
        if self.disk is None:
            home = home_of(self.directory)
            disk = SmallDisk(home.data, SIZE_BYTES, self.directory / "disk.log")
            await disk.mount(home.user)
            self.disk = disk
        await super().start()

    async def release(self) -> None:
        """Give the disk up; the server is stopped. Safe to repeat."""
        if self.disk is not None:
            await self.disk.release()

    def _has_cluster(self, home: Home) -> bool:
        del home
        assert self.disk is not None, "mounted before the start"
        return (self.disk.inside / "PG_VERSION").exists()

    def _launch(self, home: Home, program: str, *arguments: str) -> Launch:
        assert self.disk is not None, "mounted before the start"
        return self.disk.let_in(super()._launch(home, program, *arguments))
