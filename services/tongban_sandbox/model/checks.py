"""What must hold in every situation, told from the registers and the ledger alone. Source: protocol.md §1."""

from __future__ import annotations

from tongban_sandbox.model.moves import Move, World
from tongban_sandbox.model.state import State
from tongban_shared.registration import CLAIMING, Person, Registration

TWO, ZERO, STUCK, TWICE = "two", "zero", "stuck", "twice"
KEEPING = frozenset({Registration.PREPARED, Registration.HELD})


def broken(world: World, state: State, move: Move | None) -> str | None:
    """Which promise this situation breaks, or the move that led here; None if none."""
    if move is not None and move.kind == "repeat":
        return TWICE  # only repeats with an effect are moves (M-4)
    return next((fault for key in world.instance.persons() if (fault := _fault(world, state, key))), None)


def _rows(world: World, state: State, key: str) -> dict[str, Person]:
    found = {}
    for number in state.locals:
        local = world.tables.locals.values[number]
        for person in local.people:
            if person.key == key:
                found[local.province] = person
    return found


def _fault(world: World, state: State, key: str) -> str | None:
    rows = _rows(world, state, key)
    claims = [person for person in rows.values() if person.state in CLAIMING]
    if len(claims) > 1:
        return TWO
    if claims:
        return None
    lines = world.tables.ledgers.values[state.ledger]
    newest = max((line for line in lines if line.person == key), key=lambda line: line.epoch)
    named = rows.get(newest.holder)
    kept = named is not None and named.state in KEEPING and named.epoch == newest.epoch
    return None if kept else ZERO


def settled(world: World, state: State) -> bool:
    """Nothing is open, and the one province that holds each person is the ledger's."""
    locals_ = [world.tables.locals.values[number] for number in state.locals]
    if any(case.state not in world.rules.kind.terminal for local in locals_ for case in local.cases):
        return False
    lines = world.tables.ledgers.values[state.ledger]
    newest = {line.person: line for line in lines}
    for key in world.instance.persons():
        rows = _rows(world, state, key)
        held = [code for code, person in rows.items() if person.state is Registration.HELD]
        if held != [newest[key].holder]:
            return False
    return True
