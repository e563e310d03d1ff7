"""Watches the commits of a registry under measurement: notes ends, acts for windows and officers at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tongban_registry.closing import Closing
from tongban_registry.commands import Command
from tongban_sandbox.plays import CARD, MIGRATION, PLAYS
from tongban_shared.cases.common import Decision
from tongban_shared.cases.kind import Side

if TYPE_CHECKING:
    from tongban_registry.registry import Registry
    from tongban_shared.cases.kind import Case

OFFICER = "BENCH"
ON_DESK = "CHECKING"
MADE = "made"


class Watch(Closing):
    """Notes when each case ended here, both sides of it. post: gives a command nobody waits for."""

    def __init__(self, prefix: str, post: Callable[[Command], None]) -> None:
        super().__init__()
        self.ended_at: dict[str, float] = {}
        self.when_ended: dict[str, Callable[[float], None]] = {}
        self._prefix = prefix
        self._post = post
        self._held_back: dict[str, asyncio.Future[None]] = {}

    @classmethod
    def over(cls, registry: Registry) -> Watch:
        """Put a watch in the place of a registry's own."""
        watch = cls(registry.office.province, registry.hall.post)
        registry.hall.closing = watch
        return watch

    def hold_back(self, person: str) -> asyncio.Future[None]:
        """The next card of this person is not reported as made; done when it is approved."""
        approved = asyncio.get_running_loop().create_future()
        self._held_back[person] = approved
        return approved

    def end_of(self, case_id: str) -> asyncio.Future[float]:
        """When a case that was accepted here ended, by the monotonic clock; perhaps it has already."""
        ended = asyncio.get_running_loop().create_future()
        known_s = self.ended_at.get(case_id)
        if known_s is None:
            self.when_ended[case_id] = ended.set_result
        else:
            ended.set_result(known_s)
        return ended

    def committed(self, cases: Iterable[Case]) -> None:
        """Called after the commit: windows and officers do what is theirs."""
        changed = tuple(cases)
        super().committed(changed)
        for case in changed:
            if case.kind != MIGRATION and case.closed_at is None:
                self._act(case)

    def _act(self, case: Case) -> None:
        report = PLAYS[case.kind].reports.get(case.state) if case.side is Side.DESTINATION else None
        if report == MADE and case.kind == CARD and case.persons[0] in self._held_back:
            self._held_back.pop(case.persons[0]).set_result(None)
        elif report is not None:
            self._post(Command(report, case_id=case.id, officer=OFFICER))
        elif case.state == ON_DESK:
            self._post(Command("decision", Decision("approve"), case.id, OFFICER))

    def closed(self, case_ids: Iterable[str]) -> None:
        """Called after the commit."""
        listed = tuple(case_ids)
        super().closed(listed)
        now_s = time.monotonic()
        for case_id in listed:
            if case_id.startswith(self._prefix):
                self.ended_at[case_id] = now_s
                told = self.when_ended.pop(case_id, None)
                if told is not None:
                    told(now_s)
