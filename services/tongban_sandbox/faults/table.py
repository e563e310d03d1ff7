"""Every fault, as data: how it is done, how often, and how soon all must be well again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tongban_sandbox.faults import at_disks, at_servers, at_versions, at_wires, outages, strikes
from tongban_sandbox.faults.field import Field, Wound
from tongban_shared.fault_points import POINTS

PROCESS_S, POSTGRES_S, BROKER_S, RESTORED_S = 5.0, 15.0, 30.0, 60.0
"""How soon after its end a fault must be forgotten. Source: guards.md R1, S4."""

THAWED_S = 15.0
"""As above, for a program that stood still: ours. It has a minute of callers waiting at its door."""

WIRE_S = {"to_database": POSTGRES_S, "to_broker": BROKER_S, "to_registry": THAWED_S}
DISK_FULL = "disk-full"
Strike = Callable[[Field], Awaitable[Wound]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the table. times, short: how often in the full and in the short form; 0: not at all.

    bound_s: from the end of the fault to the first good answer and the first completed new case.
    """

    name: str
    what: str
    strike: Strike
    bound_s: float
    times: int = 1
    short: int = 0


def _kill(kind: str, short: int) -> Fault:
    return Fault(
        f"kill-{kind}",
        f"kill -9 of a {kind} at any moment",
        partial(strikes.kill, kind=kind),
        PROCESS_S,
        times=100,
        short=short,
    )


def _point(point: str) -> Fault:
    """The recovery gate is passed only where a database was put back; its points are struck there."""
    short = int(point == "hall.committed")
    strike = partial(strikes.kill_at, point=point)
    return Fault(point, f"kill -9 at {point}", strike, PROCESS_S, times=10, short=short)


def _freeze(kind: str) -> Fault:
    return Fault(
        f"freeze-{kind}", f"SIGSTOP of a {kind}", partial(strikes.freeze, kind=kind), THAWED_S, times=2
    )


def _wire(how: Callable[..., Awaitable[Wound]], wire: str) -> Fault:
    name = wire.replace("_", "-")
    told = {"forget": "half-open"}.get(how.__name__, how.__name__)
    strike = partial(how, wire=wire)
    short = int((told, name) == ("half-open", "to-database"))
    return Fault(
        f"{told}-{name}", f"connections {wire.replace('_', ' ')}: {told}", strike, WIRE_S[wire], short=short
    )


FAULTS = (
    *(_kill("registry", 0), _kill("ledger", 1), _kill("gateway", 1)),
    *(_point(point) for point in POINTS if not point.startswith("gate.")),
    *(_freeze("registry"), _freeze("ledger"), _freeze("gateway")),
    Fault(
        "postgres", "PostgreSQL stopped at once", at_servers.restart_postgres, POSTGRES_S, times=10, short=1
    ),
    Fault("freeze-postgres", "SIGSTOP of PostgreSQL", at_servers.freeze_postgres, POSTGRES_S),
    Fault("broker", "broker killed", at_servers.restart_broker, BROKER_S, times=10),
    Fault("freeze-broker", "SIGSTOP of the broker", at_servers.freeze_broker, BROKER_S),
    Fault("wipe", "the broker's data deleted", at_servers.wipe_broker, BROKER_S, short=1),
    Fault(DISK_FULL, "the disk of a register full", at_disks.fill, POSTGRES_S),
    *(
        _wire(how, wire)
        for wire in at_wires.WIRES
        for how in (at_wires.slow, at_wires.cut, at_wires.mute, at_wires.forget)
    ),
    Fault("broker-away", "no broker: lookups and applications go on", outages.broker_away, BROKER_S),
    Fault("province-away", "one province stands still, the others do not", outages.province_away, THAWED_S),
    Fault("database-away", "no database: refused at once, alive", outages.database_away, POSTGRES_S),
    Fault("roll", "an earlier version, back and forward, half at a time", at_versions.roll, PROCESS_S),
    Fault("put-back", "a register's files replaced by an older copy", at_disks.put_back, RESTORED_S, short=1),
    Fault("put-back-running", "the same under a running program", at_disks.put_back_running, RESTORED_S),
    Fault("gate.renumbered", "the same, and kill -9 at the gate", at_disks.put_back_and_kill, RESTORED_S),
)
