"""The raw ceilings of broker and database, measured with what the run before has sent and written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tongban_sandbox.bench.ceilings import KafkaCeiling, Share, SqlCeiling
from tongban_sandbox.bench.check import INSERTED
from tongban_sandbox.bench.children import Child
from tongban_sandbox.bench.country import DATABASE, Stage
from tongban_shared.ids import Province
from tongban_shared.transports.kafka_topics import create_topics
from tongban_shared.transports.topics import Topic

CHILD = "tongban_sandbox.bench.ceilings"
TOPIC = "bench.ceiling.{number}"
RECORDS_MAX = 60_000
ROWS_MAX = 250_000
WRITTEN = ("inbox", "outbox", "cases", "timeline", "history", "access_log", "unit", "proof")
# Persons and their forms: the rows that the run has touched, not those of the seeding.
TOUCHED = "SELECT count(*), coalesce(sum(version - 1), 0) FROM person WHERE version > 1"
MOVED_IN = "SELECT count(*) FROM person WHERE epoch > 0 AND state = 'HELD'"
CASE_CHANGES = "SELECT count(*), coalesce(sum(version - 1), 0) FROM cases"


async def kafka_records_per_s(stage: Stage, records: int, size_bytes: int) -> float:
    """So many records of this size through the client library, by as many processes as there were workers."""
    topics = [TOPIC.format(number=number) for number in range(2 * len(stage.load.people))]
    settings = {"min.insync.replicas": "1"}
    await create_topics(stage.bootstrap, [Topic(topic, 1, 1, settings) for topic in topics])
    each = max(1, min(records, RECORDS_MAX) // len(topics))
    count = len(stage.workers)
    plans = [KafkaCeiling(stage.bootstrap, topics[n::count], each, size_bytes) for n in range(count)]
    return await _together(stage, plans)


async def sql_rows_per_s(stage: Stage) -> float:
    """The rows of the runs before, in transactions of the same size, into copies of the tables."""
    shares = {code: await _share(stage, code) for code in stage.load.people}
    total = sum(_rows(share) for share in shares.values())
    part = min(1.0, ROWS_MAX / max(1, total))
    plans = [SqlCeiling([_scaled(shares[code], part) for code in codes]) for codes in stage.shares]
    return await _together(stage, plans)


async def _share(stage: Stage, code: Province) -> Share:
    reader = stage.look.registers[code]
    counts = {name: int(count) for name, count in await reader.rows(INSERTED)}
    inserts = {name: counts[name] for name in WRITTEN}
    touched, changes = (await reader.rows(TOUCHED))[0]
    inserts["person"] = int(touched)
    inserts["record"] = int((await reader.rows(MOVED_IN))[0][0])
    cases, case_changes = (await reader.rows(CASE_CHANGES))[0]
    updates = {
        "outbox": 1,
        "cases": round(int(case_changes) / max(1, int(cases))),
        "person": round(int(changes) / max(1, int(touched))),
    }
    assert stage.postgres is not None
    dsn = stage.postgres.dsn(DATABASE.format(code=code)).replace("+asyncpg", "")
    return Share(dsn, max(1, counts["unit"]), inserts, updates)


def _rows(share: Share) -> int:
    return sum(count * (1 + share.updates.get(name, 0)) for name, count in share.inserts.items())


def _scaled(share: Share, part: float) -> Share:
    """Fewer transactions, each as large."""
    inserts = {name: int(count * part) for name, count in share.inserts.items()}
    return Share(share.dsn, max(1, int(share.units * part)), inserts, share.updates)


async def _together(stage: Stage, plans: Sequence[KafkaCeiling | SqlCeiling]) -> float:
    """All start when all are prepared; the sum over the time of the slowest."""
    async with AsyncExitStack() as stack:
        kind = type(plans[0]).__name__.lower()
        children = [Child(CHILD, plan, stage.folder, f"{kind}-{n}") for n, plan in enumerate(plans)]
        for child in children:
            await stack.enter_async_context(child)
        await asyncio.gather(*(child.answer("ready") for child in children))
        answers: Sequence[Mapping[str, Any]] = await asyncio.gather(
            *(child.order("go") for child in children)
        )
    count: int = sum(answer["count"] for answer in answers)
    slowest_s: float = max(answer["wall_s"] for answer in answers)
    return round(count / slowest_s, 1)
