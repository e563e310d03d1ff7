"""Strikes at programs: killed, killed at the worst moment, frozen. Each returns what it concerns."""

from __future__ import annotations

import asyncio
import time

from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound
from tongban_sandbox.faults.programs import Program
from tongban_shared.fault_points import VARIABLE

PROGRAM_OF = {"ledger": "ledger", "gateway": "gateway"}
"""Which program passes a fault point, by the first part of its name; all others are the registry's."""

PASSES_MAX = 12
MISSED_LIMIT_S = 40.0


def wound_of(field: Field, program: Program, healed_s: float) -> Wound:
    """What a program's fault concerns: its province, its callers, or everybody."""
    country = field.country
    if program.kind == "gateway":
        return Wound(gateway=country.gateways.index(program), healed_s=healed_s)
    if program.kind == "registry":
        return Wound(frozenset({program.name.partition("-")[2]}), healed_s=healed_s)
    return Wound(healed_s=healed_s)


def one_of(field: Field, kind: str) -> Program:
    """Some program of a kind."""
    return field.random.choice([one for one in field.country.programs.values() if one.kind == kind])


async def kill(field: Field, kind: str) -> Wound:
    """SIGKILL at a moment of chance; the supervisor's new start is part of the recovery."""
    program = one_of(field, kind)
    await asyncio.sleep(field.random.uniform(0.0, 1.0))
    struck_s = time.monotonic()
    program.kill()
    return wound_of(field, program, struck_s)


async def kill_at(field: Field, point: str) -> Wound:
    """SIGKILL by its own hand at one of its first passes of a fault point. Raises StrikeMissedError."""
    program = one_of(field, PROGRAM_OF.get(point.partition(".")[0], "registry"))
    program.kill({VARIABLE: f"{point}:{field.random.randint(1, PASSES_MAX)}"})
    await program.died(MISSED_LIMIT_S)
    program.expect_end()
    try:
        end = await program.died(MISSED_LIMIT_S)
    except TimeoutError as error:
        raise StrikeMissedError(
            f"{program.name} did not pass {point} within {MISSED_LIMIT_S:.0f} s"
        ) from error
    return wound_of(field, program, end.at_s)


async def freeze(field: Field, kind: str) -> Wound:
    """SIGSTOP for a while: it holds every connection and answers nothing."""
    program = one_of(field, kind)
    program.freeze()
    await asyncio.sleep(field.hold_s)
    program.thaw()
    return wound_of(field, program, time.monotonic())
