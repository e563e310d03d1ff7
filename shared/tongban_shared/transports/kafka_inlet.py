"""One province's reading end on Kafka: four topics, positions kept by the caller, a watchdog over the client.

The client library's consumer prefetches for all families at once; a family is asked for by name here, urgent
ones first, so that a backlog of one never stands before another. When in doubt the consumer is dropped and a
new one starts at the first record that the caller has not got.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Position, Record
from tongban_shared.transports.kafka_broker import Broker, describe_logs
from tongban_shared.transports.topics import URGENT_FIRST, topic_name

logger = logging.getLogger(__name__)

STALL_LIMIT_S = 30.0
REBUILDS_MAX = 3
LOG_CHECK_S = 5.0
PAUSE_S = 0.5
STOP_LIMIT_S = 5.0

CONSUMER_SETTINGS: Mapping[str, Any] = {
    # No group: one reader for each province, fenced elsewhere; the position is in its own database.
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_uncommitted",
    "fetch_max_wait_ms": 500,
    # Several polls' worth: with 1 MiB a reader that takes its time got a third less of a backlog.
    "max_partition_fetch_bytes": 4_194_304,
}

Fetched = dict[Family, list[ConsumerRecord[bytes, bytes]]]


class KafkaInlet:
    """Keeps the promises of ports.Inlet. One poll at a time. `fault` tells why nothing comes, else None.

    stall_limit_s: how long records may lie in Kafka undelivered before the consumer is rebuilt.
    """

    def __init__(
        self,
        broker: Broker,
        province: Province,
        positions: Mapping[Family, Position],
        *,
        stall_limit_s: float = STALL_LIMIT_S,
    ) -> None:
        self.fault: str | None = None
        self.closed = False
        self._broker = broker
        self._parts = {family: TopicPartition(topic_name(family, province), 0) for family in URGENT_FIRST}
        self._positions = dict(positions)
        self._stall_limit_s = stall_limit_s
        self._consumer: AIOKafkaConsumer | None = None
        self._doubtful = False
        self._rebuilds = 0
        self._delivered_at = self._checked_at = 0.0

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return 0 to `limit` records, urgent families first; up to 0.5 s more while there is no cluster."""
        try:
            consumer = await self._usable()
            await self._check_logs()
            return self._accept(await self._fetch(consumer, limit, timeout_s)) or await self._watch(consumer)
        except (KafkaError, ConsumerStoppedError, OSError, TransportDownError) as error:
            self._doubtful = True
            if not self.closed:
                await asyncio.sleep(min(timeout_s, PAUSE_S))
            raise TransportDownError(str(error) or type(error).__name__) from error
        except asyncio.CancelledError:
            self._doubtful = True  # Records may have left the consumer without reaching the caller.
            raise

    async def close(self) -> None:
        """Stop reading. Safe to repeat."""
        self.closed = True
        await self._drop()

    async def _usable(self) -> AIOKafkaConsumer:
        if self.closed:
            raise TransportDownError("this inlet is closed")
        if self._doubtful or self._consumer is None:
            await self._drop()
            self._consumer = await self._open()
            self._doubtful = False
        return self._consumer

    async def _open(self) -> AIOKafkaConsumer:
        """Start a consumer where the caller goes on. Raises TransportDownError, KafkaError."""
        logs = await self._logs()
        consumer = AIOKafkaConsumer(**self._broker.settings(), **CONSUMER_SETTINGS)
        try:
            await consumer.start()
            consumer.assign(list(self._parts.values()))
            begins = await consumer.beginning_offsets(list(self._parts.values()))
            ends = await consumer.end_offsets(list(self._parts.values()))
            if self.closed:
                raise ConsumerStoppedError("this inlet was closed while it was opening")  # noqa: TRY301
        except BaseException:
            await _stop(consumer)
            raise
        for family, part in self._parts.items():
            known = self._positions.get(family)
            goes_on = known is not None and known.log_id == logs[family] and known.next <= ends[part]
            start = max(known.next, begins[part]) if known is not None and goes_on else begins[part]
            consumer.seek(part, start)
            self._positions[family] = Position(logs[family], start)
        self._delivered_at = self._checked_at = time.monotonic()
        return consumer

    async def _logs(self) -> Mapping[Family, str]:
        logs = await describe_logs(self._broker, [part.topic for part in self._parts.values()])
        missing = [topic for topic, log in logs.items() if log is None]
        if missing:
            raise TransportDownError(f"no topic {', '.join(missing)}: make it with tongban topics create")
        return {family: log.id for family, part in self._parts.items() if (log := logs[part.topic])}

    async def _check_logs(self) -> None:
        """Notice a topic that was made anew under a running consumer, which would read on regardless."""
        if time.monotonic() - self._checked_at < LOG_CHECK_S:
            return
        logs = await self._logs()
        self._checked_at = time.monotonic()
        if any(self._positions[family].log_id != log_id for family, log_id in logs.items()):
            raise TransportDownError("a topic was made anew; it is read from its beginning")

    async def _fetch(self, consumer: AIOKafkaConsumer, limit: int, timeout_s: float) -> Fetched:
        fetched = await self._buffered(consumer, limit)
        if fetched or timeout_s <= 0:
            return fetched
        # One record wakes us up; what came with it is asked for by family again.
        woken = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=1)
        families = {part: family for family, part in self._parts.items()}
        first = {families[part]: records for part, records in woken.items()}
        more = await self._buffered(consumer, limit - 1) if first else {}
        return {
            family: [*first.get(family, ()), *more.get(family, ())]
            for family in URGENT_FIRST
            if family in first or family in more
        }

    async def _buffered(self, consumer: AIOKafkaConsumer, limit: int) -> Fetched:
        """What is here already, without waiting. A family takes at most 3/4 of the room that is left."""
        fetched: Fetched = {}
        left = limit
        for family, part in self._parts.items():
            if left <= 0:
                break
            share = left if family is URGENT_FIRST[-1] else max(1, left * 3 // 4)
            records = (await consumer.getmany(part, timeout_ms=0, max_records=share)).get(part)
            if records:
                fetched[family] = records
                left -= len(records)
        return fetched

    def _accept(self, fetched: Fetched) -> Sequence[Record]:
        """Turn into records and move the positions; nothing at all if a log went back in its numbers."""
        for family, found in fetched.items():
            if found[0].offset < self._positions[family].next:
                del self._positions[family]
                self._doubtful = True
                return ()
        accepted: list[Record] = []
        for family, found in fetched.items():
            log_id = self._positions[family].log_id
            accepted.extend(Record(family, log_id, r.offset, r.value or b"", _headers(r)) for r in found)
            self._positions[family] = Position(log_id, found[-1].offset + 1)
        if accepted:
            self._delivered_at, self._rebuilds, self.fault = time.monotonic(), 0, None
        return accepted

    async def _watch(self, consumer: AIOKafkaConsumer) -> Sequence[Record]:
        """Nothing came: rebuild the consumer if nothing came for long although there is something to read.

        Raises TransportDownError when the third rebuild in a row comes due; `fault` then stays set until
        something comes, so that readiness fails and the supervisor starts the process anew.
        """
        if self._doubtful or time.monotonic() - self._delivered_at < self._stall_limit_s:
            return ()
        lag = await self._lag(consumer)
        self._delivered_at = time.monotonic()
        if lag <= 0:
            self._rebuilds, self.fault = 0, None
            return ()
        self._doubtful = True
        self._rebuilds += 1
        logger.warning("consumer stalled with %d records to read, rebuild %d", lag, self._rebuilds)
        if self._rebuilds >= REBUILDS_MAX:
            self._rebuilds = 0
            self.fault = f"{lag} records lie in Kafka and {REBUILDS_MAX} new consumers in a row read none"
            raise TransportDownError(f"{self.fault}: start this process anew")
        return ()

    async def _lag(self, consumer: AIOKafkaConsumer) -> int:
        """Records from this consumer's own position, which skips what is gone, to the logs' ends."""
        ends = await consumer.end_offsets(list(self._parts.values()))
        lag = 0
        for part, end in ends.items():
            try:
                async with asyncio.timeout(self._broker.request_timeout_s):
                    lag += max(0, end - await consumer.position(part))
            except TimeoutError:  # It has not even found its position: all of the log is before it.
                lag += end
        return lag

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)


def _headers(record: ConsumerRecord[bytes, bytes]) -> dict[str, str]:
    return {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer, also one whose own `stop` fails half-way: a fetch that waits to retry cancels it."""
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait([stopping], timeout=STOP_LIMIT_S)
    if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
        await consumer._client.close()  # noqa: SLF001  # the library offers no second try
