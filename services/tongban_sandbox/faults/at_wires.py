"""Strikes at the wires of the province apart: slow, cut, mute, half-open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound

if TYPE_CHECKING:
    from tongban_sandbox.faults.wire import Wire

DELAY_S = 0.1
BYTES_PER_S = 200_000.0
WIRES = ("to_database", "to_broker", "to_registry")


def _wire(field: Field, name: str) -> Wire:
    """One that carries something. Raises StrikeMissedError."""
    wire: Wire = getattr(field.country, name)
    if not wire.connections:
        raise StrikeMissedError(f"nothing goes {name.replace('_', ' ')} through the wire")
    return wire


async def slow(field: Field, wire: str) -> Wound:
    """Each piece comes a tenth of a second late, for a while."""
    _wire(field, wire).slow(DELAY_S, BYTES_PER_S)
    return await _heal_later(field, wire)


async def cut(field: Field, wire: str) -> Wound:
    """Every connection is reset, old and new, for a while."""
    _wire(field, wire).cut()
    return await _heal_later(field, wire)


async def mute(field: Field, wire: str) -> Wound:
    """Connections stand and open, and nothing comes through for a while."""
    _wire(field, wire).mute()
    return await _heal_later(field, wire)


async def forget(field: Field, wire: str) -> Wound:
    """Half-open: the connections of this moment are dead and neither end is told; new ones are good."""
    _wire(field, wire).forget()
    return Wound(frozenset({field.country.apart}))


async def _heal_later(field: Field, wire: str) -> Wound:
    try:
        await asyncio.sleep(field.hold_s)
    finally:
        getattr(field.country, wire).heal()
    return Wound(frozenset({field.country.apart}))
