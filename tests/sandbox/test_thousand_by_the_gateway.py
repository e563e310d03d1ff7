"""A thousand people apply at the gateway of a country with a bad wire; the process is killed among them."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.sandbox.running import Sandbox, until
from tongban_shared.ids import PROVINCES

pytestmark = pytest.mark.timeout(400)
PEOPLE, AT_ONCE, END_S, AGAIN_S = 1000, 40, 240.0, 0.2
TWICE_AND_SHUFFLED = {"duplicate": 1.0, "reorder": 1.0}
MATERIALS = ("APPLICATION_FORM", "ID_CARD", "DWELLING_PROOF", "BOOKLET", "HOST_CONSENT")
ENDED = {"COMPLETED", "REFUSED"}
DESTINATION = ["CHECKING", "PERMITTED", "PREPARED", "COMPLETED"]
ORIGIN = ["OPEN", "FROZEN", "RELEASING", "RELEASED", "CONFIRMED"]


@dataclass(slots=True)
class Applicant:
    """One synthetic person on the way from one province to another."""

    id_number: str
    name: str
    origin: str
    to: str
    case_id: str = ""

    def application(self) -> dict[str, Any]:
        """A house was bought, all papers are of grade A."""
        return {
            "item": "0107",
            "applicant": {"id_number": self.id_number, "name": self.name},
            "destination": {"province": self.to, "org_code": f"{self.to}0100000100", "address": "示例路8号"},
            "materials": [{"kind": kind, "grade": "A"} for kind in MATERIALS],
        }


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A country of 14 100 people."""
    one = Sandbox(tmp_path / "sandbox")
    yield one
    if one.process is not None and one.process.poll() is None:
        one.send(signal.SIGKILL)


def test_a_thousand_migrations_survive_a_bad_wire_and_a_kill(sandbox: Sandbox) -> None:
    """All end, everybody has exactly one home at every look, epochs are right, both timelines complete."""
    sandbox.start("--rate", "0")
    sandbox.put("/sandbox/v1/faults", TWICE_AND_SHUFFLED)
    crowd = choose(sandbox)
    asyncio.run(depart(sandbox, crowd[: PEOPLE // 2]))
    assert sandbox.status()["homes"]["good"]
    sandbox.send(signal.SIGKILL)
    sandbox.start("--rate", "0")
    assert sandbox.status()["homes"]["good"]
    sandbox.put("/sandbox/v1/faults", TWICE_AND_SHUFFLED)
    asyncio.run(depart(sandbox, crowd[PEOPLE // 2 - AT_ONCE :]))
    until(lambda: at_rest(sandbox), END_S)
    completed = asyncio.run(check_all(sandbox, crowd))
    assert completed > PEOPLE * 0.6


def choose(sandbox: Sandbox) -> list[Applicant]:
    """Heads of households from all provinces, each to another province."""
    random = Random(7)
    codes = sorted(PROVINCES)
    crowd = []
    for origin in codes:
        found = sandbox.get(f"/sandbox/v1/people?province={origin}&limit=200").json()["items"]
        for person in found[: PEOPLE // len(codes) * 2]:
            to = random.choice([code for code in codes if code not in {origin, "54", "63"}])
            crowd.append(Applicant(person["id_number"], person["name"], origin, to))
    random.shuffle(crowd)
    assert len(crowd) >= PEOPLE
    return crowd[:PEOPLE]


def at_rest(sandbox: Sandbox) -> bool:
    """No open case; and nobody lost or doubled at this look."""
    status = sandbox.status()
    assert status["homes"]["good"], status["homes"]
    return all(row["open"] == 0 for row in status["provinces"])


async def depart(sandbox: Sandbox, crowd: Sequence[Applicant]) -> None:
    """Everybody applies at the gateway, so many at once."""
    waiting = list(crowd)
    async with client(sandbox) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(window(http, waiting))


async def window(http: httpx.AsyncClient, waiting: list[Applicant]) -> None:
    """One window takes one applicant after the other; repeating an application finds the same case."""
    while waiting:
        applicant = waiting.pop()
        key = {"Idempotency-Key": f"key-{applicant.id_number}"}
        answer = await http.post("/v1/cases", json=applicant.application(), headers=key)
        while answer.status_code in {429, 503}:
            await asyncio.sleep(AGAIN_S)
            answer = await http.post("/v1/cases", json=applicant.application(), headers=key)
        assert answer.status_code == 202, answer.text
        assert applicant.case_id in {"", answer.json()["case_id"]}
        applicant.case_id = answer.json()["case_id"]


async def check_all(sandbox: Sandbox, crowd: Sequence[Applicant]) -> int:
    """Look at each case at both ends, and ask for each person; returns how many have moved."""
    completed = 0
    async with client(sandbox) as http:
        for applicant in crowd:
            case = (await http.get(f"/v1/cases/{applicant.case_id}")).json()
            assert case["state"] in ENDED, case
            moved = case["state"] == "COMPLETED"
            completed += moved
            if moved:
                mirror = await http.get(f"/v1/cases/{applicant.case_id}?province={applicant.origin}")
                assert states(case) == DESTINATION
                assert states(mirror.json()) == ORIGIN
            question = {"id_number": applicant.id_number, "name": applicant.name, "purpose": "TEST"}
            home = (await http.post("/v1/registrations/lookup", json=question)).json()
            expected = (applicant.to, 1) if moved else (applicant.origin, 0)
            assert (home["province"], home["epoch"]) == expected
    return completed


def states(case: dict[str, Any]) -> list[str]:
    """The states of a timeline, in order; a permit confirmed anew, for a record that changed, counts once."""
    return [state for state, _ in groupby(entry["state"] for entry in case["timeline"])]


def client(sandbox: Sandbox) -> httpx.AsyncClient:
    """Speaks to the gateway."""
    base_url = json.loads(sandbox.announcement.read_text(encoding="utf-8"))["base_url"]
    return httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30)
