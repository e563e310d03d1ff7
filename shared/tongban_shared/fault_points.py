"""Named places at which a crash would hurt most: nothing in service, a kill or an error under test.

    fault_point("hall.committed")

A test sets `strike` in its own process; a program under `make faults` is given TONGBAN_FAULT_POINT and kills
itself with SIGKILL at that place, as a power cut would. Source: guards.md §1 (FoundationDB), §2.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import structlog

from tongban_shared.errors import SettingsError

log = structlog.get_logger()

VARIABLE = "TONGBAN_FAULT_POINT"
POINTS = {
    "hall.decided": "a unit of work is decided, nothing is written",
    "hall.written": "its statements are sent, not committed",
    "hall.committed": "it is committed; neither fence, answer nor parcel has left",
    "hall.fenced": "the fence knows; neither answer nor parcel has left",
    "relay.sending": "a parcel is about to be given to the transport",
    "asker.asked": "the ledger has answered; its answer is not taken in yet",
    "gate.renumbered": "a registry that was put back has its new incarnation, and has learned nothing yet",
    "ledger.entered": "the ledger has committed entries; nobody was answered",
    "gateway.forwarded": "a province has answered; the caller was not",
}
"""Every point with what is true there; a name that is not here is a mistake."""

strike: Callable[[str], None] | None = None
"""Called with the name of each point that is passed."""


def fault_point(name: str) -> None:
    """Pass a place that a test may strike."""
    if strike is not None:
        strike(name)


def arm(text: str | None) -> None:
    """Strike as TONGBAN_FAULT_POINT says, `name:n`: SIGKILL to this process at the n-th pass of this point.

    None or empty: nothing. Raises SettingsError: not a point, or not a number from 1.
    """
    global strike  # noqa: PLW0603  # one process, one strike
    if not text:
        return
    name, _, count = text.partition(":")
    if name not in POINTS:
        raise SettingsError(f"{VARIABLE} names no fault point; there are {', '.join(sorted(POINTS))}")
    if count and not (count.isascii() and count.isdigit() and int(count)):
        raise SettingsError(f"{VARIABLE} is name:n, n from 1")
    left = int(count or 1)
    log.warning("this process will kill itself: a fault point is armed", at=name, count=left)

    def kill(passed: str) -> None:
        nonlocal left
        if passed == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    strike = kill
