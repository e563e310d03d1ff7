"""Officers: of what is committed they see what waits for them, and decide and report sooner or later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tongban_sandbox.simulation.papers import (
    WANTED,
    is_certified,
    is_on_desk,
    is_owed,
    report_of,
    service_of,
)

if TYPE_CHECKING:
    from tongban_sandbox.simulation.callers import Callers
    from tongban_sandbox.simulation.country import Country
    from tongban_sandbox.simulation.sqlite import Change

APPROVE, APPROVE_OR_REFUSE, BRING = 0.8, 0.9, 0.9


class Officers:
    """At desks and windows of all provinces; they call as everybody does."""

    def __init__(self, country: Country, callers: Callers) -> None:
        self._country = country
        self._callers = callers
        self._random = country.chance.source("officers")
        self._on_desk: set[tuple[str, str]] = set()
        self._serial = 0

    def saw(self, province: str, changes: Sequence[Change]) -> None:
        """What was committed: whose turn it is now."""
        for table, row in changes:
            if table == "cases":
                self._turn(province, *row[:3])

    def look_round(self) -> None:
        """After a storm: what a database that was put back has brought back waits again."""
        for province, cases in self._country.watch.cases.items():
            for number, known in cases.items():
                self._turn(province, number, known.side, known.state)

    def _turn(self, province: str, number: str, side: str, state: str) -> None:
        if is_certified(number, state):
            self._callers.acknowledged.certified.setdefault(number, self._country.time.now_s())
        if is_on_desk(number, side, state):
            self._put_on_desk(province, number)
        elif is_owed(number, side, state):
            self._callers.begin(self._bring(province, number))
        elif report_of(number, side, state) is not None:
            self._callers.begin(self._report(province, number))

    def _put_on_desk(self, province: str, case_id: str) -> None:
        if (province, case_id) not in self._on_desk:
            self._on_desk.add((province, case_id))
            self._callers.begin(self._decide(province, case_id))

    async def _act(self, province: str, case_id: str, what: str, body: dict[str, Any]) -> None:
        self._serial += 1
        path = f"/v1/cases/{case_id}/{what}?province={province}"
        await self._callers.insist("POST", path, body, f"{what}-{self._serial}")

    async def _decide(self, province: str, case_id: str) -> None:
        try:
            while self._waits(province, case_id):
                await self._callers.think()
                body: dict[str, Any] = {"outcome": self._outcome(), "officer": "officer-1"}
                if body["outcome"] == "refuse":
                    body["reason_code"] = "NOT_ELIGIBLE"
                if body["outcome"] == "return" and service_of(case_id) in WANTED:
                    body["materials"] = WANTED[service_of(case_id)]
                await self._act(province, case_id, "decision", body)
        finally:
            self._on_desk.discard((province, case_id))

    async def _bring(self, province: str, case_id: str) -> None:
        """What an officer asked for is brought, mostly."""
        await self._callers.think()
        if self._random.random() < BRING or self._callers.calm:
            given = [{"kind": kind, "grade": "A"} for kind in WANTED[service_of(case_id)]]
            await self._act(province, case_id, "materials", {"materials": given})

    async def _report(self, province: str, case_id: str) -> None:
        """A window tells what it has done: made, handed over, printed; mostly in time."""
        await self._callers.think()
        case = self._country.watch.cases[province].get(case_id)
        step = None if case is None else report_of(case_id, case.side, case.state)
        if step is not None:
            await self._act(province, case_id, "progress", {"step": step})

    def _waits(self, province: str, case_id: str) -> bool:
        case = self._country.watch.cases[province].get(case_id)
        return case is not None and is_on_desk(case_id, case.side, case.state)

    def _outcome(self) -> str:
        drawn = self._random.random()
        if self._callers.calm or drawn < APPROVE:
            return "approve"
        return "refuse" if drawn < APPROVE_OR_REFUSE else "return"
