"""A Kafka that stops or crashes: the transport recovers by itself and loses no acknowledged record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest

from tests.fixtures_kafka import HERE, KAFKA_JARS, make_topics, put, take
from tongban_sandbox.servers.kafka import KafkaServer
from tongban_shared.errors import TransportDownError
from tongban_shared.transports.kafka import KafkaTransport

pytestmark = pytest.mark.live
DEADLINE_S = 30.0
SEND_TIMEOUT_S = 3.0


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[KafkaServer]:
    """A broker of the test's own, with the topics of HERE."""
    async with KafkaServer(tmp_path / "kafka", jars=KAFKA_JARS) as server:
        await make_topics(server.bootstrap, [HERE])
        yield server


@pytest.fixture
async def transport(kafka: KafkaServer) -> AsyncIterator[KafkaTransport]:
    """An open transport that gives a parcel up after 3 s."""
    opened = await KafkaTransport.open(kafka.bootstrap, send_timeout_s=SEND_TIMEOUT_S)
    yield opened
    await opened.close()


class Tally:
    """What twenty senders were told of their parcels; whoever waits for it is woken."""

    def __init__(self) -> None:
        self.acknowledged: set[int] = set()
        self.refused = 0
        self._told = asyncio.Condition()
        self._over = False

    async def send_on(self, transport: KafkaTransport, first: int) -> None:
        """Send every twentieth number until it is over; a number that was refused is not sent again."""
        for number in count(first, 20):
            if self._over:
                return
            try:
                await put(transport, number)
                self.acknowledged.add(number)
            except TransportDownError:
                self.refused += 1
            async with self._told:
                self._told.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, at most 30 s."""
        async with asyncio.timeout(DEADLINE_S), self._told:
            await self._told.wait_for(condition)

    def end(self) -> None:
        """Let the senders come to their end."""
        self._over = True


async def test_a_crash_while_sending_loses_no_acknowledged_record(
    kafka: KafkaServer, transport: KafkaTransport
) -> None:
    """Killed and started again under load, with nothing else touched: what `send` acknowledged is read."""
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        for first in range(20):
            group.create_task(tally.send_on(transport, first))
        await tally.until(lambda: len(tally.acknowledged) > 500)
        await kafka.kill()
        await tally.until(lambda: tally.refused > 0)
        await kafka.start()
        before = len(tally.acknowledged)
        await tally.until(lambda: len(tally.acknowledged) > before + 500)
        tally.end()
    inlet = await transport.open_inlet(HERE, {})
    lost = set(tally.acknowledged)
    while lost:
        records = await inlet.poll(1000, DEADLINE_S)
        assert records, f"{len(lost)} acknowledged records are gone"
        lost.difference_update(int(record.data) for record in records)


async def test_a_stopped_broker_is_told_in_time(kafka: KafkaServer, transport: KafkaTransport) -> None:
    """`ready` says so within 1 s and `send` within its limit; both are well again after the start."""
    await put(transport, 1)
    await kafka.stop()
    asked_at = time.monotonic()
    assert "does not answer" in (await transport.ready() or "")
    assert time.monotonic() - asked_at <= 1.0
    asked_at = time.monotonic()
    with pytest.raises(TransportDownError):
        await put(transport, 2)
    assert time.monotonic() - asked_at <= SEND_TIMEOUT_S + 0.5
    await kafka.start()
    await put(transport, 3)
    assert await transport.ready() is None


async def test_a_restart_within_the_limit_is_not_noticed(kafka: KafkaServer) -> None:
    """A send under way while the broker restarts returns as if nothing had happened, once only."""
    transport = await KafkaTransport.open(kafka.bootstrap, send_timeout_s=DEADLINE_S)
    inlet = await transport.open_inlet(HERE, {})
    await put(transport, 1)
    assert await take(inlet, 1) == [1]
    await kafka.stop()
    sending = [asyncio.create_task(put(transport, number)) for number in range(2, 20)]
    await kafka.start()
    await asyncio.gather(*sending)
    assert await take(inlet, 18) == list(range(2, 20))
    await transport.close()


async def test_a_broker_that_comes_later_is_used(kafka: KafkaServer) -> None:
    """Transport and inlet may be opened while there is no broker."""
    await kafka.stop()
    transport = await KafkaTransport.open(kafka.bootstrap, send_timeout_s=DEADLINE_S)
    inlet = await transport.open_inlet(HERE, {})
    with pytest.raises(TransportDownError):
        await inlet.poll(1, 0.1)
    sending = asyncio.create_task(put(transport, 1))
    await kafka.start()
    await sending
    assert await take(inlet, 1) == [1]
    await transport.close()
