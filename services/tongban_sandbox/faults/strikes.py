"""Strikes at processes: killed, killed at the worst moment, frozen. Each returns what it concerns."""

from __future__ import annotations

import asyncio
import time

from tongban_sandbox.faults.field import Field, Wound
from tongban_sandbox.faults.programs import Program


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
