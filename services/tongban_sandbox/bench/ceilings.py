"""What broker and database carry without a registry: `python -m tongban_sandbox.bench.ceilings PLAN.json`.

The same records through the client library alone, the same rows through batched SQL alone; as many processes
as there were workers.

A child says it is ready, waits for the order to go, and answers with what it did.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from tongban_shared.transports.kafka_inlet import CONSUMER_SETTINGS
from tongban_shared.transports.kafka_producer import PRODUCER_SETTINGS

IN_FLIGHT_MAX = 500
RECORDS_PER_POLL_MAX = 200
SCHEMA = "ceiling"
ROWS_READ_MAX = 40_000
ARRAYS = {"text": "text[]", "bigint": "bigint[]", "integer": "integer[]"}
COLUMNS = (
    "SELECT column_name, data_type, is_identity FROM information_schema.columns"
    " WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position"
)


class KafkaCeiling(msgspec.Struct, frozen=True, tag="kafka"):
    """records of size_bytes to each topic; every one is read again by the same process."""

    bootstrap: str
    topics: list[str]
    records: int
    size_bytes: int


class Share(msgspec.Struct, frozen=True):
    """One province's rows: how many of each table, in so many transactions.

    updates: how often each row of a table is changed after it.
    """

    dsn: str
    units: int
    inserts: dict[str, int]
    updates: dict[str, int]


class SqlCeiling(msgspec.Struct, frozen=True, tag="sql"):
    """Databases with their rows, written at the same time, a connection each."""

    shares: list[Share]


class Table:
    """One table's copy with real rows, in columns as `unnest` takes them."""

    def __init__(self, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
        self.key = columns[0][0]
        self.rows = rows
        names = ", ".join(f'"{column}"' for column, _ in columns)
        arrays = ", ".join(f"${n}::{ARRAYS[kind]}" for n, (_, kind) in enumerate(columns, 1))
        self.insert = f'INSERT INTO {SCHEMA}."{name}" ({names}) SELECT * FROM unnest({arrays})'  # noqa: S608 (our names)
        values = ", ".join(f'"{column}" = new."{column}"' for column, _ in columns[1:])
        self.update = (
            f'UPDATE {SCHEMA}."{name}" AS old SET {values} FROM unnest({arrays}) AS new ({names})'  # noqa: S608
            f' WHERE old."{self.key}" = new."{self.key}"'
        )

    def part(self, number: int, parts: int) -> list[list[Any]]:
        """Columns of the rows that belong to transaction `number` of `parts`."""
        total = len(self.rows)
        begin, end = total * number // parts, total * (number + 1) // parts
        return [list(column) for column in zip(*self.rows[begin:end], strict=True)]


async def kafka(plan: KafkaCeiling) -> dict[str, Any]:
    """Send and read; returns records and seconds."""
    producer = AIOKafkaProducer(bootstrap_servers=plan.bootstrap, **PRODUCER_SETTINGS)
    consumer = AIOKafkaConsumer(bootstrap_servers=plan.bootstrap, **CONSUMER_SETTINGS)
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0) for topic in plan.topics])
    try:
        await _barrier()
        started_s = time.monotonic()
        await asyncio.gather(_send(producer, plan), _read(consumer, plan.records * len(plan.topics)))
        return {"count": plan.records * len(plan.topics), "wall_s": time.monotonic() - started_s}
    finally:
        await producer.stop()
        await consumer.stop()


async def _send(producer: AIOKafkaProducer, plan: KafkaCeiling) -> None:
    data = os.urandom(plan.size_bytes)
    under_way: deque[asyncio.Future[Any]] = deque()
    for _ in range(plan.records):
        for topic in plan.topics:
            under_way.append(await producer.send(topic, data, partition=0))
            if len(under_way) > IN_FLIGHT_MAX:
                await under_way.popleft()
    await asyncio.gather(*under_way)


async def _read(consumer: AIOKafkaConsumer, left: int) -> None:
    while left > 0:
        found = await consumer.getmany(timeout_ms=1000, max_records=RECORDS_PER_POLL_MAX)
        left -= sum(len(records) for records in found.values())


async def sql(plan: SqlCeiling) -> dict[str, Any]:
    """Write; returns rows and seconds."""
    connections = [await asyncpg.connect(share.dsn) for share in plan.shares]
    try:
        pairs = list(zip(connections, plan.shares, strict=True))
        prepared = [await _prepare(connection, share) for connection, share in pairs]
        await _barrier()
        started_s = time.monotonic()
        works = zip(connections, plan.shares, prepared, strict=True)
        counts = await asyncio.gather(*(_write(*work) for work in works))
        return {"count": sum(counts), "wall_s": time.monotonic() - started_s}
    finally:
        for connection in connections:
            await connection.close()


async def _prepare(connection: asyncpg.Connection, share: Share) -> dict[str, Table]:
    """Copy the tables with their indexes, and read the rows that the run has left."""
    await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
    tables = {}
    for name, count in share.inserts.items():
        like = f'CREATE TABLE {SCHEMA}."{name}" (LIKE public."{name}" INCLUDING ALL)'
        await connection.execute(like)
        known = await connection.fetch(COLUMNS, name)
        columns = [(column, kind) for column, kind, identity in known if identity == "NO"]
        listed = ", ".join(f'"{column}"' for column, _ in columns)
        limit = min(count, ROWS_READ_MAX)
        # The newest rows: those of the run, not of the seeding before it.
        query = f'SELECT {listed} FROM public."{name}" ORDER BY ctid DESC LIMIT {limit}'  # noqa: S608 (our names)
        tables[name] = Table(name, columns, [tuple(row) for row in await connection.fetch(query)])
    return tables


async def _write(connection: asyncpg.Connection, share: Share, tables: dict[str, Table]) -> int:
    """As many transactions as the run had units of work, each with its part of every table."""
    count = 0
    for number in range(share.units):
        async with connection.transaction():
            for name, table in tables.items():
                part = table.part(number, share.units)
                if not part:
                    continue
                await connection.execute(table.insert, *part)
                rounds = share.updates.get(name, 0)
                for _ in range(rounds):
                    await connection.execute(table.update, *part)
                count += len(part[0]) * (1 + rounds)
    return count


async def _barrier() -> None:
    """Say that all is prepared; go on when told."""
    _tell(done="ready")
    await asyncio.to_thread(sys.stdin.buffer.readline)


def _tell(**told: Any) -> None:  # noqa: ANN401 (JSON)
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


async def main(plan: KafkaCeiling | SqlCeiling) -> None:
    """Measure one share."""
    _tell(done="go", **(await kafka(plan) if isinstance(plan, KafkaCeiling) else await sql(plan)))


if __name__ == "__main__":
    uvloop.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=KafkaCeiling | SqlCeiling)))
