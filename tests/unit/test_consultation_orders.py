"""A consultation in any order: messages doubled and late, officers at work, databases put back; it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from msgspec.structs import replace

from tests.unit.test_consultation_rules import AT, HOME, NUMBER, WINDOW, around, body_of
from tongban_shared.cases.consultation import CONSULTATION
from tongban_shared.cases.consultation_data import C
from tongban_shared.cases.kind import LIMIT, Case, Draft, Event, Side, Waits
from tongban_shared.decide import Fate, decide

D, O = Side.DESTINATION, Side.ORIGIN  # noqa: E741
STEPS, CALM_MAX = 25, 60


@dataclass
class Pair:
    """Both sides, every message ever sent, and every state that a side was in."""

    random: Random
    backups: bool
    cases: dict[Side, Case | None] = field(default_factory=lambda: {D: None, O: None})
    past: dict[Side, list[Case | None]] = field(default_factory=lambda: {D: [None], O: [None]})
    sent: dict[Side, list[Draft]] = field(default_factory=lambda: {D: [], O: []})
    hours: int = 0

    def put(self, side: Side, name: str, body: object = None, bundle: bytes | None = None) -> bool:
        """One event at a side, some time later; whether it was taken. No message stays parked."""
        self.hours += self.random.choice((0, 1, 30))
        sender = (WINDOW if side is O else HOME) if bundle is not None else None
        at = AT + timedelta(hours=self.hours)
        event = Event(name, NUMBER, at, 7, body=body, sender=sender, officer="one", bundle=bundle)
        told = decide(self.cases[side], event, CONSULTATION, around(WINDOW if side is D else HOME))
        assert told is not None
        assert sender is None or told.fate in {Fate.TAKEN, Fate.LATE}, (side, told.case.state, name)
        if told.fate is not Fate.TAKEN:
            return False
        self.cases[side] = told.case
        self.past[side].append(told.case)
        if told.draft is not None:
            self.sent[side].append(told.draft)
        return True

    def deliver(self, to: Side, draft: Draft) -> bool:
        """A message arrives, for the first time or once more."""
        assert draft.body is not None
        name = draft.body.name.partition(".")[2]
        return self.put(to, name, draft.body, draft.bundle or b"")

    def people(self) -> bool:
        """Whoever's move it is makes it."""
        window, expert = self.cases[D], self.cases[O]
        if expert is not None and expert.waits is Waits.OFFICER:
            return self.put(O, "decision", body_of("decision"))
        if window is not None and window.state == C.ANSWERED:
            return self.put(D, "advice_read")
        return False

    def random_step(self) -> None:
        """Anything that may happen."""
        side = self.random.choice((D, O))
        other = O if side is D else D
        known = self.cases[side]
        acts: list[Callable[[], object]] = [self.people]
        if known is not None and known.closed_at is None:
            acts.append(lambda: self.put(side, LIMIT))
        if side is D and known is not None:
            acts.append(lambda: self.put(D, "withdraw"))
        if self.sent[other]:
            acts += [lambda: self.deliver(side, self.random.choice(self.sent[other]))] * 3
        if self.backups:
            acts.append(lambda: self.cases.update({side: self.random.choice(self.past[side])}))
        self.random.choice(acts)()

    def calm(self) -> None:
        """Everything that was sent arrives, once more where it did before; then all that is due is done."""
        heard = {D: 0, O: 0}
        for _ in range(CALM_MAX):
            for side, other in ((D, O), (O, D)):
                coming = self.sent[other][heard[side] :]
                heard[side] += len(coming)
                for draft in self.random.sample(coming, len(coming)):
                    self.deliver(side, draft)
            if self.people() or any(heard[side] < len(self.sent[other]) for side, other in ((D, O), (O, D))):
                continue
            waiting = [
                side for side, case in self.cases.items() if case is not None and case.closed_at is None
            ]
            if not waiting:
                return
            self.put(waiting[0], LIMIT)
        raise AssertionError({side: case and case.state for side, case in self.cases.items()})


def told(seed: int, *, backups: bool) -> Pair:
    """A session, whatever happens to it, and the calm after."""
    pair = Pair(Random(seed), backups)
    pair.put(D, "apply", body_of("apply"))
    for _ in range(STEPS):
        pair.random_step()
    pair.calm()
    return pair


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_both_sides_end_alike_in_any_order(start: int) -> None:
    """Without a database put back they say the same in the end, and keep no word."""
    for seed in range(start, start + 100):
        window, expert = told(seed, backups=False).cases.values()
        assert window is not None
        assert expert is not None
        assert window.state == expert.state, f"seed {seed}"
        kept = replace(window.data, accepting_org=""), replace(expert.data, accepting_org="")
        assert {(data.question, data.advice, data.screen) for data in kept} == {("", "", None)}


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_both_sides_end_though_databases_are_put_back(start: int) -> None:
    """Nobody waits for ever, whatever either side has forgotten, and however often (C3, G1)."""
    for seed in range(start, start + 100):
        pair = told(seed, backups=True)
        for case in pair.cases.values():
            assert case is None or case.closed_at is not None, f"seed {seed}"
