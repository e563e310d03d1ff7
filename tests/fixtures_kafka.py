"""Kafka for tests: `kafka_bootstrap` (one real broker a session, with every province's topics).

A test that needs logs of its own makes them anew with `renew_topics`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.loops import run
from tongban_sandbox.servers.kafka import KafkaServer
from tongban_shared.errors import TransportDownError
from tongban_shared.ids import PROVINCES, Province
from tongban_shared.ports import Family, Inlet, Transport
from tongban_shared.transports.kafka_broker import Broker, describe_logs
from tongban_shared.transports.kafka_topics import create_topics
from tongban_shared.transports.topics import load_topics, wanted_topics

KAFKA_JARS = Path(__file__).parents[1] / "var" / "kafka-jars"
HERE = Province("44")
DEADLINE_S = 30.0
# With these words an inlet gives up for good.
FINAL = "start this process anew"


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """The session's broker. A test that stops it starts it again; address and data stay."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka"), jars=KAFKA_JARS)
    run(server.start())
    run(make_topics(server.bootstrap, sorted(PROVINCES)))
    yield server
    run(server.stop())


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """host:port of the session's broker."""
    return kafka_server.bootstrap


async def make_topics(bootstrap: str, provinces: Sequence[Province]) -> None:
    """Make what is missing of these provinces' topics, one copy of each."""
    await create_topics(bootstrap, wanted_topics(load_topics(), provinces, single_broker=True))


async def renew_topics(bootstrap: str, provinces: Sequence[Province]) -> None:
    """Delete these provinces' topics and make them anew: empty, each with a new log id."""
    wanted = wanted_topics(load_topics(), provinces, single_broker=True)
    await delete_topics(bootstrap, [topic.name for topic in wanted])
    await create_topics(bootstrap, wanted)


async def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    """Delete topics and return when they are gone: a broker hears of it later than it says yes to it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()
    end = time.monotonic() + DEADLINE_S
    while any((await describe_logs(Broker(bootstrap), names)).values()):
        assert time.monotonic() < end, "the topics are still there"


async def put(transport: Transport, number: int) -> None:
    """Send one numbered parcel to HERE."""
    await transport.send(HERE, Family.MIGRATION, b"%d" % number, {})


async def take(inlet: Inlet, count: int) -> list[int]:
    """Poll until `count` numbers are there; a broker that is away may be met on the way. Fails after 30 s."""
    numbers: list[int] = []
    end = time.monotonic() + DEADLINE_S
    while len(numbers) < count:
        assert time.monotonic() < end, f"only {numbers} came"
        try:
            records = await inlet.poll(count - len(numbers), 0.2)
        except TransportDownError as error:
            if FINAL in str(error):
                raise
            continue
        numbers.extend(int(record.data) for record in records)
    return numbers
