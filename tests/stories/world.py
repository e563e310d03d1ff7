"""A country of real registries in one process, on files, with wire and clock in the hands of the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httpx

from tests.stories.folk import Folk, Resident
from tests.stories.processes import Processes
from tongban_registry.commands import Command
from tongban_shared.cases.kind import Case
from tongban_shared.ids import CaseId
from tongban_shared.keys import load_secrets
from tongban_shared.ports import Position

PATIENCE_S = 15.0
LOOK_AGAIN_S = 0.5
BREATH_S = 0.001
SLEEPERS_EACH = 2  # timers and relay: both sleep when there is nothing to do


class Country(Processes):
    """N provinces. `close` must be awaited at the end."""

    # --- people and their acts

    def person(self, code: str) -> Resident:
        """An adult who lives alone."""
        return next(self.sites[code].folk.singles())

    def stranger(self) -> Resident:
        """Somebody of a province that is not in this country."""
        return next(Folk("61", 40, load_secrets(self.keys).person).singles())

    def family(self, code: str, adults: int, minors: int = 0) -> list[Resident]:
        """A family of so many."""
        return self.sites[code].folk.family(adults, minors)

    async def ask(self, code: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """POST to a province's door, or GET without a body."""
        door = self.sites[code].door
        assert door is not None, f"province {code} is not running"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with asyncio.timeout(PATIENCE_S):
            if body is None:
                return await door.get(path, headers=named)
            return await door.post(path, json=body, headers=named)

    def application(self, person: Resident, to: str, **details: Any) -> dict[str, Any]:  # noqa: ANN401
        """The body of an application. details: members, item, grade, home, without (kinds left out)."""
        code = details.get("item", "0101")
        site = self.sites[to]
        item = site.live.office.catalogue.item(code)
        without = details.get("without", ())
        destination = {"province": to, "org_code": site.live.office.org, "address": "示例路1号"}
        if "home" in details:
            destination["household_no"] = details["home"]
        return {
            "item": code,
            "applicant": person.identity,
            "members": [member.identity for member in details.get("members", ())],
            "destination": destination,
            "materials": [
                {"kind": material.kind, "grade": details.get("grade", "A")}
                for material in item.materials
                if material.kind not in without
            ],
        }

    async def apply(self, person: Resident, to: str, **details: Any) -> CaseId:  # noqa: ANN401
        """Apply at the destination; the case's number."""
        async with asyncio.timeout(details.get("patience_s", PATIENCE_S)):
            answer = await self.ask(to, "/v1/cases", self.application(person, to, **details))
        assert answer.status_code == 202, answer.text
        return CaseId(answer.json()["case_id"])

    async def act(self, code: str, case_id: str, what: str, body: object = None) -> httpx.Response:
        """withdrawal, materials or decision of a case."""
        return await self.ask(code, f"/v1/cases/{case_id}/{what}", body if body is not None else {})

    async def hold(self, person: Resident, kind: str, at: str | None = None) -> httpx.Response:
        """HOLD, LIFT_HOLD or DEATH at the home registry."""
        body = {**person.identity, "kind": kind, "legal_basis": "示例裁定"}
        return await self.ask(at or person.province, "/v1/registrations/holds", body)

    async def lookup(self, person: Resident, at: str) -> httpx.Response:
        """The question of protocol.md §4."""
        return await self.ask(at, "/v1/registrations/lookup", {**person.identity, "purpose": "BANK"})

    # --- looking

    async def case(self, code: str, case_id: str) -> Case:
        """A case as one side knows it."""
        found = await self.sites[code].live.store.case(case_id)
        assert found is not None, f"province {code} does not know the case"
        return found[0]

    def state(self, code: str, case_id: str) -> str | None:
        """Its state there, None when not known."""
        rows = self.registers.rows(code, "SELECT state FROM cases WHERE id = ?", case_id)
        return str(rows[0][0]) if rows else None

    def timeline(self, code: str, case_id: str) -> list[str]:
        """Its states there, one after another."""
        query = "SELECT state FROM timeline WHERE case_id = ? ORDER BY n"
        return [str(row[0]) for row in self.registers.rows(code, query, case_id)]

    async def wait(self, met: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; it is looked at after every commit in the country."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not met():
                    self._all_alive()
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), LOOK_AGAIN_S)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    async def news(self) -> None:
        """Wait until somebody commits something."""
        self._news.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self._news.wait()

    async def until(self, code: str, case_id: str, *states: str) -> None:
        """Wait until the case is in one of these states there."""
        try:
            await self.wait(lambda: self.state(code, case_id) in states, f"{states} at {code}")
        except AssertionError:
            raise AssertionError(f"{self.timeline(code, case_id)} at {code}, never {states}") from None

    async def move(self, person: Resident, to: str, **details: Any) -> CaseId:  # noqa: ANN401
        """A whole migration, to its end on both sides."""
        (origin,) = self.registers.claims(person.key)
        case_id = await self.apply(person, to, **details)
        await self.until(to, case_id, "COMPLETED")
        await self.until(origin, case_id, "CONFIRMED")
        return case_id

    async def calm(self) -> None:
        """Wait until nobody has anything left to do before the clock moves on."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                quiet = 0
                while quiet < 2:
                    while not self._at_rest():
                        self._all_alive()
                        await asyncio.sleep(BREATH_S)
                    before = self._pulse()
                    for registry in self.working():
                        await registry.hall.ask(Command("pass"))
                    quiet = quiet + 1 if self._at_rest() and before == self._pulse() else 0
        except TimeoutError:
            raise AssertionError("the country does not come to rest") from None

    def _all_alive(self) -> None:
        """Nobody's worker may have stopped."""
        for registry in self.running():
            for task in registry._tasks:
                error = task.exception() if task.done() and not task.cancelled() else None
                assert error is None, f"a worker of province {registry.office.province} died: {error!r}"

    def _pulse(self) -> tuple[int, ...]:
        stamps = (registry.hall.counters.stamp for registry in self.working())
        return (len(self.wire.sent), *stamps)

    def _at_rest(self) -> bool:
        working = self.working()
        if self.wire.pool or self.clock.sleeping < SLEEPERS_EACH * len(working):
            return False
        if len(working) < len(self.running()) and not self.ledger.down:
            return False  # at their gate, where nothing but the ledger keeps them
        for registry in working:
            if registry.hall.waiting or not self._read_all(registry.office.province):
                return False
        return True

    def _read_all(self, code: str) -> bool:
        """Whether what lies in the broker for a province has been taken, as its own database says."""
        rows = self.registers.rows(code, "SELECT family, log_id, next FROM positions")
        at = {family: Position(log_id, number) for family, log_id, number in rows}
        for (to, family), ends in self.wire.ends().items():
            if to == code and ends and at.get(family.value) != Position(self.wire.inner.log_id, ends):
                return False
        return True

    async def pass_time(self, *, days: float = 0, hours: float = 0, step_hours: float = 0) -> None:
        """Let time pass, in one leap or in steps, and everybody do what is due."""
        left = days * 24 + hours
        while left > 0:
            leap = min(left, step_hours or left)
            self.clock.advance(leap)
            await self.calm()
            left -= leap

    async def resend(self) -> None:
        """Let pass as much time as makes everything without receipt go out again."""
        await self.pass_time(hours=0.2, step_hours=0.1)
