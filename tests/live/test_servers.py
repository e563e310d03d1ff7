"""The two real servers start, work, survive a crash, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tongban_sandbox.servers import KafkaServer, PostgresServer, ServerFailedError
from tongban_sandbox.servers.small_disk import CrampedPostgres

# The first start on a machine fetches 45 MB of jars, so more time than usual.
pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
JARS = Path(__file__).parents[2] / "var" / "kafka-jars"
# A program that starts both servers, prints their process ids and waits to be killed.
POLL_S = 0.05
CHILD = """
import asyncio, sys
from pathlib import Path
from tongban_sandbox.servers import KafkaServer, PostgresServer

async def main():
    postgres = PostgresServer(Path(sys.argv[1]))
    kafka = KafkaServer(Path(sys.argv[2]), jars=Path(sys.argv[3]))
    async with postgres, kafka:
        print(postgres.pid, kafka.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A running PostgreSQL with one database, `people`."""
    server = PostgresServer(tmp_path / "postgres")
    async with server:
        await server.create_database("people")
        yield server
    server.remove()


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[KafkaServer]:
    """A running Kafka with one topic, `letters`."""
    async with KafkaServer(tmp_path / "kafka", jars=JARS) as server:
        admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("letters", num_partitions=1, replication_factor=1)])
        await admin.close()
        yield server


async def test_postgres_keeps_a_row_and_leaves_no_process(postgres: PostgresServer) -> None:
    """A committed row can be read; after a stop none of the server's processes is left."""
    assert await query(postgres, "CREATE TABLE person AS SELECT 7 AS number") == []
    assert await query(postgres, "SELECT number FROM person") == [7]
    family = family_of(postgres.pid)
    assert len(family) > 1
    await postgres.stop()
    await wait_until_gone(family, limit_s=2)


async def test_postgres_keeps_a_row_through_a_crash(postgres: PostgresServer) -> None:
    """A row that was committed is there after SIGKILL and a new start, at the same address."""
    await query(postgres, "CREATE TABLE person AS SELECT 7 AS number")
    family, address = family_of(postgres.pid), postgres.dsn("people")
    await postgres.kill()
    await wait_until_gone(family, limit_s=2)
    await postgres.start()
    assert postgres.dsn("people") == address
    assert await query(postgres, "SELECT number FROM person") == [7]


async def test_postgres_is_durable_and_closed_to_strangers(postgres: PostgresServer) -> None:
    """It syncs each commit, and refuses who does not know its password."""
    assert await query(postgres, "SELECT setting FROM pg_settings WHERE name = 'fsync'") == ["on"]
    assert await query(postgres, "SELECT setting FROM pg_settings WHERE name = 'synchronous_commit'") == [
        "on"
    ]
    stranger = plain(postgres).replace("postgres:", "postgres:x", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stranger)


async def test_postgres_is_put_back_to_a_copy(postgres: PostgresServer) -> None:
    """Copied while it runs; put back, it knows what was committed before the copy and nothing after it."""
    await execute(postgres, "CREATE TABLE note (n int)", "INSERT INTO note VALUES (1)")
    copy = await postgres.backup()
    await execute(postgres, "INSERT INTO note VALUES (2)")
    await postgres.stop("immediate")
    postgres.put_back(copy)
    await postgres.start()
    assert await query(postgres, "SELECT n FROM note") == [1]


async def test_a_small_disk_runs_full_and_is_freed(tmp_path: Path) -> None:
    """Filled, it takes no more rows; freed, it does, and has every row that it said yes to, crash or not."""
    server = CrampedPostgres(tmp_path / "postgres")
    rows = "INSERT INTO note SELECT repeat('x', 1000) FROM generate_series(1, 1000)"
    try:
        await server.start()
        await server.create_database("people")
        await execute(server, "CREATE TABLE note (x text)", rows)
        assert server.disk is not None
        assert server.disk.fill() > 0
        with pytest.raises(asyncpg.DiskFullError):
            await execute(server, *[rows] * 40)
        server.disk.free()
        kept = await query(server, "SELECT count(*) FROM note")
        await server.kill()
        await server.start()
        await execute(server, rows)
        assert await query(server, "SELECT count(*) FROM note") == [int(str(kept[0])) + 1000]
    finally:
        await server.stop("immediate")
        await server.release()
        server.remove()


async def test_kafka_carries_a_record_and_leaves_no_process(kafka: KafkaServer) -> None:
    """A produced record can be consumed; after a stop the server is gone."""
    await produce(kafka, b"one")
    assert await consume(kafka, 1) == [b"one"]
    family = family_of(kafka.pid)
    await kafka.stop()
    await wait_until_gone(family, limit_s=2)


async def test_kafka_keeps_a_record_through_a_crash(kafka: KafkaServer) -> None:
    """An acknowledged record is there after SIGKILL and a new start, at the same address."""
    await produce(kafka, b"one")
    address = kafka.bootstrap
    await kafka.kill()
    await kafka.start()
    assert kafka.bootstrap == address
    await produce(kafka, b"two")
    assert await consume(kafka, 2) == [b"one", b"two"]


async def test_kafka_makes_no_topic_by_itself(kafka: KafkaServer) -> None:
    """A misspelt topic is an error, not a new topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.describe_topics(["lettres"])
    assert await admin.list_topics() == ["letters"]
    await admin.close()


async def test_a_server_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    """The error of a failed start names the log and ends with what the server said last."""
    server = KafkaServer(tmp_path, jars=JARS, settings={"node.id": "none"})
    with pytest.raises(ServerFailedError, match="Not a number of type INT") as caught:
        await server.start()
    assert caught.value.log == tmp_path / "kafka.log"


async def test_servers_die_with_a_killed_program(tmp_path: Path) -> None:
    """When the program that started them is killed, both servers end within seconds."""
    folders = [str(tmp_path / "postgres"), str(tmp_path / "kafka"), str(JARS)]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, *folders, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    family = {int(word) for word in (await child.stdout.readline()).split()}
    assert still_running(family) == family
    child.kill()
    await child.wait()
    try:
        await wait_until_gone(family, limit_s=20)
    finally:
        PostgresServer(tmp_path / "postgres").remove()


def plain(server: PostgresServer) -> str:
    """The address of `people` for asyncpg itself."""
    return server.dsn("people").replace("+asyncpg", "")


async def query(server: PostgresServer, sql: str) -> list[object]:
    """The first column of what `sql` returns."""
    connection = await asyncpg.connect(plain(server))
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def execute(server: PostgresServer, *statements: str) -> None:
    """Each in a transaction of its own."""
    connection = await asyncpg.connect(plain(server))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def produce(server: KafkaServer, value: bytes) -> None:
    """Send one record and wait until it is acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all") as producer:
        await producer.send_and_wait("letters", value)


async def consume(server: KafkaServer, count: int) -> list[bytes | None]:
    """The first `count` records."""
    consumer = AIOKafkaConsumer("letters", bootstrap_servers=server.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [(await consumer.getone()).value for _ in range(count)]


def family_of(pid: int) -> set[int]:
    """A process and its children, read from /proc."""
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return {pid, *(child for child in pids if state_of(child)[1:2] == [str(pid)])}


def still_running(pids: set[int]) -> set[int]:
    """Those of `pids` that run; an ended one whom init has not buried yet does not."""
    return {pid for pid in pids if state_of(pid)[:1] not in ([], ["Z"], ["X"])}


def state_of(pid: int) -> list[str]:
    """A process's state letter, its parent and more; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


async def wait_until_gone(pids: set[int], limit_s: float) -> None:
    """Return when none of `pids` runs; end and report those that outlive the limit."""
    until = time.monotonic() + limit_s
    while left := still_running(pids):
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"still running after {limit_s} s: {left}")
        await asyncio.sleep(POLL_S)
