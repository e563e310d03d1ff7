"""The folder a sandbox lives in: its databases, its keys, what it was seeded with, and who runs it now.

var/sandbox/NN.db  ledger.db  keys/  world.json  sandbox.log  lock
var/sandbox.json    beside it, while one runs
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import msgspec

from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province

DEFAULT_FOLDER = Path("var/sandbox")
DEFAULT_SCALE = 100_000
DEFAULT_SEED = 1


class Plan(msgspec.Struct, frozen=True):
    """What a new country is made of: one person for `scale` real ones, the same people for the same seed."""

    scale: int = DEFAULT_SCALE
    seed: int = DEFAULT_SEED


class Manifest(msgspec.Struct):
    """What stands in world.json. seeded: people of each province whose register is complete.

    in_ledger: whether the ledger has all of them.
    """

    plan: Plan
    clock_offset_s: float = 0.0
    seeded: dict[str, int] = {}
    in_ledger: bool = False


class StateInUseError(SettingsError):
    """Another sandbox runs on the same folder."""


class StateFolder:
    """One sandbox's folder, locked for this process until `close`."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Open or make it. A folder that holds a country keeps that one's plan. Raises StateInUseError."""
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(path)
        self.manifest = self._read() or Manifest(plan)
        self.is_new = not self.manifest.seeded

    @property
    def keys(self) -> Path:
        """The key folder."""
        return self.path / "keys"

    @property
    def ledger_file(self) -> Path:
        """The custody ledger's database."""
        return self.path / "ledger.db"

    def register_file(self, province: Province) -> Path:
        """One register's database."""
        return self.path / f"{province}.db"

    def fence_file(self, province: Province) -> Path:
        """One registry's fence; in service it is on another volume than the database."""
        return self.path / "fences" / province

    def backup_file(self, province: Province) -> Path:
        """The newest backup of one register."""
        return self.path / "backups" / f"{province}.db"

    def open_log(self) -> TextIO:
        """The program's log, to go on writing; it grows by warnings only."""
        return (self.path / "sandbox.log").open("a", encoding="utf-8", buffering=1)

    def save(self) -> None:
        """Write world.json by rename, so that a crash leaves the old one or the new one."""
        write_json(self.path / "world.json", self.manifest)

    def forget(self, files: Iterable[Path]) -> None:
        """Remove databases whose seeding was cut off; nothing has worked on them yet."""
        for file in files:
            (self.path / "fences" / file.stem).unlink(missing_ok=True)
            for name in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
                name.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the folder free."""
        self._lock.close()

    def _read(self) -> Manifest | None:
        file = self.path / "world.json"
        if not file.exists():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=Manifest)
        except msgspec.DecodeError as error:
            raise SettingsError(f"{file} is damaged; remove {self.path} to begin a new country") from error


def announcement_file(folder: Path) -> Path:
    """Where a running sandbox says how to reach it: beside its folder."""
    return folder.with_name(f"{folder.name}.json")


def write_json(file: Path, content: object) -> None:
    """Write JSON by rename; only its owner may read it."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
    fresh.chmod(0o600)
    fresh.replace(file)


def _locked(folder: Path) -> TextIO:
    """The kernel gives the lock free when the process ends, however it ends."""
    lock = (folder / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise StateInUseError(
            f"a sandbox runs on {folder} already (process {holder}); look at it with: tongban status,"
            " or choose another folder with --state"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
