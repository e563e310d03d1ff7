"""Known failures of the Kafka client library, made to happen, and the guard for each (guards.md §4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.structs import TopicPartition

from tests.fixtures_kafka import HERE, put, renew_topics, take
from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Position
from tongban_shared.transports import kafka_inlet
from tongban_shared.transports.kafka import KafkaTransport
from tongban_shared.transports.kafka_inlet import KafkaInlet
from tongban_shared.transports.topics import topic_name

pytestmark = pytest.mark.live
TOPIC = topic_name(Family.MIGRATION, HERE)
NOWHERE = Province("99")
DEADLINE_S = 30.0
SEND_TIMEOUT_S = 3.0


@pytest.fixture
async def transport(kafka_bootstrap: str) -> AsyncIterator[KafkaTransport]:
    """An open transport that gives a parcel up after 3 s; the logs of HERE are empty."""
    await renew_topics(kafka_bootstrap, [HERE])
    opened = await KafkaTransport.open(kafka_bootstrap, send_timeout_s=SEND_TIMEOUT_S)
    yield opened
    await opened.close()


async def test_a_gap_in_the_sequence_is_healed(transport: KafkaTransport) -> None:
    """A producer that met OutOfOrderSequence fails one parcel, is replaced, and the next one passes."""
    await put(transport, 1)
    producer = await transport._producers.usable()
    producer._txn_manager.increment_sequence_number(TopicPartition(TOPIC, 0), 5)
    with pytest.raises(TransportDownError, match="OutOfOrderSequence"):
        await put(transport, 2)
    await put(transport, 3)
    inlet = await transport.open_inlet(HERE, {})
    assert await take(inlet, 2) == [1, 3]


async def test_order_is_kept_through_a_replacement(transport: KafkaTransport) -> None:
    """Of parcels sent at once while the producer breaks, those acknowledged lie in the order of the calls."""
    await put(transport, 0)
    producer = await transport._producers.usable()
    producer._txn_manager.increment_sequence_number(TopicPartition(TOPIC, 0), 5)
    outcomes = await asyncio.gather(*(put(transport, n) for n in range(1, 200)), return_exceptions=True)
    await put(transport, 200)
    acknowledged = [number for number, outcome in enumerate(outcomes, 1) if outcome is None]
    inlet = await transport.open_inlet(HERE, {})
    seen: list[int] = []
    while 200 not in seen:
        seen.extend(await take(inlet, 1))
    assert [number for number in seen if number in acknowledged] == acknowledged


async def test_a_missing_topic_spoils_no_other(transport: KafkaTransport) -> None:
    """A send to a topic that was never made fails in time and names it; others pass meanwhile."""
    await put(transport, 1)
    producer = await transport._producers.usable()
    lost = asyncio.create_task(transport.send(NOWHERE, Family.COMMON, b"x", {}))
    await put(transport, 2)
    with pytest.raises(TransportDownError, match=r"tongban\.v1\.common\.99"):
        await lost
    assert await transport._producers.usable() is producer


async def test_a_topic_made_anew_is_read_from_its_beginning(
    kafka_bootstrap: str, transport: KafkaTransport
) -> None:
    """An inlet that has read further than the new log reaches begins with the new log's first record."""
    inlet = await transport.open_inlet(HERE, {})
    for number in range(5):
        await put(transport, number)
    await take(inlet, 5)
    await renew_topics(kafka_bootstrap, [HERE])
    await put(transport, 7)
    assert await take(inlet, 1) == [7]


async def test_a_topic_made_anew_is_noticed_by_its_id(
    kafka_bootstrap: str, transport: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from the beginning also when the new log has already grown beyond the old position."""
    monkeypatch.setattr(kafka_inlet, "LOG_CHECK_S", 0.0)
    inlet = await transport.open_inlet(HERE, {})
    await put(transport, 1)
    await take(inlet, 1)
    await renew_topics(kafka_bootstrap, [HERE])
    for number in range(10, 15):
        await put(transport, number)
    assert await take(inlet, 5) == [10, 11, 12, 13, 14]


async def test_a_position_beyond_the_end_is_read_from_the_beginning(transport: KafkaTransport) -> None:
    """A log that lost its end is read whole rather than waited for."""
    await put(transport, 1)
    inlet = await transport.open_inlet(HERE, {})
    log_id = (await inlet.poll(1, DEADLINE_S))[0].log_id
    ahead = await transport.open_inlet(HERE, {Family.MIGRATION: Position(log_id, 99)})
    assert await take(ahead, 1) == [1]


async def test_a_silent_consumer_is_rebuilt(transport: KafkaTransport) -> None:
    """A consumer whose fetching ended unseen (aiokafka #983) is replaced; no record is lost or doubled."""
    inlet = await open_watched(transport, stall_limit_s=0.3)
    await put(transport, 1)
    assert await take(inlet, 1) == [1]
    await silence(inlet)
    await put(transport, 2)
    assert await take(inlet, 1) == [2]
    assert inlet.fault is None


async def test_an_inlet_that_stays_silent_asks_for_a_new_process(
    transport: KafkaTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third rebuild in a row raises, readiness fails until something comes, and is good then."""
    inlet = await open_watched(transport, stall_limit_s=0.2)
    await put(transport, 1)
    assert await take(inlet, 1) == [1]
    await put(transport, 2)
    with monkeypatch.context() as patch:
        patch.setattr(KafkaInlet, "_fetch", nothing)
        with pytest.raises(TransportDownError, match="start this process anew"):
            await take(inlet, 1)
    assert "new consumers in a row" in (await transport.ready() or "")
    assert await take(inlet, 1) == [2]
    assert await transport.ready() is None


async def test_a_cancelled_poll_loses_nothing(transport: KafkaTransport) -> None:
    """Records on their way when a poll was cancelled come with the next one."""
    inlet = await transport.open_inlet(HERE, {})
    assert await inlet.poll(10, 0.1) == ()
    waiting = asyncio.create_task(inlet.poll(10, DEADLINE_S))
    await put(transport, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    received = [int(record.data) for record in waiting.result()] if not waiting.cancelled() else []
    assert received or await take(inlet, 1) == [1]


async def open_watched(transport: KafkaTransport, *, stall_limit_s: float) -> KafkaInlet:
    """Open an inlet whose watchdog looks after `stall_limit_s` instead of 30 s."""
    inlet = await transport.open_inlet(HERE, {})
    inlet._stall_limit_s = stall_limit_s
    return inlet


async def silence(inlet: KafkaInlet) -> None:
    """End the consumer's fetching as the library's own fault does: without a word."""
    assert inlet._consumer is not None
    assert inlet._consumer._fetcher is not None
    fetching = inlet._consumer._fetcher.error_future
    fetching.cancel()
    await asyncio.wait([fetching])


async def nothing(*_: object) -> dict[Family, list[object]]:
    """Stand in for a fetch that never brings anything."""
    await asyncio.sleep(0)
    return {}
