"""Told to stop: readiness off, requests answered, reading ended, units done, parcels out, pools closed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.registry.country import A, B
from tests.stories.world import Country
from tongban_registry import main
from tongban_registry.commands import Command
from tongban_registry.hosting import Berth
from tongban_registry.settings import load_settings
from tongban_shared.ids import Province
from tongban_shared.keys import generate_keys
from tongban_shared.ports import Family, Record
from tongban_shared.provinces import deploy_folder, load_province
from tongban_shared.transports.memory import MemoryTransport
from tongban_shared.web.guard import Scope, Send, send_answer
from tongban_shared.web.problems import problem

PEOPLE = 5
PAUSE_S = 1.0
PATIENCE_S = 20


async def test_what_was_taken_is_committed_and_sent(country: Country) -> None:
    """Whoever stood at the door when it was told to stop has an answer, a case and a message on its way."""
    hall, may_work = country.sites[B].live.hall, asyncio.Event()
    work = hall.work

    taken = list[Command]()

    async def slow(records: Sequence[Record], commands: Sequence[Command]) -> None:
        taken.extend(commands)
        await may_work.wait()
        await work(records, commands)

    vars(hall)["work"] = slow
    people = [country.person(A) for _ in range(PEOPLE)]
    applying = [asyncio.create_task(country.apply(person, B)) for person in people]
    await _until(lambda: hall.waiting + len(taken) >= PEOPLE)
    stopping = asyncio.create_task(country.stop(B))
    may_work.set()
    cases = set(await asyncio.gather(*applying))
    await stopping
    known = {row[0] for row in country.registers.rows(B, "SELECT id FROM cases")}
    sent = {letter.label.case_id for letter in country.wire.sent if letter.name == "precheck"}
    assert (len(cases), cases <= known, cases <= sent) == (PEOPLE, True, True)


async def _until(met: Callable[[], bool]) -> None:
    """Let others go on until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in takewhile(lambda _: not met(), count()):
            await asyncio.sleep(0)


async def test_the_order_in_which_it_stops(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends first, then the unit that had begun, then the parcels, and the pools are closed last."""
    live, told = country.sites[B].live, list[str]()
    assert live._inlet is not None
    _tell(monkeypatch, live.hall, "ask", told)
    _tell(monkeypatch, live._inlet, "close", told)
    _tell(monkeypatch, live.relay, "drain", told)
    _tell(monkeypatch, live.store, "close", told)
    reading = live._sources[0]
    reading.add_done_callback(lambda _: told.append("reading ended"))
    await country.stop(B)
    assert told == ["reading ended", "ask", "close", "drain", "close"]


def _tell(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, told: list[str]) -> None:  # noqa: ANN401
    """Note the call, and do it."""
    real = getattr(owner, name)

    async def noted(*given: object) -> object:
        told.append(name)
        return await real(*given)

    monkeypatch.setattr(owner, name, noted, raising=True)


async def test_a_parcel_on_its_way_is_waited_for(country: Country) -> None:
    """The pools stay open until the broker has what was committed; a slow broker is waited for."""
    site, taken, may_go = country.sites[B], asyncio.Event(), asyncio.Event()
    send = site.end.send

    async def slow(to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        taken.set()
        await may_go.wait()
        await send(to, family, data, headers)

    vars(site.live.relay._transport)["send"] = slow
    case_id = await country.apply(country.person(A), B)
    await taken.wait()
    stopping = asyncio.create_task(country.stop(B))
    done, _ = await asyncio.wait({stopping}, timeout=0.2)
    assert not done
    assert country.state(A, case_id) is None
    may_go.set()
    await stopping
    await country.until(A, case_id, "OPEN")


async def test_nothing_is_read_any_more(country: Country) -> None:
    """What arrives after it was told to stop stays in the broker, and is taken after the next start."""
    await country.stop(B)
    case_id = await country.apply(country.person(B), A)
    await country.calm()
    assert country.state(B, case_id) is None
    await country.start(B)
    await country.until(A, case_id, "COMPLETED")


class Program:
    """tongban-registry in this process, over a berth that takes its time. told: what happened, in order."""

    def __init__(self, port: int) -> None:
        self.told: list[str] = []
        self.entered = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S
        )

    async def serve(self, scope: Scope, send: Send) -> None:
        """One request: a slow one waits until it may be answered."""
        if scope["path"] == "/slow":
            self.entered.set()
            await self.may_answer.wait()
        await send_answer(send, problem("NOT_FOUND"))
        self.told.append(f"answered {scope['path']}")

    async def note(self, what: str) -> None:
        """Something was stopped or closed."""
        self.told.append(what)


@pytest.fixture
async def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Program, asyncio.Task[int]]]:
    """The program, serving; it is told to stop by a signal, as a supervisor would."""
    generate_keys(tmp_path / "keys", [A, "ledger"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = Program(port)
    monkeypatch.setattr(Berth, "__call__", lambda _, scope, __, send: one.serve(scope, send))
    monkeypatch.setattr(Berth, "stop", lambda _: one.note("registry stopped"))
    monkeypatch.setattr(MemoryTransport, "close", lambda _: one.note("transport closed"))
    path = deploy_folder() / "provinces" / f"{A}.toml"
    settings = load_settings(
        province=(path,),
        database=f"sqlite:///{tmp_path}/{A}.db",
        transport="memory:",
        ledger="http://127.0.0.1:1",
        keys=tmp_path / "keys",
        port=port,
        stop_pause_s=PAUSE_S,
    )
    running = asyncio.create_task(main.run(settings, [load_province(path)]))
    yield one, running
    one.may_answer.set()
    await asyncio.wait({running}, timeout=PATIENCE_S)
    await one.http.aclose()


async def until_it_listens(http: httpx.AsyncClient) -> None:
    """Ask until somebody answers."""
    while True:
        try:
            await http.get("/ready")
        except httpx.TransportError:
            await asyncio.sleep(0)
        else:
            return


async def test_the_program_stops_in_order(program: tuple[Program, asyncio.Task[int]]) -> None:
    """Out of service while it still answers; then no new request, the old one answered, the rest closed."""
    one, running = program
    await until_it_listens(one.http)
    one.told.clear()
    slow = asyncio.create_task(one.http.get("/slow"))
    await one.entered.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await one.http.get("/fresh")).status_code == 404
    one.told.append("still answers")
    async with httpx.AsyncClient(base_url=one.http.base_url, trust_env=False) as late:
        while True:
            try:
                await late.get("/late", headers={"connection": "close"})
            except httpx.TransportError:
                break
    one.told.append("refuses")
    assert not running.done()
    one.may_answer.set()
    assert (await slow).status_code == 404
    assert await running == 0
    told = [line for line in one.told if line != "answered /late"]
    assert told == [
        "answered /fresh",
        "still answers",
        "refuses",
        "answered /slow",
        "registry stopped",
        "transport closed",
    ]
