"""The ledger's service: who may call, what it stores, how it fails, and the proof in its log."""

from __future__ import annotations

import base64
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from typer.testing import CliRunner

from tongban_ledger.app import create_app
from tongban_ledger.main import app as program
from tongban_ledger.storage.sql import MIGRATIONS, LedgerStore, open_store
from tongban_ledger.storage.tables import METADATA
from tongban_sandbox.servers.process import Launch, ServerProcess, free_port
from tongban_shared.keys import generate_keys, load_directory, load_signer
from tongban_shared.ledger_wire import signed_bytes
from tongban_shared.storage.engine import open_engine, read
from tongban_shared.storage.migrate import upgrade

NOW = 1_800_000_000
CLAIM = {"claims": [{"digest": "a" * 32, "province": "43"}]}
MOVE = {
    "moves": [
        {
            "case_id": "430120260101000000010",
            "origin": "43",
            "destination": "44",
            "certificate_digest": "c" * 64,
            "persons": [["a" * 32, 0]],
        }
    ]
}


@dataclass
class Service:
    """The service with a database of its own, called with any signature."""

    client: httpx.AsyncClient
    store: LedgerStore
    folder: Path

    async def call(
        self,
        path: str,
        body: object = None,
        *,
        owner: str = "43",
        created: str = str(NOW),
        spoil: bool = False,
    ) -> httpx.Response:
        """POST a body, or GET when there is none."""
        method, content = ("GET", b"") if body is None else ("POST", msgspec.json.encode(body))
        signer = load_signer(self.folder / "keys", owner)
        signature = base64.b64encode(signer.sign(signed_bytes(method, path, created, content))).decode()
        headers = {
            "content-type": "application/json",
            "X-Tongban-Owner": owner,
            "X-Tongban-Key": signer.key_id,
            "X-Tongban-Created": created,
            "X-Tongban-Signature": signature,
        }
        return await self.client.request(method, path, content=content + b" " * spoil, headers=headers)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose clock stands still."""
    generate_keys(tmp_path / "keys", ["43", "44", "gateway"])
    store = await open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    app = create_app(store, load_directory(tmp_path / "keys"), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ledger") as client:
        yield Service(client, store, tmp_path)
    await store.close()


def code(reply: httpx.Response) -> tuple[int, Any]:
    """Status and stable code of a problem."""
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()["code"]


async def test_the_published_bodies_are_answered_as_published(service: Service) -> None:
    """First, append, locate and head, in the words of the interface."""
    claimed = await service.call("/v1/custody/first", CLAIM)
    moved = await service.call("/v1/custody/append", MOVE)
    located = await service.call("/v1/custody/locate", {"digests": ["a" * 32, "b" * 32]}, owner="gateway")
    head = await service.call("/v1/custody/head", owner="gateway")
    assert claimed.json() == moved.json() == {"verdicts": ["APPENDED"]}
    place = {"digest": "a" * 32, "province": "44", "epoch": 1, "certificate_digest": "c" * 64}
    assert located.json() == {"found": [place]}
    assert head.json()["seq"] == 2


@pytest.mark.parametrize("path", ["/v1/custody/first", "/v1/custody/append"])
async def test_a_province_enters_nothing_for_another(service: Service, path: str) -> None:
    """403 for another province and for the gateway, and nothing is entered."""
    body = CLAIM if path.endswith("first") else MOVE
    assert code(await service.call(path, body, owner="44")) == (403, "FORBIDDEN")
    assert code(await service.call(path, body, owner="gateway")) == (403, "FORBIDDEN")
    assert (await service.store.head()).seq == 0


@pytest.mark.parametrize("created", [str(NOW - 301), str(NOW + 301), "", "-1", "1e9"])
async def test_a_call_outside_the_window_is_refused(service: Service, created: str) -> None:
    """A signature is good for five minutes, in both directions."""
    assert code(await service.call("/v1/custody/first", CLAIM, created=created)) == (
        401,
        "UNAUTHENTICATED",
    )


async def test_a_body_that_was_not_signed_is_refused(service: Service) -> None:
    """One byte more than was signed."""
    assert code(await service.call("/v1/custody/first", CLAIM, spoil=True)) == (401, "UNAUTHENTICATED")


async def test_a_call_without_signature_is_refused(service: Service) -> None:
    """No header, no answer; not even a lookup."""
    reply = await service.client.post("/v1/custody/locate", json={"digests": []})
    assert code(reply) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"digests": ["a" * 31]},
        {"digests": ["110101199003070011"]},
        {"digests": ["A" * 32]},
        {"digests": ["a" * 32] * 5001},
        {"digests": [], "name": "x"},
    ],
)
async def test_a_body_of_another_form_is_refused_and_not_repeated(service: Service, body: object) -> None:
    """422 that says where, and never what: an id number in the wrong place stays out of the answer."""
    reply = await service.call("/v1/custody/locate", body)
    assert code(reply) == (422, "FIELD_INVALID")
    assert "110101199003070011" not in reply.text
    assert "name" not in reply.json()["detail"]


async def test_a_database_that_is_away_is_a_503_and_not_ready(service: Service, tmp_path: Path) -> None:
    """Callers are told to try again; the process itself is alive."""
    (tmp_path / "ledger.db").unlink()
    (tmp_path / "ledger.db").mkdir()
    await service.store.close()
    assert code(await service.call("/v1/custody/first", CLAIM)) == (503, "STORE_DOWN")
    assert (await service.client.get("/readyz")).status_code == 503
    assert (await service.client.get("/livez")).status_code == 200


async def test_verdicts_are_counted(service: Service) -> None:
    """The metrics show what was appended and what was refused."""
    await service.call("/v1/custody/first", CLAIM)
    await service.call("/v1/custody/first", {"claims": [{"digest": "a" * 32, "province": "44"}]}, owner="44")
    metrics = (await service.client.get("/metrics")).text
    assert 'tongban_ledger_verdicts_total{verdict="APPENDED"} 1.0' in metrics
    assert 'tongban_ledger_verdicts_total{verdict="CONFLICT"} 1.0' in metrics


async def test_a_transaction_has_the_same_statements_whatever_its_size(service: Service) -> None:
    """One claim or two thousand: the log and the newest entries are written by one statement each."""
    claims = [{"digest": f"{number:032x}", "province": "43"} for number in range(2000)]
    await service.call("/v1/custody/first", {"claims": claims})
    assert (await service.store.head()).seq == 2000
    assert await service.store.first_broken_line() is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("UPDATE custody_log SET holder = '44' WHERE seq = 3", 3),
        ("UPDATE custody_log SET recorded_at = recorded_at + 1 WHERE seq = 3", 3),
        ("UPDATE custody_log SET hash = 'x' WHERE seq = 3", 3),
        ("DELETE FROM custody_log WHERE seq = 3", 3),
        ("DELETE FROM custody_log WHERE seq = 5", 5),
        ("UPDATE custody_log SET seq = 9 WHERE seq = 5", 5),
    ],
)
async def test_a_change_in_the_log_is_found(service: Service, tmp_path: Path, change: str, line: int) -> None:
    """Whoever edits, removes or moves a line is betrayed by the chain or by the head."""
    for number in range(5):
        await service.call("/v1/custody/first", {"claims": [{"digest": f"{number:032x}", "province": "43"}]})
    assert await service.store.first_broken_line() is None
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute(change)
    database.close()
    assert await service.store.first_broken_line() == line


async def test_the_migrations_make_the_tables_of_the_code(sql_url: str) -> None:
    """No difference between what the scripts create and what the statements expect."""
    await upgrade(sql_url, MIGRATIONS)
    engine = await open_engine(sql_url)
    async with read(engine) as tx:
        difference = await tx.run_sync(
            lambda connection: compare_metadata(MigrationContext.configure(connection), METADATA)
        )
        assert (await tx.execute(text("SELECT count(*) FROM custody_head"))).scalar_one() == 1
    await engine.dispose()
    assert difference == []


def test_a_missing_setting_is_named() -> None:
    """The program ends with status 2 and says what to give."""
    result = CliRunner().invoke(program, [], env={"TONGBAN_DATABASE": None, "TONGBAN_KEYS": None})
    assert result.exit_code == 2
    assert "--database or TONGBAN_DATABASE" in result.stderr
    assert "--keys or TONGBAN_KEYS" in result.stderr


async def test_the_program_serves_and_stops_when_told(tmp_path: Path) -> None:
    """From an empty folder to readiness; SIGTERM ends it in good order, the write-ahead log is folded in."""
    generate_keys(tmp_path / "keys", ["43"])
    port = free_port()
    process = ServerProcess(
        Launch(
            name="tongban-ledger",
            command=[sys.executable, "-m", "tongban_ledger.main", "--port", str(port)],
            folder=tmp_path,
            log=tmp_path / "log",
            stop_signal=signal.SIGTERM,
            environment={
                "PYTHONPATH": ":".join(sys.path),
                "TONGBAN_DATABASE": f"sqlite:///{tmp_path / 'ledger.db'}",
                "TONGBAN_KEYS": str(tmp_path / "keys"),
                "TONGBAN_STOP_PAUSE_S": "0",
            },
        )
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def ready() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await process.ready(ready, limit_s=30)
    await process.end(signal.SIGTERM)
    assert process.exit_code == -signal.SIGTERM
    assert not (tmp_path / "ledger.db-wal").exists()
