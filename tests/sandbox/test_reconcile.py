"""`tongban reconcile`: the whole country through gateway and ledger, in its files, and among a million."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.sandbox.running import END_S, TONGBAN, Sandbox, free_port, until
from tongban_sandbox.cli import app
from tongban_sandbox.hostile import Faults
from tongban_sandbox.reconcile.hearing import Country
from tongban_sandbox.reconcile.places import in_folder, read_addresses
from tongban_sandbox.reconcile.planted import plant
from tongban_sandbox.reconcile.report import lines
from tongban_sandbox.reconcile.run import Outcome, reconcile
from tongban_sandbox.reconcile.selftest import found
from tongban_sandbox.reconcile.voices import LedgerOverHttp, RegistryOverHttp, RegistryVoice
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.traffic import Traffic
from tongban_sandbox.world import World
from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province
from tongban_shared.keys import load_directory, load_secrets, load_signer

PEOPLE = 1_410
MILLION = 1_000_000
CASES_MIN, CASES_PER_S = 20, 20.0


@pytest.fixture
async def world(country: Path) -> AsyncIterator[World]:
    """A running country."""
    async with World(StateFolder(country, Plan())) as running:
        await running.start()
        yield running


def asked(world: World, gateway: httpx.AsyncClient, ledger: httpx.AsyncClient) -> Country:
    """All registries through the gateway, and the ledger at its own door."""
    keys = world.state.keys
    registries: dict[Province, RegistryVoice] = {
        code: RegistryOverHttp(gateway, code) for code in world.profiles
    }
    books = LedgerOverHttp(ledger, load_signer(keys, "gateway"))
    return Country(registries, books, load_directory(keys), load_secrets(keys).custody)


def said(outcome: Outcome) -> str:
    """The report as it is read."""
    return "\n".join(lines(outcome))


@pytest.mark.timeout(180)
async def test_traffic_on_a_bad_wire_raises_no_alarm(world: World) -> None:
    """31 provinces, parcels lost, doubled and overtaken: no alarm, and a proof in the midst of it."""
    world.wire.faults = Faults(drop=0.1, duplicate=0.2, reorder=0.2, delay_ms=50)
    traffic = Traffic(world, CASES_PER_S)
    gateway = httpx.AsyncClient(transport=httpx.ASGITransport(world.gateway), base_url="http://gateway")
    assert world._ledger_pipe is not None
    ledger = httpx.AsyncClient(transport=world._ledger_pipe, base_url="http://ledger")
    moving = asyncio.create_task(traffic.run())
    outcomes: list[Outcome] = []
    try:
        while traffic.tally.begun < CASES_MIN or not any(map(in_the_midst, outcomes)):
            outcomes.append(await reconcile(asked(world, gateway, ledger), lambda _: None))
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        await gateway.aclose()
    # A province of a busy machine may not answer, which proves nothing; an alarm it never is.
    assert [said(outcome) for outcome in outcomes if outcome.faulty] == []
    assert {outcome.persons for outcome in outcomes} == {PEOPLE}


def in_the_midst(outcome: Outcome) -> bool:
    """Proven while somebody is between two provinces."""
    return outcome.proven and outcome.in_transfer > 0


def prove(*options: str) -> tuple[int, str]:
    """Run the command; exit code and what it says."""
    result = CliRunner().invoke(app, ["reconcile", *options])
    return result.exit_code, result.output


def damaged(country: Path, file: str, statement: str) -> None:
    """Change a database while nobody runs on it."""
    with closing(sqlite3.connect(country / file)) as database, database:
        assert database.execute(statement).rowcount == 1


def test_a_folder_is_proven_without_running_it(country: Path) -> None:
    """Exit code 0 and one line at the end, over the databases alone."""
    code, text = prove("--state", str(country))
    assert code == 0, text
    assert f"{PEOPLE:,} persons, 31 provinces, ledger head {PEOPLE:,}: exactly one home" in text


def test_somebody_lost_is_an_alarm(country: Path) -> None:
    """Exit code 1, the person's digest, and what to do."""
    damaged(country, "44.db", "DELETE FROM person WHERE key = (SELECT min(key) FROM person)")
    code, text = prove("--state", str(country))
    assert code == 1, text
    assert "LOST" in text
    assert "register 44: no row" in text
    assert "put back the newest copy of 44's database" in text
    assert text.rstrip().splitlines()[-1].startswith(f"{PEOPLE:,} persons, 31 provinces")


def test_a_missing_register_leaves_it_unproven(country: Path) -> None:
    """Exit code 3: nobody is called lost, and nothing is called proven."""
    (country / "44.db").unlink()
    code, text = prove("--state", str(country))
    assert code == 3, text
    assert "NOT PROVEN, no statement from 44 (NOT_ASKED)" in text


def test_wrong_use_says_what_is_wanted(tmp_path: Path) -> None:
    """Exit code 2 and one line."""
    code, text = prove("--state", str(tmp_path))
    assert (code, "no country in" in text) == (2, True)
    assert prove("--gateway", "http://127.0.0.1:1", "--keys", str(tmp_path))[0] == 2
    with pytest.raises(SettingsError, match="CODE=URL"):
        read_addresses(None, ["44"], None, "http://ledger")
    with pytest.raises(SettingsError, match="--gateway URL"):
        read_addresses(None, [], None, "http://ledger")


def test_addresses_come_from_a_gateway_s_file_too(tmp_path: Path) -> None:
    """All registries and the ledger of gateway.toml; what is named on the command line goes before it."""
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[ledger]\nurls = ["http://ledger:8000"]\n[registries]\n"44" = ["http://r44:8000"]\n', "utf-8"
    )
    addresses = read_addresses(None, ["33=http://r33:8000"], file, None)
    assert addresses.ledger == "http://ledger:8000"
    assert addresses.registries == {"44": "http://r44:8000", "33": "http://r33:8000"}
    assert read_addresses(None, ["44=http://other:1"], file, None).registries == {"44": "http://other:1"}


def test_a_ledger_that_is_away_proves_nothing(country: Path) -> None:
    """Exit code 2: without the ledger there is nothing to compare with."""
    nobody = f"http://127.0.0.1:{free_port()}"
    keys = str(country / "keys")
    code, text = prove("--registry", f"44={nobody}", "--ledger", nobody, "--keys", keys)
    assert (code, "the custody ledger does not answer" in text) == (2, True)


@contextmanager
def ledger_of(country: Path) -> Iterator[str]:
    """The ledger's own program on the ledger's file, beside the sandbox that runs on it."""
    port = free_port()
    command = [sys.executable, "-m", "tongban_ledger.main", "--port", str(port)]
    given = {
        "TONGBAN_DATABASE": f"sqlite:///{country / 'ledger.db'}",
        "TONGBAN_KEYS": str(country / "keys"),
        "TONGBAN_STOP_PAUSE_S": "0",
        "TONGBAN_LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen(command, env={**os.environ, **given, "PYTHONPATH": ":".join(sys.path)})
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), END_S)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.timeout(240)
def test_a_running_country_is_proven_by_addresses(country: Path) -> None:
    """Through a gateway under traffic and a ledger over HTTP, by the program; and by its folder."""
    sandbox = Sandbox(country)
    sandbox.start("--rate", "20")
    try:
        until(lambda: sandbox.open_cases() >= 5, END_S)
        with ledger_of(country) as ledger:
            gateway = json.loads(sandbox.announcement.read_text(encoding="utf-8"))["base_url"]
            keys = ["--keys", str(country / "keys")]
            for options in (["--gateway", gateway, "--ledger", ledger, *keys], ["--state", str(country)]):
                run = subprocess.run(
                    [*TONGBAN, "reconcile", *options], capture_output=True, text=True, timeout=90, check=False
                )
                assert run.returncode == 0, run.stdout + run.stderr
                assert f"{PEOPLE:,} persons, 31 provinces" in run.stdout.splitlines()[-1]
                assert "exactly one home" in run.stdout.splitlines()[-1]
    finally:
        sandbox.send(signal.SIGTERM)


@pytest.mark.timeout(300)
async def test_one_lost_and_one_doubled_among_a_million_are_found(tmp_path: Path) -> None:
    """Exactly the two who were hidden, with a hundred persons in transfer around them, in seconds."""
    planted = await plant(tmp_path, MILLION)
    async with in_folder(tmp_path) as country:
        outcome = await reconcile(country, lambda _: None)
    report = said(outcome)
    print(report)  # noqa: T201 (the time it took is the point)
    assert outcome.persons == MILLION
    assert found(outcome, planted), report
    assert set(planted.faults) == {evidence.digest for _, evidence in outcome.settled.faults}
    assert all(f"{verdict}  {digest}" in report for digest, verdict in planted.faults.items())


def test_the_self_test_finds_what_it_hides() -> None:
    """Exit code 0 when exactly the hidden persons are found, with the time it took."""
    code, text = prove("--selftest", "2000")
    assert code == 0, text
    assert "found exactly what was hidden: 2 of 2,000" in text
