"""Registry, ledger, gateway, Kafka and PostgreSQL start in any order: each waits by itself for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures_kafka import KAFKA_JARS
from tongban_sandbox.booklet import seeded_households
from tongban_sandbox.live_parts import Parts, Running
from tongban_sandbox.servers.kafka import KafkaServer
from tongban_sandbox.servers.process import ServerProcess
from tongban_sandbox.state import Plan
from tongban_shared.catalogue import load_catalogue
from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
A, B = Province("32"), Province("33")
SCALE = 1_000_000
PATIENCE_S = 60.0
SERVERS = ("postgres", "kafka")
PROGRAMS = ("ledger", "registries", "gateway")
ORDERS = (
    # Everybody before everything that they need.
    ("gateway", "registries", "ledger", "kafka", "postgres"),
    # Servers in the middle, each on another side of who needs it.
    ("registries", "postgres", "gateway", "kafka", "ledger"),
)


class Country(Parts):
    """Two provinces of real parts, which can be stopped, and started again in an order of one's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, (A, B), Plan(SCALE), lambda _: None)
        self.kafka = KafkaServer(folder / "kafka", jars=KAFKA_JARS)
        self._how: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {}
        self._alive: dict[str, ServerProcess] = {}

    def _spawn(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Running:
        process = super()._spawn(name, arguments, environment)
        assert isinstance(process, ServerProcess)
        self._how[name], self._alive[name] = (arguments, environment), process
        return process

    async def stop_all(self) -> None:
        """Programs first, then servers; all data stays."""
        processes, self._alive = list(self._alive.values()), {}
        await asyncio.gather(*(process.end(process.launch.stop_signal) for process in processes))
        await asyncio.gather(self.kafka.stop(), self.postgres.stop())

    async def start(self, what: str) -> None:
        """One part; of a program it is enough that it answers at all."""
        if what in SERVERS:
            await (self.kafka if what == "kafka" else self.postgres).start()
            return
        kinds = {"ledger": "ledger", "registries": "registry-", "gateway": "gateway-"}
        for name in [name for name in self._how if name.startswith(kinds[what])]:
            arguments, environment = self._how[name]
            self._alive[name] = process = ServerProcess(self._launch(name, arguments, environment))
            await process.ready(partial(self._answers, f"{self.address(name)}/livez"), PATIENCE_S)

    def address(self, name: str) -> str:
        """Where a program answers, before and after a stop."""
        arguments = list(self._how[name][0])
        return f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"

    async def all_ready(self) -> None:
        """Wait until every program may take work."""
        for name, process in self._alive.items():
            await process.ready(partial(self._answers, f"{self.address(name)}/readyz"), PATIENCE_S)

    async def stop_what_runs(self) -> None:
        """At the end of the test, whatever happened."""
        for process in self._alive.values():
            await process.end(process.launch.stop_signal)


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Country]:
    """Two provinces, running; everything is stopped at the end."""
    async with Country(tmp_path / "country") as country:
        yield country
        await country.stop_what_runs()


def application(person: Any, to: Province) -> dict[str, Any]:  # noqa: ANN401  # a synthetic person
    """A move of one adult, all papers from authorities."""
    item = load_catalogue().item("0101")
    bureau = load_provinces()[to].county_bureau
    return {
        "item": "0101",
        "applicant": {"id_number": person.id_number, "name": person.name},
        "destination": {"province": to, "org_code": bureau, "address": "示例路1号"},
        "materials": [{"kind": material.kind, "grade": "A"} for material in item.materials],
    }


async def moves(country: Country, person: Any) -> str:  # noqa: ANN401  # a synthetic person
    """A whole migration by the gateway; its state at the end."""
    async with httpx.AsyncClient(base_url=country.address("gateway-1"), trust_env=False, timeout=40) as http:
        answer = await http.post("/v1/cases", json=application(person, B))
        assert answer.status_code == 202, answer.text
        path = answer.headers["location"]
        return str((await http.get(path, headers={"Prefer": "wait=30"})).json()["state"])


async def test_they_start_in_any_order(country: Country) -> None:
    """Whatever comes first, each comes up and becomes ready without help, and a case goes from end to end."""
    singles = (home.members[0] for home in seeded_households(A, country.plan) if len(home.members) == 1)
    assert await moves(country, next(singles)) == "COMPLETED"
    for order in ORDERS:
        assert sorted(order) == sorted((*SERVERS, *PROGRAMS))
        await country.stop_all()
        for what in order:
            await country.start(what)
        await country.all_ready()
        assert await moves(country, next(singles)) == "COMPLETED", order
