from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any

import httpx
import msgspec
import pytest

from tongban_registry import registry as registry_module
from tongban_registry.inbox import Hall
from tongban_registry.main import run
from tongban_registry.settings import load_settings
from tongban_sandbox.servers.process import free_port
from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province, make_case_id
from tongban_shared.keys import generate_keys
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.ports import Passage
from tongban_shared.provinces import deploy_folder, load_province

NOBODY = "http://127.0.0.1:1"  # nothing listens there
PATIENCE_S = 30


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of two provinces."""
    generate_keys(tmp_path / "keys", ["32", "33", "ledger"])
    return tmp_path / "keys"


def province_file(code: str) -> Path:
    """A province's own file."""
    return deploy_folder() / "provinces" / f"{code}.toml"


def arguments(folder: Path, *codes: str, **changes: str) -> list[str]:
    """A command line for these provinces; changes by the name of the option."""
    options = {
        "database": f"sqlite:///{folder.parent}/{{code}}.db",
        "transport": "memory:",
        "ledger": NOBODY,
        "keys": str(folder),
        "port": "0",
        **changes,
    }
    line = [part for code in codes for part in ("--province", str(province_file(code)))]
    return [*line, *(part for name, value in options.items() for part in (f"--{name}", value))]


class Program:
    """tongban-registry as a process; `logged` reads its log line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def logged(self, event: str) -> dict[str, Any]:
        """The next line of its log with this event. The process ends in time, so this does too."""
        stream: IO[str] | None = self.process.stderr
        assert stream is not None
        for line in stream:
            told: dict[str, Any] = msgspec.json.decode(line)
            self.lines.append(told)
            if told["event"] == event:
                return told
        raise AssertionError(f"never logged {event}: {self.lines}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@contextmanager
def program(line: Sequence[str], **variables: str) -> Iterator[Program]:
    """The program, running; killed at the end whatever happens."""
    command = [sys.executable, "-m", "tongban_registry.main", *line]
    environment = {**os.environ, "TONGBAN_STOP_PAUSE_S": "0", **variables}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def ask(port: int, path: str) -> httpx.Response:
    """What it answers on this machine."""
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S, trust_env=False)


def test_without_the_ledger_it_runs_and_says_so(keys: Path) -> None:
    """It is alive, not ready, names the ledger as the reason, and ends with 0 when told to stop."""
    with program(arguments(keys, "32")) as running:
        port = running.logged("listening")["port"]
        running.logged("registry open")
        ready = ask(port, "/readyz")
        assert ready.status_code == 503
        checks = ready.json()["checks"]
        assert {name for name, check in checks.items() if not check["ok"]} == {"ledger", "recovery"}
        assert checks["ledger"]["reason"] == "LEDGER_DOWN"
        assert ask(port, "/livez").status_code == 200
        assert running.stop() == 0


def test_several_provinces_stand_under_their_codes(keys: Path) -> None:
    """One process answers for two provinces, each under /p/CODE; the root speaks for both."""
    with program(arguments(keys, "32", "33")) as running:
        port = running.logged("listening")["port"]
        running.logged("registry open")
        running.logged("registry open")
        for code in ("32", "33"):
            assert ask(port, f"/p/{code}/v1/ops/overview").json()["province"] == code
        assert ask(port, "/readyz").json()["checks"].keys() == {"32", "33"}
        assert ask(port, "/p/44/livez").json()["code"] == "NOT_FOUND"
        assert running.stop() == 0


def test_without_its_database_it_tries_on(keys: Path) -> None:
    """A database that is not up is named in log and readiness; commands get 503; SIGINT ends it with 0."""
    database = "postgresql://user:secret-word@127.0.0.1:1/none"
    with program(arguments(keys, "32", database=database)) as running:
        port = running.logged("listening")["port"]
        assert running.logged("database not reached, trying on")["province"] == "32"
        assert not ask(port, "/readyz").json()["checks"]["database"]["ok"]
        refused = ask(port, "/v1/cases/x")
        assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert "retry-after" in refused.headers
        assert running.stop(signal.SIGINT) == 0
        assert "secret-word" not in str(running.lines)


def test_it_tells_which_versions_it_speaks(keys: Path) -> None:
    """/version names program, schema and every message contract."""
    with program(arguments(keys, "32")) as running:
        port = running.logged("listening")["port"]
        running.logged("registry open")
        told = ask(port, "/version").json()
        assert told["schema"] >= "0001"
        assert "migration.certificate/1" in told["messages"]
        running.stop()


def test_settings_come_from_variables_too(keys: Path) -> None:
    """Every option has a TONGBAN_ variable; several provinces are separated by commas."""
    variables = {
        "TONGBAN_PROVINCE": f"{province_file('32')},{province_file('33')}",
        "TONGBAN_DATABASE": f"sqlite:///{keys.parent}/{{code}}.db",
        "TONGBAN_TRANSPORT": "memory:",
        "TONGBAN_LEDGER": NOBODY,
        "TONGBAN_KEYS": str(keys),
        "TONGBAN_PORT": "0",
    }
    with program((), **variables) as running:
        running.logged("registry open")
        running.logged("registry open")
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transport": "pigeon:"}, "--transport or TONGBAN_TRANSPORT"),
        ({"port": "99999"}, "--port or TONGBAN_PORT"),
        ({"database": "mysql://user:secret-word@db/x"}, "sqlite:/// or postgresql://"),
        ({"keys": "nowhere"}, "tongban keys init"),
    ],
)
def test_wrong_settings_end_it_at_once(keys: Path, changes: dict[str, str], words: str) -> None:
    """Exit code 2 and a line that says which and what to do; a password is never told."""
    with program(arguments(keys, "32", **changes)) as running:
        _, told = running.process.communicate(timeout=PATIENCE_S)
        assert running.process.returncode == 2
        assert words in told
        assert "secret-word" not in told


def test_a_port_that_is_taken_ends_it_at_once(keys: Path) -> None:
    """Exit code 2, before any database is opened."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with program(arguments(keys, "32", port=port)) as running:
            _, told = running.process.communicate(timeout=PATIENCE_S)
    assert (running.process.returncode, "can't listen" in told) == (2, True)
    assert not (keys.parent / "32.db").exists()


def test_several_provinces_want_a_database_each(keys: Path) -> None:
    """Without {code} in its address two registers would be one."""
    with pytest.raises(SettingsError, match=r"\{code\}"):
        load_settings(
            province=(province_file("32"), province_file("33")),
            database="sqlite:///one.db",
            transport="memory:",
            ledger=NOBODY,
            keys=keys,
        )


def test_a_province_is_named_once(keys: Path) -> None:
    """Two registries of one province in one process would both write."""
    with pytest.raises(SettingsError, match="twice"):
        load_settings(
            province=(province_file("32"), province_file("32")),
            database="sqlite:///{code}.db",
            transport="memory:",
            ledger=NOBODY,
            keys=keys,
        )


@pytest.fixture
def first_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger says that nobody has moved yet, which a registry without a fence asks before it opens."""

    async def nobody(*_: object) -> Sequence[Passage]:
        return ()

    monkeypatch.setattr(HttpLedger, "passages", nobody)


@pytest.mark.usefixtures("first_start")
async def test_a_stopped_worker_ends_the_process(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry without one of its workers must not go on: exit code 1, for the supervisor."""

    async def broken(hall: Hall) -> None:
        assert hall.office.province == "32"
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(registry_module, "run_timers", broken)
    settings = load_settings(
        province=(province_file("32"),),
        database=f"sqlite:///{tmp_path}/32.db",
        transport="memory:",
        ledger=NOBODY,
        keys=keys,
        port=0,
    )
    assert await run(settings, [load_province(province_file("32"))]) == 1


@pytest.mark.usefixtures("first_start")
async def test_a_stopped_hall_keeps_nobody_waiting(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for its answer is told to come again, and the end of the process waits for nobody."""
    port = free_port()
    path = f"/v1/cases/{make_case_id(Province('32'), '01', date(2026, 11, 24), 1)}/withdrawal"
    http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)
    calls: list[asyncio.Task[httpx.Response]] = []

    async def calling(_: Hall) -> None:
        calls.append(asyncio.create_task(http.post(path)))
        await asyncio.Event().wait()

    async def broken(*_: object) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(registry_module, "run_timers", calling)
    monkeypatch.setattr(Hall, "work", broken)
    settings = load_settings(
        province=(province_file("32"),),
        database=f"sqlite:///{tmp_path}/32.db",
        transport="memory:",
        ledger=NOBODY,
        keys=keys,
        port=port,
    )
    async with asyncio.timeout(10):
        assert await run(settings, [load_province(province_file("32"))]) == 1
    answer = await calls[0]
    await http.aclose()
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
