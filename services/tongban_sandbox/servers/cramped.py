"""Runs programs on a disk of a few megabytes that nobody else sees. A script, started by small_disk.py.

`hold SIZE_BYTES FOLDER UID GID`: mounts an empty tmpfs at the folder, in a mount namespace of its own, and
keeps it until it is killed. `enter PID COMMAND…`: becomes the command in the namespace of a holder. It needs
the standard library only, and no root: without it, it makes itself a user namespace. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_REC, MS_PRIVATE = 0x4000, 0x4_0000

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise OSError for a call that failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def hold(size_bytes: str, folder: str, uid: str, gid: str) -> None:
    """Mount, then wait for the end."""
    us, ours = os.geteuid(), os.getegid()
    checked(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if us else 0)), "unshare")
    if us:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{us} {us} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{ours} {ours} 1", encoding="ascii")
    checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    options = f"size={size_bytes},mode=0700,uid={uid},gid={gid}"
    checked(libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options.encode()), "mount")
    signal.pause()


def enter(holder: str, *command: str) -> None:
    """Become the command, where the holder's disk is seen."""
    folder = os.getcwd()  # noqa: PTH109 (as text, to be found anew below)
    namespaces = [*([("user", CLONE_NEWUSER)] if os.geteuid() else []), ("mnt", CLONE_NEWNS)]
    # All are opened before the first is entered: who has changed may not look into the others.
    files = [(os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY), kind) for name, kind in namespaces]
    for file, kind in files:
        checked(libc.setns(file, kind), "setns")
        os.close(file)
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606 (no shell on purpose)


def main(arguments: Sequence[str]) -> None:
    """Do the one or the other; neither returns."""
    what, *others = arguments
    (hold if what == "hold" else enter)(*others)


if __name__ == "__main__":
    main(sys.argv[1:])
