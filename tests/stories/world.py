"""A country of real registries in one process, on files, with wire and clock in the hands of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.stories.clock import StoryClock
from tests.stories.folk import Folk, Resident
from tests.stories.registers import Registers
from tests.stories.wire import Wire, WireEnd
from tongban_registry.commands import Command
from tongban_registry.inbox import Committed
from tongban_registry.registry import Registry, Surrounds
from tongban_shared.cases.kind import Case
from tongban_shared.ids import CaseId, Province
from tongban_shared.keys import generate_keys, load_secrets
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ports import Position
from tongban_shared.provinces import ProvinceProfile, load_provinces

PATIENCE_S = 15.0
CODES = ("32", "33", "44", "51", "11")
SLEEPERS_EACH = 2  # timers and relay: both sleep when there is nothing to do


@dataclass(slots=True)
class Site:
    """One province's process, and what stays when it dies: file, people, end of the wire."""

    code: str
    database: Path
    end: WireEnd
    folk: Folk
    registry: Registry | None = None
    door: httpx.AsyncClient | None = None
    died: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def live(self) -> Registry:
        """The registry, which must be running."""
        assert self.registry is not None, f"province {self.code} is not running"
        return self.registry


@cache
def _profiles() -> Mapping[Province, ProvinceProfile]:
    return load_provinces()


class Country:
    """N provinces. `close` must be awaited at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.clock = StoryClock()
        self.wire = Wire()
        self.ledger = MemoryLedger()
        self.sites: dict[str, Site] = {}
        self.registers = Registers()
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, folder: Path, *, provinces: int = 3, people: int = 120) -> Country:
        """Keys, people, registries; all running. A folder that was opened before goes on as it is."""
        country = cls(folder)
        codes = CODES[:provinces]
        generate_keys(country.keys, [*codes, "ledger"])
        secret = load_secrets(country.keys).person
        for code in codes:
            site = Site(code, folder / f"{code}.db", country.wire.end_of(code), Folk(code, people, secret))
            country.sites[code] = site
            fresh = not site.database.exists()
            await country._open(site)
            if fresh:
                await site.live.store.seed(site.folk.households, site.folk.persons)
            await country.ledger.register_first([(p.key, site.live.office.province) for p in site.folk.persons])
            country.registers.add(code, site.database)
            await country.start(code)
        return country

    # --- processes

    async def _open(self, site: Site) -> None:
        around = Surrounds(site.end, self.ledger, self.clock, self.keys)
        site.registry = await Registry.open(_profiles()[Province(site.code)], f"sqlite:///{site.database}", around)
        leave = site.registry.hall.after_commit
        assert leave is not None

        async def told(committed: Committed) -> None:
            await leave(committed)
            self._news.set()

        site.registry.hall.after_commit = told

    async def start(self, code: str) -> None:
        """Start a province's process on its files."""
        site = self.sites[code]
        site.end.dead = False
        site.died.clear()
        if site.registry is None:
            await self._open(site)
        transport = httpx.ASGITransport(site.live.app())
        site.door = httpx.AsyncClient(transport=transport, base_url="http://registry")
        await site.live.start()

    async def stop(self, code: str) -> None:
        """End a province's process in good order."""
        site = self.sites[code]
        registry, site.registry = site.live, None
        await registry.stop()
        await self._close_door(site)

    async def crash(self, code: str) -> None:
        """Kill a province's process wherever it is; nothing of it leaves any more."""
        site = self.sites[code]
        site.end.dead = True
        registry, site.registry = site.live, None
        await registry.kill()
        await self._close_door(site)

    async def lights_out(self) -> None:
        """Every process dies at once, and the broker loses all it had."""
        for site in self.sites.values():
            site.end.dead = True
        await asyncio.gather(*(self.crash(code) for code in self.sites))
        self.wire.wipe()

    async def lights_on(self) -> None:
        """All start again on their files."""
        for code in self.sites:
            await self.start(code)

    async def _close_door(self, site: Site) -> None:
        if site.door is not None:
            await site.door.aclose()
        site.door = None

    async def close(self) -> None:
        """End everything."""
        await self.wire.close()
        for site in self.sites.values():
            if site.registry is not None:
                await self.crash(site.code)
        self.registers.close()

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
                    self._news.clear()
                    await self._news.wait()
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

    def running(self) -> Sequence[Registry]:
        """All registries that run."""
        return [site.registry for site in self.sites.values() if site.registry is not None]

    async def calm(self) -> None:
        """Wait until nobody has anything left to do before the clock moves on."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                quiet = 0
                while quiet < 2:
                    while not self._at_rest():
                        await asyncio.sleep(0.001)
                    before = self._pulse()
                    for registry in self.running():
                        await registry.hall.ask(Command("pass"))
                    quiet = quiet + 1 if self._at_rest() and before == self._pulse() else 0
        except TimeoutError:
            raise AssertionError("the country does not come to rest") from None

    def _pulse(self) -> tuple[int, ...]:
        stamps = (registry.hall.counters.stamp for registry in self.running())
        return (len(self.wire.sent), *stamps)

    def _at_rest(self) -> bool:
        if self.wire.pool or self.clock.sleeping < SLEEPERS_EACH * len(self.running()):
            return False
        for registry in self.running():
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
