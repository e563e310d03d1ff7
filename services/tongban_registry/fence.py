"""The fence: the newest head of a registry's log, kept on another volume than its database (G1).

    fence = FileFence(Path("/srv/fence/44"))

A database that was put back to a backup is behind its fence, and so is found out before it answers anybody.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from pathlib import Path
from typing import Final

import msgspec

from tongban_shared.errors import FenceDownError
from tongban_shared.ports import Head

# Two places written in turn: a write cut off by a crash spoils its own place, never the newest whole one.
PLACE_BYTES: Final = 512
PLACES: Final = 2


class _Kept(msgspec.Struct, frozen=True):
    head: Head
    check: int


class FileFence:
    """A small file of fixed size, written in place and synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._turn = 0

    async def read(self) -> Head | None:
        """The newest whole head. Raises FenceDownError."""
        try:
            heads = await asyncio.to_thread(self._read)
        except OSError as error:
            raise FenceDownError(f"the fence can't be read: {error.strerror}") from error
        return max(heads, key=lambda head: (head.incarnation, head.unit), default=None)

    async def write(self, head: Head) -> None:
        """In place of the older of the two. Raises FenceDownError."""
        try:
            await asyncio.to_thread(self._write, head)
        except OSError as error:
            raise FenceDownError(f"the fence can't be written: {error.strerror}") from error

    async def close(self) -> None:
        """Close the file. Safe to repeat."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _open(self) -> int:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if os.fstat(self._file).st_size < PLACES * PLACE_BYTES:
                os.pwrite(self._file, b"\0" * (PLACES * PLACE_BYTES), 0)
                os.fsync(self._file)
        return self._file

    def _read(self) -> list[Head]:
        file = self._open()
        found = {}
        for place in range(PLACES):
            kept = _whole(os.pread(file, PLACE_BYTES, place * PLACE_BYTES))
            if kept is not None:
                found[place] = kept
        newest = max(found, key=lambda place: (found[place].incarnation, found[place].unit), default=0)
        self._turn = newest + 1
        return list(found.values())

    def _write(self, head: Head) -> None:
        file = self._open()
        text = msgspec.json.encode(_Kept(head, _check(head)))
        os.pwrite(file, text.ljust(PLACE_BYTES, b"\0"), self._turn % PLACES * PLACE_BYTES)
        os.fdatasync(file)
        self._turn += 1


class MemoryFence:
    """Remembers as long as the process that a simulation or a test runs in."""

    def __init__(self, head: Head | None = None) -> None:
        self.head = head

    async def read(self) -> Head | None:
        """The head last written."""
        return self.head

    async def write(self, head: Head) -> None:
        """Keep it."""
        self.head = head

    async def close(self) -> None:
        """Nothing to close."""


class NoFence(MemoryFence):
    """For a registry that was given none: only the ledger and the peers can tell that it was put back."""

    async def write(self, head: Head) -> None:
        """Keep nothing."""


def _whole(raw: bytes) -> Head | None:
    """What stands in a place, unless it was never written or cut off."""
    try:
        kept = msgspec.json.decode(raw.rstrip(b"\0"), type=_Kept)
    except msgspec.DecodeError:
        return None
    return kept.head if kept.check == _check(kept.head) else None


def _check(head: Head) -> int:
    return zlib.crc32(msgspec.json.encode(head))
