"""Runs one server so that it dies with its parent and never as root. A script, started by process.py.

Arguments: pid of the parent · user name, or "-" to keep the user · number of the signal that the server gets
when its parent dies · the command. It needs the standard library only, and becomes the command by exec, so
the server keeps this script's process id.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    """Give up root for good: no way back, no further groups."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent's thread ends; only Linux can do this."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the kernel knew of the wish
        sys.exit(f"the parent {parent} is gone already")


def main(arguments: Sequence[str]) -> None:
    """Become the command. Does not return."""
    parent, user, death_signal, *command = arguments
    if user != "-":
        become(user)
    # After become(): a change of user makes the kernel forget the wish.
    die_with_parent(int(parent), int(death_signal))
    os.execv(command[0], command)  # noqa: S606 (no shell on purpose)


if __name__ == "__main__":
    main(sys.argv[1:])
