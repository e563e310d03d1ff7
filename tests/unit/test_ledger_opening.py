"""The ledger and its database start in any order."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import httpx
import pytest

from tongban_ledger import opening
from tongban_ledger.opening import Opening
from tongban_ledger.storage.sql import LedgerStore, open_store
from tongban_sandbox.servers.process import Launch, ServerProcess, free_port
from tongban_shared.errors import StoreDownError
from tongban_shared.keys import generate_keys, load_directory
from tongban_shared.ledger_wire import LOCATE_PATH

PATIENCE_S = 30


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of one province."""
    generate_keys(tmp_path / "keys", ["43"])
    return tmp_path / "keys"


async def test_it_opens_when_the_database_is_there(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alive and not ready before, ready after, without having been started again."""
    tries = []

    async def late(url: str) -> LedgerStore:
        tries.append(url)
        if len(tries) < 3:
            raise StoreDownError("not yet")
        return await open_store(url)

    monkeypatch.setattr(opening, "open_store", late)
    monkeypatch.setattr(opening, "RETRY_S", 0)
    ledger = Opening(f"sqlite:///{tmp_path}/ledger.db", load_directory(keys))
    transport = httpx.ASGITransport(ledger)
    async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as http:
        assert (await http.get("/livez")).status_code == 200
        early = await http.get("/readyz")
        assert (early.status_code, early.json()["checks"]["database"]["ok"]) == (503, False)
        refused = await http.post(LOCATE_PATH, json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert "retry-after" in refused.headers
        await ledger.open()
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.post(LOCATE_PATH, json={})).status_code not in {404, 503}
        ledger.health.stopping = True
        assert (await http.get("/readyz")).status_code == 503
    assert ledger._store is not None
    await ledger._store.close()


def program(folder: Path, keys: Path, database: str) -> tuple[ServerProcess, int]:
    """tongban-ledger as a process, and its port."""
    port = free_port()
    launch = Launch(
        name="tongban-ledger",
        command=[sys.executable, "-m", "tongban_ledger.main", "--port", str(port)],
        folder=folder,
        log=folder / "log",
        stop_signal=signal.SIGTERM,
        environment={
            "PYTHONPATH": ":".join(sys.path),
            "TONGBAN_DATABASE": database,
            "TONGBAN_KEYS": str(keys),
            "TONGBAN_STOP_PAUSE_S": "0",
        },
    )
    return ServerProcess(launch), port


async def test_without_its_database_the_program_lives(tmp_path: Path, keys: Path) -> None:
    """It answers that it is not ready, names the reason, tells no password, and stops when told."""
    process, port = program(tmp_path, keys, "postgresql://user:secret-word@127.0.0.1:1/none")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

        async def answers() -> bool:
            try:
                return (await http.get("/livez")).status_code == 200
            except httpx.TransportError:
                return False

        await process.ready(answers, PATIENCE_S)
        assert not (await http.get("/readyz")).json()["checks"]["database"]["ok"]
    await process.end(signal.SIGTERM)
    told = (tmp_path / "log").read_text(encoding="utf-8")
    assert ("trying on" in told, "secret-word" in told) == (True, False)


async def test_a_database_that_can_never_be_opened_ends_it(tmp_path: Path, keys: Path) -> None:
    """Exit code 2 and a line that says why, as before it listened."""
    process, _ = program(tmp_path, keys, "mysql://user:secret-word@db/x")

    async def over() -> bool:
        return not process.running

    await process.ready(over, PATIENCE_S)
    await process.end(signal.SIGTERM)
    told = (tmp_path / "log").read_text(encoding="utf-8")
    assert (process.exit_code, "sqlite:/// or postgresql://" in told) == (2, True)
    assert "secret-word" not in told
