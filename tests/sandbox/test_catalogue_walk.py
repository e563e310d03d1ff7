"""Whatever stands in the catalogue can be applied for in the sandbox, and ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tongban_sandbox.api import InProcess, Reply
from tongban_sandbox.plays import PLAYS
from tongban_sandbox.residents import Resident, residents_of
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.world import World
from tongban_shared.ids import OrgCode, Province
from tongban_shared.provinces import load_provinces

HOME, AWAY = Province("32"), Province("44")
LIMIT_S, PAUSE_S = 60.0, 0.02
ENDED = frozenset({"COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"})
TODAY = date(2026, 1, 1)
GROWN = 30
# A value for each field that an item may set, and what a window reports next.
VALUES = {
    "marital_code": "20",
    "education_code": "20",
    "occupation": "教师",
    "service_place": "示例学校",
    "name": "示例名",
}
REPORTS = {state: step for play in PLAYS.values() for state, step in play.reports.items()}
REPORTS |= {"ANSWERED": "advice_read"}
HEAD, SPLIT = "NEW_HEAD", "NEW_HOUSEHOLD"
WITH_OTHERS = frozenset({"KINSHIP", HEAD, SPLIT})
ENDED_FIRST = {"0115": "0622", "0623": "0622", "0202": "0624", "0603": "0624"}
"""A registration comes back, or is certified to have ended, only after it has: the item that ends it."""
CARD_FIRST = {"0401": "0301", "0701": "0301"}
"""A temporary card needs an open case of an identity card; an expert is asked about one."""


class Walk:
    """Somebody who applies for everything, each time for somebody else, and the officers who decide on it."""

    def __init__(self, world: World, people: list[list[Resident]]) -> None:
        self._api = InProcess(world.gateway)
        self._world = world
        self._people = people
        self._serial = 0

    async def items(self) -> list[dict[str, Any]]:
        """GET /v1/items."""
        found: list[dict[str, Any]] = (await self._call("GET", "/v1/items")).body["items"]
        return found

    async def walk(self, item: dict[str, Any]) -> dict[str, Any]:
        """Apply for it; the case at its end."""
        # Larger families come first; one person is enough for most.
        family = self._people.pop(0 if needs_others(item) else -1)
        if item["code"] in ENDED_FIRST:
            await self._to_its_end(await self._apply(await self._item(ENDED_FIRST[item["code"]]), family))
        about = ""
        if item["code"] in CARD_FIRST:
            about = await self._apply(await self._item(CARD_FIRST[item["code"]]), family)
        return await self._to_its_end(await self._apply(item, family, about))

    async def _item(self, code: str) -> dict[str, Any]:
        return next(item for item in await self.items() if item["code"] == code)

    async def _apply(self, item: dict[str, Any], family: list[Resident], about: str = "") -> str:
        body = body_for(item, family)
        if item["case_type"] == "consultation":
            body["details"] = {"about": about, "question": "示例问题"}
        reply = await self._call("POST", "/v1/cases", body)
        assert reply.status == 202, (item["code"], reply.status, reply.body)
        return str(reply.body["case_id"])

    async def _to_its_end(self, case_id: str) -> dict[str, Any]:
        """Whoever's move it is makes it: officers approve, windows report."""
        until = time.monotonic() + LIMIT_S
        view: dict[str, Any] = {}
        while time.monotonic() < until:
            view = (await self._call("GET", f"/v1/cases/{case_id}")).body
            if view["state"] in ENDED:
                return view
            for province in {view["accepting_province"], view["origin_province"]} - {None}:
                await self._act(case_id, province)
            self._world.advance(0.005)
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"{view['item']} has not ended: {view['state']}, {view['waiting_for']}")

    async def _act(self, case_id: str, province: str) -> None:
        path, query = f"/v1/cases/{case_id}", f"?province={province}"
        reply = await self._call("GET", path + query)
        if reply.status != 200 or reply.body["waiting_for"] is None:
            return
        step = reply.body["timeline"][-1]["state"]
        if step in REPORTS and reply.body["side"] == "destination":
            await self._call("POST", f"{path}/progress{query}", {"step": REPORTS[step]})
        elif reply.body["waiting_for"]["owner"] == "officer":
            await self._call("POST", f"{path}/decision{query}", {"outcome": "approve", "officer": "two"})

    async def _call(self, method: str, path: str, body: object = None) -> Reply:
        self._serial += 1
        return await self._api.call(method, path, body, key=f"walk-{self._serial}")


def needs_others(item: dict[str, Any]) -> bool:
    """Whether one person alone can't apply for it."""
    return item["variant"] in WITH_OTHERS or item["case_type"] == "newborn"


def birth_of(family: list[Resident]) -> dict[str, Any]:
    """Head and spouse have had a child; the head's booklet takes it."""
    head, spouse = family[:2]
    return {
        "follows": "FATHER" if head.sex == "1" else "MOTHER",
        "married": True,
        "birthplace": AWAY,
        "other_parent": spouse.as_person(),
        "children": [
            {
                "birth_certificate_no": "N100000001",
                "name": "示例新",
                "sex": "2",
                "birth_date": (date.today() - timedelta(days=20)).isoformat(),  # noqa: DTZ011  # any recent day
            }
        ],
    }


def body_for(item: dict[str, Any], family: list[Resident]) -> dict[str, Any]:
    """An application with everything that the item asks for."""
    abroad = item["scope"] == "cross_province"
    window = load_provinces()[AWAY if abroad else HOME]
    does = item.get("does") or {}
    if item["variant"] in {HEAD, SPLIT}:  # not the head, who is it already and does not split off
        family = family[1::-1]
    members = family[1:2] if item["variant"] in WITH_OTHERS - {SPLIT} else []
    details: dict[str, Any] = {}
    if item["case_type"] == "newborn":
        details = birth_of(family)
    if item["case_type"] == "temporary_id":
        details = {"match_percent": 97}
    if does.get("effect") == "NEW_HEAD":
        details = {"relations": ["97" for _ in members]}
    if does.get("fields"):
        details = {"changes": {name: VALUES[name] for name in does["fields"]}}
    body = {
        "item": item["code"],
        "accepting_org": window.stations[0].code,
        "officer": "one",
        "applicant": family[0].as_person(),
        "members": [member.as_person() for member in members],
        "details": details,
        "materials": [{"kind": material["kind"], "grade": "A"} for material in item["materials"]],
        "purpose": "SCHOOL",
    }
    if item["case_type"] == "migration" or does.get("effect") in {"MOVE_WITHIN", "NEW_HOUSEHOLD"}:
        station = window.stations[0].code
        if does.get("effect") == SPLIT:  # at the station that keeps the household which they leave
            station = OrgCode((family[0].household_no or "")[:12])
        place = {"province": window.code, "org_code": station, "address": "示例路7号"}
        body["destination"] = place
    return body


def families(people: list[Resident]) -> list[list[Resident]]:
    """Each once: a grown person, and whoever else lives there; those who live with no minors."""
    homes: dict[str | None, list[Resident]] = {}
    for person in people:
        homes.setdefault(person.household_no, []).append(person)
        homes[person.household_no].sort(key=lambda one: one.relation_code)
    grown = [home for home in homes.values() if all(member.age(TODAY) >= GROWN for member in home)]
    return sorted(grown, key=len, reverse=True)


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    """A running country in which enough people live at home."""
    async with World(StateFolder(tmp_path / "country", Plan(scale=200_000, seed=5))) as world:
        await world.seed()
        await world.start()
        yield Walk(world, families(await residents_of(world.registers, HOME, 1_000)))
        assert (await world.exactly_one_home()).good


@pytest.mark.timeout(300)
async def test_every_item_of_the_catalogue_can_be_applied_for_and_ends(walk: Walk) -> None:
    """One application for each, of a person of their own; all end as people hope, none is stuck."""
    told = {}
    for item in await walk.items():
        told[item["code"]] = (await walk.walk(item))["state"]
    assert {code: state for code, state in told.items() if state != "COMPLETED"} == {}
