"""Every fault, as data: how it is done, how often, and how soon all must be well again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tongban_sandbox.faults import strikes
from tongban_sandbox.faults.field import Field, Wound

PROCESS_S, POSTGRES_S, BROKER_S, RESTORED_S = 5.0, 15.0, 30.0, 60.0
"""How soon after its end a fault must be forgotten. Source: guards.md R1, S4."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the table. times, short: how often in the full and in the short form; 0: not at all.

    bound_s: from the end of the fault to the first good answer and the first completed new case.
    """

    name: str
    what: str
    strike: Callable[[Field], Awaitable[Wound]]
    bound_s: float
    times: int = 1
    short: int = 0


FAULTS = (
    Fault(
        "kill-registry", "kill -9 of a registry", partial(strikes.kill, kind="registry"), PROCESS_S, 100, 2
    ),
    Fault("kill-ledger", "kill -9 of the ledger", partial(strikes.kill, kind="ledger"), PROCESS_S, 100, 1),
    Fault("kill-gateway", "kill -9 of a gateway", partial(strikes.kill, kind="gateway"), PROCESS_S, 100, 1),
)
