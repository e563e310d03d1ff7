"""What callers outside were told, and what may never be among it. Source: protocol.md §4, guards.md §2.5.

Never two provinces at one epoch; never an earlier epoch after a later one; never nobody. Each answer has a
beginning and an end: two that overlap may come in either order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tongban_sandbox.simulation.watch import BrokenPromiseError

if TYPE_CHECKING:
    from collections.abc import Callable

LEDGER = "ledger"


class Reply(NamedTuple):
    """What a caller outside got. status 0: nothing."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


NOTHING = Reply(0, None)


class Told(NamedTuple):
    """One answer. source: registry, or the ledger alone."""

    province: str
    epoch: int
    state: str
    source: str


class History:
    """All answers, person by person."""

    def __init__(self, broken: Callable[[BrokenPromiseError], None]) -> None:
        self.answers = 0
        self._broken = broken
        self._named: dict[tuple[str, int], str] = {}
        # By person and source: the highest epoch told so far, by the time at which it was told.
        self._highest: dict[tuple[str, str], list[tuple[float, int]]] = {}

    def told(self, key: str, began_s: float, ended_s: float, answer: Told) -> None:
        """An answer that named a province."""
        self.answers += 1
        named = self._named.setdefault((key, answer.epoch), answer.province)
        if named != answer.province:
            what = f"outside, {named} and {answer.province} were both named at epoch {answer.epoch}"
            self._broken(BrokenPromiseError(what, key))
        # The ledger is ahead while a hand-over is under way; only like is compared with like.
        told = self._highest.setdefault((key, answer.source), [])
        before = max((epoch for at_s, epoch in told if at_s < began_s), default=-1)
        if answer.epoch < before:
            what = f"outside, epoch {answer.epoch} was told after epoch {before}"
            self._broken(BrokenPromiseError(what, key))
        if not told or answer.epoch > max(epoch for _, epoch in told):
            told.append((ended_s, answer.epoch))

    def nobody(self, key: str) -> None:
        """An answer that the person is registered nowhere; everybody in this country is."""
        self._broken(BrokenPromiseError("outside, a person was said to be registered nowhere", key))
