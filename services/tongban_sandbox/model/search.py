"""Breadth first through all situations: the first fault met is a shortest one. Then backwards: none stuck."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from tongban_sandbox.model.checks import STUCK, broken, settled
from tongban_sandbox.model.moves import Move, World
from tongban_sandbox.model.rules import Rules
from tongban_sandbox.model.state import Instance, State

PROGRESS_EACH_S = 5.0
LOOK_AT_CLOCK_EACH = 1_024

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of one search. fault: which promise broke, after these moves; None: all hold."""

    states: int
    transitions: int
    seconds: float
    fault: str | None = None
    moves: tuple[Move, ...] = ()


@dataclass(slots=True)
class _Graph:
    """What was met: states by number, how each was first reached, and who leads to whom."""

    states: list[State] = field(default_factory=list)
    numbers: dict[State, int] = field(default_factory=dict)
    reached: list[tuple[int, Move] | None] = field(default_factory=list)
    sources: array[int] = field(default_factory=lambda: array("I"))
    targets: array[int] = field(default_factory=lambda: array("I"))

    def add(self, state: State, how: tuple[int, Move] | None) -> tuple[int, bool]:
        """The state's number, and whether it is new."""
        number = self.numbers.setdefault(state, len(self.states))
        fresh = number == len(self.states)
        if fresh:
            self.states.append(state)
            self.reached.append(how)
        return number, fresh

    def path(self, number: int) -> tuple[Move, ...]:
        """The shortest way to a state."""
        moves: list[Move] = []
        while (how := self.reached[number]) is not None:
            number, move = how
            moves.append(move)
        return tuple(reversed(moves))


def search(instance: Instance, rules: Rules, say: Say | None = None) -> tuple[World, Found]:
    """All situations of the instance under the rules, or those up to the first fault."""
    world = World(instance, rules)
    graph = _Graph()
    began = time.monotonic()
    fault, moves = _explore(world, graph, _ticker(graph, say, began))
    if fault is None:
        at = _stuck(world, graph)
        fault, moves = (None, ()) if at is None else (STUCK, graph.path(at))
    seconds = time.monotonic() - began
    return world, Found(len(graph.states), len(graph.sources), seconds, fault, moves)


def _explore(world: World, graph: _Graph, tick: Callable[[int], None]) -> tuple[str | None, tuple[Move, ...]]:
    graph.add(world.start, None)
    number = 0
    while number < len(graph.states):
        tick(number)
        for move, after in world.moves(graph.states[number]):
            target, fresh = graph.add(after, (number, move))
            graph.sources.append(number)
            graph.targets.append(target)
            if fresh or move.kind == "repeat":
                fault = broken(world, after, move)
                if fault is not None:
                    return fault, (*graph.path(number), move)
        number += 1
    return None, ()


def _stuck(world: World, graph: _Graph) -> int | None:
    """The first state, in the order of the search, from which no settled state can be reached."""
    into: list[list[int]] = [[] for _ in graph.states]
    for source, target in zip(graph.sources, graph.targets, strict=True):
        into[target].append(source)
    good = bytearray(len(graph.states))
    waiting = [number for number, state in enumerate(graph.states) if settled(world, state)]
    for number in waiting:
        good[number] = 1
    while waiting:
        for source in into[waiting.pop()]:
            if not good[source]:
                good[source] = 1
                waiting.append(source)
    return next((number for number, is_good in enumerate(good) if not is_good), None)


def _ticker(graph: _Graph, say: Say | None, began: float) -> Callable[[int], None]:
    said = began

    def tick(number: int) -> None:
        nonlocal said
        if say is None or number % LOOK_AT_CLOCK_EACH:
            return
        now = time.monotonic()
        if now - said >= PROGRESS_EACH_S:
            said = now
            left = len(graph.states) - number
            say(f"{len(graph.states):,} states, {left:,} to look at, {now - began:.0f} s")

    return tick
