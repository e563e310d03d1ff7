"""The country under measurement: processes started, people seeded, all of it ended again.

async with live(plan, load) as country: ...        real Kafka, real PostgreSQL, N workers
async with embedded(plan, load) as country: ...    one worker, SQLite files, the ledger in it
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tongban_sandbox.bench.caller import Door
from tongban_sandbox.bench.check import Country, PostgresReader, Reader, SqliteReader
from tongban_sandbox.bench.children import Child, Server, order_all
from tongban_sandbox.bench.load import BenchCase, Load, spread
from tongban_sandbox.bench.worker import WorkerPlan
from tongban_sandbox.servers import KafkaServer, PostgresServer
from tongban_sandbox.servers.process import free_port
from tongban_shared.ids import Province
from tongban_shared.keys import generate_keys, load_secrets
from tongban_shared.transports.kafka_topics import create_topics
from tongban_shared.transports.topics import load_topics, wanted_topics

WORKER = "tongban_sandbox.bench.worker"
DATABASE = "bench_{code}"
LEDGER_DATABASE = "bench_ledger"
GATEWAY = "gateway"


@dataclass(slots=True)
class Stage:
    """A country that runs. pids: by the names of the CPU split; next_n: the first case not yet used."""

    load: Load
    workers: Sequence[Child]
    look: Country
    folder: Path
    pids: dict[str, int]
    home_of: Mapping[Province, int]
    ports: Sequence[int]
    postgres: PostgresServer | None = None
    bootstrap: str = ""
    ledger_port: int = 0
    next_n: int = 0
    watched_from: int = 0
    accepted: int = 0
    shares: Sequence[Sequence[Province]] = field(default_factory=list)

    def door_of(self, province: Province) -> Door:
        """Where the registry listens: at the root of a process that hosts this province alone."""
        home = self.home_of[province]
        alone = list(self.home_of.values()).count(home) == 1
        return Door(self.ports[home], "" if alone else f"/p/{province}")

    def take(self, count: int) -> Sequence[BenchCase]:
        """The next `count` migrations of the load, fewer at their end."""
        taken = self.load.cases[self.next_n : min(self.next_n + count, self.load.plain)]
        self.next_n += len(taken)
        return taken

    def take_mixed(self) -> Sequence[BenchCase]:
        """The cases of all types; once."""
        return self.load.cases[self.load.plain :]


@asynccontextmanager
async def embedded(folder: Path, load: Load) -> AsyncIterator[Stage]:
    """All registries on SQLite files in one process, the ledger in the same."""
    _prepare(folder, load)
    ledger = folder / "ledger.db"
    plan = WorkerPlan(
        provinces=list(load.people),
        database=f"sqlite:///{folder}/{{code}}.db",
        transport="memory:",
        ledger=f"sqlite:///{ledger}",
        folder=str(folder),
    )
    async with AsyncExitStack() as stack:
        workers, ports = await _start_workers(stack, [plan])
        await order_all(workers, "seed")
        registers = {code: SqliteReader(folder / f"{code}.db") for code in load.people}
        look = await _looking(stack, folder, registers, SqliteReader(ledger))
        pids = {"registry": workers[0].pid}
        yield Stage(load, workers, look, folder, pids, dict.fromkeys(load.people, 0), ports)


@asynccontextmanager
async def live(folder: Path, load: Load, worker_count: int) -> AsyncIterator[Stage]:
    """A broker, a database server, the ledger's process, and the workers that share the provinces."""
    _prepare(folder, load)
    async with AsyncExitStack() as stack:
        postgres, kafka = await _servers(stack, folder, load.people)
        ledger = await stack.enter_async_context(_ledger(folder, postgres))
        shares = spread(load, worker_count)
        common = {
            "database": postgres.dsn(DATABASE),
            "transport": f"kafka://{kafka.bootstrap}",
            "ledger": f"http://127.0.0.1:{ledger.port}",
            "folder": str(folder),
        }
        plans = [WorkerPlan(provinces=share, **common) for share in shares]
        workers, ports = await _start_workers(stack, plans)
        await order_all(workers, "seed")
        look = await _looking(stack, folder, *await _postgres_readers(postgres, load.people))
        pids = {f"registry.{n}": worker.pid for n, worker in enumerate(workers)}
        pids |= {"ledger": ledger.pid, "kafka": kafka.pid, "postgres": postgres.pid}
        homes = {code: n for n, share in enumerate(shares) for code in share}
        stage = Stage(load, workers, look, folder, pids, homes, ports)
        stage.postgres, stage.bootstrap, stage.ledger_port = postgres, kafka.bootstrap, ledger.port
        stage.shares = shares
        yield stage


async def _servers(
    stack: AsyncExitStack, folder: Path, provinces: Iterable[Province]
) -> tuple[PostgresServer, KafkaServer]:
    """Both servers with their topics and empty databases."""
    postgres = PostgresServer(folder / "postgres")
    stack.callback(postgres.remove)
    kafka = KafkaServer(folder / "kafka", profile="bench")
    # One after the other: each wants both cores to start.
    await postgres.start()
    # Nobody reads this data again; to write it all out would take longer than some measurements.
    stack.push_async_callback(postgres.stop, "immediate")
    await stack.enter_async_context(kafka)
    await create_topics(kafka.bootstrap, wanted_topics(load_topics(), provinces, single_broker=True))
    for code in provinces:
        await postgres.create_database(DATABASE.format(code=code))
    await postgres.create_database(LEDGER_DATABASE)
    return postgres, kafka


async def _postgres_readers(
    postgres: PostgresServer, provinces: Iterable[Province]
) -> tuple[dict[Province, PostgresReader], PostgresReader]:
    """Of the registers, and of the ledger."""
    registers = {
        code: await PostgresReader.open(postgres.dsn(DATABASE.format(code=code))) for code in provinces
    }
    return registers, await PostgresReader.open(postgres.dsn(LEDGER_DATABASE))


def _prepare(folder: Path, load: Load) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    load.write(folder / "load")
    generate_keys(folder / "keys", [*load.people, "ledger", GATEWAY])


def _ledger(folder: Path, postgres: PostgresServer) -> Server:
    options = ["--database", postgres.dsn(LEDGER_DATABASE), "--keys", str(folder / "keys")]
    return Server("tongban_ledger.main", free_port(), options, folder)


async def _start_workers(stack: AsyncExitStack, plans: Sequence[WorkerPlan]) -> tuple[list[Child], list[int]]:
    children = [Child(WORKER, plan, Path(plan.folder), f"worker-{n}") for n, plan in enumerate(plans)]
    workers = [await stack.enter_async_context(child) for child in children]
    ready = await asyncio.gather(*(worker.answer("ready") for worker in workers))
    return workers, [answer["port"] for answer in ready]


async def _looking(
    stack: AsyncExitStack, folder: Path, registers: Mapping[Province, Reader], ledger: Reader
) -> Country:
    look = Country(registers, ledger, load_secrets(folder / "keys").custody)
    stack.push_async_callback(look.close)
    return look


@asynccontextmanager
async def gateway(stage: Stage) -> AsyncIterator[Server]:
    """One gateway process in front of the workers' doors."""
    doors = {code: stage.door_of(code) for code in stage.home_of}
    lines = [f'"{code}" = ["http://127.0.0.1:{door.port}{door.prefix}"]' for code, door in doors.items()]
    directory = stage.folder / "gateway.toml"
    client = "[client]\npool_keepalive_connections_max = 64\n[registries]\n"
    directory.write_text(client + "\n".join(lines), encoding="utf-8")
    options = ["--directory", str(directory), "--keys", str(stage.folder / "keys")]
    options += ["--ledger", f"http://127.0.0.1:{stage.ledger_port}"]
    async with Server("tongban_gateway.main", free_port(), options, stage.folder) as server:
        stage.pids["gateway"] = server.pid
        try:
            yield server
        finally:
            del stage.pids["gateway"]
