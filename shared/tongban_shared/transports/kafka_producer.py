"""The producer behind KafkaTransport: one at a time, replaced by itself when it is broken.

An idempotent producer of the client library never gives a batch up, and one that met a gap in its sequence
numbers (aiokafka #1017) never sends again. So whoever waited in vain says so here, the old one is dropped
with all that it still holds, and one task starts the next, for as long as that takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerClosed

from tongban_shared.transports.kafka_broker import Broker

START_LIMIT_S = 10.0
DISCARD_LIMIT_S = 1.0
PAUSE_S, PAUSE_MAX_S = 0.1, 1.0

PRODUCER_SETTINGS: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    # cramjam is not among our packages; parcels are signed and partly sealed bytes, which pack badly anyway.
    "compression_type": None,
    # Load makes the batches: under it, a linger of 1 or 5 ms carried no more, and at rest it only delays.
    "linger_ms": 0,
    # Measured: 16 KiB carries a third of this, 512 KiB no more. A larger parcel makes a batch of its own.
    "max_batch_size": 262_144,
    "max_request_size": 1_000_000,
}


class Producers:
    """The producer in use. `fault` says why there is none; it is None while there is, or none was needed."""

    def __init__(self, broker: Broker) -> None:
        self.fault: str | None = None
        self._settings = {**broker.settings(), **PRODUCER_SETTINGS}
        self._current: AIOKafkaProducer | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def usable(self) -> AIOKafkaProducer:
        """Return a started producer; waits for one without limit. Raises ProducerClosed after `close`."""
        while self._current is None:
            if self._closed:
                raise ProducerClosed
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._renew(None))
            # Not awaited itself: a limit of one waiter must not end the start that others wait for.
            await asyncio.wait([self._renewal])
        return self._current

    def replace(self, broken: AIOKafkaProducer, fault: str) -> None:
        """Drop a producer that failed and start the next. Does nothing if that has been done."""
        if self._current is broken and not self._closed:
            self.fault = fault
            self._current = None
            self._renewal = asyncio.create_task(self._renew(broken))

    async def close(self, limit_s: float) -> None:
        """Flush for at most `limit_s`, then end. Safe to repeat."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
        current, self._current = self._current, None
        if current is not None:
            await asyncio.wait([asyncio.create_task(current.flush())], timeout=limit_s)
            await self._end(current)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _renew(self, broken: AIOKafkaProducer | None) -> None:
        if broken is not None:
            await self._end(broken)
        pause_s = PAUSE_S
        while not await self._start():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
        self.fault = None
        self._renewal = None

    async def _start(self) -> bool:
        producer = AIOKafkaProducer(**self._settings)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await producer.start()
            self._current = producer
        except (KafkaError, OSError, TimeoutError) as error:
            self.fault = f"Kafka takes no producer: {str(error) or type(error).__name__}"
        finally:
            if self._current is not producer:
                await self._end(producer)
        return self._current is producer

    async def _end(self, producer: AIOKafkaProducer) -> None:
        """Close one, to the end even if whoever waits for it is cancelled."""
        task = asyncio.create_task(_discard(producer))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.wait([task])


async def _discard(producer: AIOKafkaProducer) -> None:
    """Close a producer that may be stuck, within about 2 s; what it still holds fails.

    Its own `stop` waits without limit for batches that no broker takes, so its sending task is ended first.
    """
    sending = producer._sender.sender_task  # noqa: SLF001  # the library offers no way to give up
    for _ in range(2):  # The second cancellation cuts off a request that no broker answers.
        if sending is not None and not sending.done():
            sending.cancel()
            await asyncio.wait([sending], timeout=DISCARD_LIMIT_S)
    producer._message_accumulator.fail_all(KafkaConnectionError("the producer was replaced"))  # noqa: SLF001
    await producer.stop()
