"""The checkers alone: each finds what it is there to find."""

from __future__ import annotations

import pytest

from tongban_sandbox.simulation.outside import History, Told
from tongban_sandbox.simulation.sqlite import Change
from tongban_sandbox.simulation.watch import BrokenPromiseError, Watch
from tongban_shared.custody import Entry
from tongban_shared.ids import Province

KEY = "k"
HOME, NEAR, FAR = "32", "33", "44"


class Seen:
    """A watch over one person, who is held by HOME, and what it finds."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.watch = Watch(self._broken)
        self.watch.load(HOME, [(KEY, 0, "HELD", None, "h", 0)], [])
        for code in (NEAR, FAR):
            self.watch.load(code, [], [])
        self.enter(0, HOME)

    def _broken(self, error: BrokenPromiseError) -> None:
        self.found.append(error.what.partition(":")[0])

    def row(self, province: str, epoch: int, state: str) -> None:
        """A province commits a row."""
        self.watch.committed(province, [Change("person", (KEY, epoch, state, None, "h", 0))])

    def enter(self, epoch: int, holder: str) -> None:
        """The ledger enters a line."""
        self.watch.entered([Entry(KEY, epoch, Province(holder), "", "case")])


def test_a_move_in_order_is_no_fault() -> None:
    """Frozen, prepared, entered, released, held, confirmed."""
    seen = Seen()
    seen.row(HOME, 0, "FROZEN")
    seen.row(NEAR, 1, "PREPARED")
    seen.enter(1, NEAR)
    seen.row(HOME, 0, "RELEASED")
    seen.row(NEAR, 1, "HELD")
    seen.row(HOME, 0, "CONFIRMED")
    assert seen.found == []
    assert seen.watch.at_rest(KEY) is None


def test_two_holders_are_found() -> None:
    """The destination holds before the origin has released."""
    seen = Seen()
    seen.row(NEAR, 1, "HELD")
    assert seen.found == ["two provinces hold one person"]


def test_nobody_is_found() -> None:
    """The origin releases to one that never accepted."""
    seen = Seen()
    seen.row(HOME, 0, "RELEASED")
    assert seen.found == ["nobody holds a person"]


def test_a_hand_over_without_acceptance_is_found() -> None:
    """At the ledger's entry already, while the origin still holds."""
    seen = Seen()
    seen.row(HOME, 0, "FROZEN")
    seen.enter(1, NEAR)
    assert seen.found == ["a person is handed over to a province that has not accepted"]


def test_a_holder_against_the_ledger_is_found() -> None:
    """The ledger names another one."""
    seen = Seen()
    seen.row(NEAR, 1, "PREPARED")
    seen.enter(1, NEAR)
    assert seen.found == ["a province holds a person against the ledger"]


def test_a_province_that_was_put_back_is_silent_until_its_gate_is_open() -> None:
    """Its old rows count again from then on, and are found if they are wrong."""
    seen = Seen()
    seen.row(HOME, 0, "FROZEN")
    seen.row(NEAR, 1, "PREPARED")
    seen.enter(1, NEAR)
    seen.row(HOME, 0, "RELEASED")
    seen.watch.put_back(HOME)
    seen.watch.load(HOME, [(KEY, 0, "HELD", None, "h", 0)], [])
    seen.row(NEAR, 1, "HELD")
    assert seen.found == []
    seen.watch.speaks(HOME)
    assert seen.found == ["two provinces hold one person"]


def test_what_was_accepted_is_owed_after_a_restore() -> None:
    """Bound by its acceptance, though it has forgotten it (I4); what it never accepted it does not owe."""
    seen = Seen()
    seen.row(HOME, 0, "FROZEN")
    seen.row(NEAR, 1, "PREPARED")
    seen.watch.put_back(NEAR)
    seen.watch.load(NEAR, [], [])
    seen.watch.speaks(NEAR)
    seen.enter(1, NEAR)
    seen.row(HOME, 0, "RELEASED")
    assert seen.found == []
    seen.enter(2, FAR)
    seen.watch.look(KEY)
    assert set(seen.found) == {"nobody holds a person"}


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (Told(FAR, 1, "REGISTERED", "registry"), "outside, 33 and 44 were both named at epoch 1"),
        (Told(HOME, 0, "REGISTERED", "registry"), "outside, epoch 0 was told after epoch 1"),
    ],
)
def test_a_wrong_answer_outside_is_found(second: Told, what: str) -> None:
    """Two provinces at one epoch; an epoch that goes back."""
    found: list[str] = []
    history = History(lambda error: found.append(error.what))
    history.told(KEY, 1.0, 2.0, Told(NEAR, 1, "REGISTERED", "registry"))
    history.told(KEY, 3.0, 4.0, second)
    assert found == [what]


def test_answers_that_overlap_may_come_in_either_order() -> None:
    """Who asked earlier may hear later."""
    found: list[str] = []
    history = History(lambda error: found.append(error.what))
    history.told(KEY, 2.0, 3.0, Told(NEAR, 1, "REGISTERED", "registry"))
    history.told(KEY, 1.0, 4.0, Told(HOME, 0, "REGISTERED", "registry"))
    assert found == []
