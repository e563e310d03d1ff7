"""What must hold in every situation, told from the registers and the ledger alone. Source: protocol.md §1."""

from __future__ import annotations

from tongban_sandbox.model.moves import Move, World
from tongban_sandbox.model.state import FLAGS, OUTBOX, TAKEN, WIRE, Line, State
from tongban_shared.registration import CLAIMING, Person, Registration

TWO, ZERO, STUCK, TWICE = "two", "zero", "stuck", "twice"
FETCHING = frozenset({"RESTORING", "VERIFYING"})
BINDING = frozenset({"certificate", "inquire", "reissue"})
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
    return None if kept or _is_fetched(world, state, newest) or _is_told(world, state, newest) else ZERO


def _is_fetched(world: World, state: State, newest: Line) -> bool:
    """One that was put back knows that it holds the person, and has asked for the record."""
    locals_ = (world.tables.locals.values[number] for number in state.locals)
    holder = next(local for local in locals_ if local.province == newest.holder)
    case = holder.case(newest.case_id)
    return case is not None and case.state in FETCHING


def _is_told(world: World, state: State, newest: Line) -> bool:
    """It has forgotten that it accepted, but the certificate with its acceptance is still on its way."""
    for entry in state.post:
        message = world.tables.messages.values[entry // FLAGS]
        to_holder = (message.receiver, message.case_id) == (newest.holder, newest.case_id)
        if to_holder and message.name in BINDING and entry & (OUTBOX | WIRE) and not entry & TAKEN:
            return world.instance.restores > 0
    return False


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
