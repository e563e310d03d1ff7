"""The product's own steps, in every order that the wire allows: never two, never zero, none stuck."""

from __future__ import annotations

import pytest

from tongban_sandbox.model.command import story
from tongban_sandbox.model.instances import CHASE, MOVE, PUT_BACK, RACE, RETURN
from tongban_sandbox.model.mutants import MUTANTS, Mutant
from tongban_sandbox.model.rules import PRODUCT
from tongban_sandbox.model.search import search
from tongban_sandbox.model.state import Instance


def test_one_move_never_loses_never_doubles_never_sticks() -> None:
    """Two provinces, one person, one move, one withdrawal, two limits, one wipe."""
    _, found = search(MOVE, PRODUCT)
    assert found.fault is None
    assert found.states > 500


@pytest.mark.parametrize("instance", [RETURN, RACE, CHASE], ids=lambda one: one.name)
def test_several_moves_of_one_person_hold_too(instance: Instance) -> None:
    """Back while the first move is not settled; two destinations at once; a third asks meanwhile."""
    world, found = search(instance, PRODUCT)
    assert found.fault is None, "\n".join(story(world, found.moves))


def test_a_database_put_back_loses_nobody_and_doubles_nobody() -> None:
    """Copied at any moment, put back at any later one: the gate leaves one home, and everything ends."""
    world, found = search(PUT_BACK, PRODUCT)
    assert found.fault is None, "\n".join(story(world, found.moves))
    assert found.states > 1_000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_found(mutant: Mutant) -> None:
    """A search that finds nothing wrong with a wrong protocol would be no proof of a right one."""
    world, found = search(mutant.instance, mutant.rules)
    assert found.fault == mutant.fault
    assert len(story(world, found.moves)) == len(found.moves) > 0
