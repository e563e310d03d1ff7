"""What the Kafka transport promises beyond ports.Transport, seen without a broker."""

from __future__ import annotations

import pytest

from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province
from tongban_shared.ports import Family
from tongban_shared.transports.kafka import KafkaTransport
from tongban_shared.transports.kafka_inlet import CONSUMER_SETTINGS
from tongban_shared.transports.kafka_producer import PRODUCER_SETTINGS
from tongban_shared.transports.topics import load_topics
from tongban_shared.wire import PARCEL_SIZE_BYTES_MAX


@pytest.mark.parametrize("size", [0, 900_001])
async def test_kafka_refuses_what_is_no_parcel(size: int) -> None:
    """Nothing and too much are the caller's mistake, not the broker's absence."""
    transport = await KafkaTransport.open("127.0.0.1:1")
    with pytest.raises(ValueError, match="parcel"):
        await transport.send(Province("44"), Family.COMMON, bytes(size), {})
    await transport.close()


@pytest.mark.parametrize("bootstrap", ["", "broker:", "broker:port", "a:9092,,b:9092"])
async def test_kafka_wants_a_host_and_a_port(bootstrap: str) -> None:
    """A wrong address is told at once, not after a time."""
    with pytest.raises(SettingsError):
        await KafkaTransport.open(bootstrap)


def test_kafka_keeps_what_it_acknowledges() -> None:
    """All in-sync replicas acknowledge, repeats are dropped, and a batch fits a topic's largest message."""
    assert PRODUCER_SETTINGS["acks"] == "all"
    assert PRODUCER_SETTINGS["enable_idempotence"] is True
    assert PRODUCER_SETTINGS["max_request_size"] > PARCEL_SIZE_BYTES_MAX
    message_size_max_bytes = load_topics().common_settings.message_size_max_bytes
    assert PRODUCER_SETTINGS["max_request_size"] < message_size_max_bytes
    assert PRODUCER_SETTINGS["max_batch_size"] < message_size_max_bytes


def test_kafka_moves_no_position_by_itself() -> None:
    """No group, no commit; a position that is gone means the beginning, never the end."""
    assert CONSUMER_SETTINGS["group_id"] is None
    assert CONSUMER_SETTINGS["enable_auto_commit"] is False
    assert CONSUMER_SETTINGS["auto_offset_reset"] == "earliest"
    assert CONSUMER_SETTINGS["isolation_level"] == "read_uncommitted"
    assert CONSUMER_SETTINGS["max_partition_fetch_bytes"] > PRODUCER_SETTINGS["max_request_size"]
