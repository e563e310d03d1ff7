"""An urgent identity message never queues behind a bulk of migrations: on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tongban_sandbox.api import OverHttp, Reply
from tongban_sandbox.booklet import seeded_households
from tongban_sandbox.choosing import GUANGDONG, JIANGSU, age_of
from tongban_sandbox.live import fetch
from tongban_sandbox.live_parts import Parts
from tongban_sandbox.people import SyntheticPerson
from tongban_sandbox.state import Plan
from tongban_shared.catalogue import load_catalogue
from tongban_shared.provinces import load_provinces

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
# The full form, TONGBAN_BACKLOG=10000, takes minutes to make its bulk; this is the short one.
WAITING, URGENT = int(os.environ.get("TONGBAN_BACKLOG", "6000")), 20
LIMIT_S = 2.0
# Of so many applicants for a move at once, and of so many windows that want a print right.
AT_ONCE, WINDOWS = 64, 20
ENOUGH_S = 120.0
FIRST, TEMPORARY, MOVE = "0301", "0401", "0101"
MIRRORS = "SELECT count(*) FROM cases WHERE side = 'ORIGIN' AND kind = 'migration'"


@dataclass
class Office:
    """A window in Guangdong for people of Jiangsu."""

    parts: Parts
    api: OverHttp
    serial: count[int]

    async def call(self, method: str, path: str, body: object = None) -> Reply:
        """Through either gateway."""
        return await self.api.call(method, path, body, key=f"backlog-{next(self.serial)}")

    async def apply(self, item: str, person: SyntheticPerson, **more: object) -> str:
        """An application with all its papers; the case's number."""
        station = load_provinces()[GUANGDONG].stations[0].code
        body: dict[str, Any] = {
            "item": item,
            "accepting_org": station,
            "applicant": {"id_number": person.id_number, "name": person.name},
            "materials": [{"kind": m.kind, "grade": "A"} for m in load_catalogue().item(item).materials],
            "purpose": "TRAVEL",
            **more,
        }
        reply = await self.call("POST", "/v1/cases", body)
        assert reply.status == 202, reply.body
        return str(reply.body["case_id"])

    async def gets_to(self, case_id: str, step: str, province: str = GUANGDONG) -> None:
        """Look until the case has come to this step there."""
        async with asyncio.timeout(ENOUGH_S):
            while True:
                reply = await self.call("GET", f"/v1/cases/{case_id}?province={province}")
                if reply.status == 200 and reply.body["timeline"][-1]["state"] == step:
                    return
                await asyncio.sleep(LIMIT_S / 20)

    async def waiting(self) -> int:
        """How many of the bulk Jiangsu has not taken yet."""
        return WAITING - int((await fetch(self.parts.database(JIANGSU), MIRRORS))[0][0])

    def signal_home(self, number: signal.Signals) -> None:
        """To the home registry's process alone."""
        os.kill(self.parts.process(f"registry-{JIANGSU}").pid, number)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Two provinces of real parts; enough people live in the first."""
    plan = Plan(scale=8_000, seed=11)
    async with Parts(tmp_path / "live", (JIANGSU, GUANGDONG), plan, lambda _: None) as parts:
        api = OverHttp.at(*parts.gateway_urls)
        yield Office(parts, api, count())
        await api.close()
        parts.check()


async def in_turns(work: Sequence[Any], at_once: int, act: Any) -> list[Any]:  # noqa: ANN401  # any coroutine
    """Act on each, so many at a time; results in order."""
    gate = asyncio.Semaphore(at_once)

    async def one(thing: Any) -> Any:  # noqa: ANN401
        async with gate:
            return await act(thing)

    return list(await asyncio.gather(*map(one, work)))


async def test_a_print_right_takes_under_two_seconds_beside_thousands_of_moves(office: Office) -> None:
    """From the request to the right to print, the slowest, while the home registry has the bulk to take."""
    everybody = [p for home in seeded_households(JIANGSU, office.parts.plan) for p in home.members]
    students = [person for person in everybody if age_of(person) >= 18][:URGENT]
    urgent = {person.id_number for person in students}
    movers = [person for person in everybody if person.id_number not in urgent][:WAITING]
    cards = await in_turns(students, WINDOWS, lambda person: office.apply(FIRST, person))
    await in_turns(cards, WINDOWS, lambda case_id: office.gets_to(case_id, "CHECKING", JIANGSU))
    office.signal_home(signal.SIGSTOP)
    place = {"province": GUANGDONG, "org_code": load_provinces()[GUANGDONG].stations[0].code}
    to = {"destination": {**place, "address": "示例路1号"}}
    await in_turns(movers, AT_ONCE, lambda person: office.apply(MOVE, person, **to))
    assert await office.waiting() == WAITING
    office.signal_home(signal.SIGCONT)

    async def print_right(person: SyntheticPerson) -> float:
        asked_at = time.monotonic()
        await office.gets_to(
            await office.apply(TEMPORARY, person, details={"match_percent": 97}), "AUTHORISED"
        )
        return time.monotonic() - asked_at

    took = sorted(await in_turns(students, WINDOWS, print_right))
    left = await office.waiting()
    assert left > 0, "the bulk was over before the last print right: it proves nothing"
    assert took[-1] < LIMIT_S, f"p50 {took[URGENT // 2]:.2f} s, longest {took[-1]:.2f} s; {left} still wait"
