"""Parcels over Apache Kafka: one topic of one partition for each receiving province and family.

Kafka is a pipe here: no groups, no commits, no transactions. What it forgets, the sender's outbox sends
again; what it doubles, the receiver's inbox drops. Failures of the client library: guards.md §4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import RecordMetadata

from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Position
from tongban_shared.transports.kafka_broker import Broker, describe_logs
from tongban_shared.transports.kafka_inlet import KafkaInlet
from tongban_shared.transports.kafka_producer import Producers
from tongban_shared.transports.topics import topic_name
from tongban_shared.wire import PARCEL_SIZE_BYTES_MAX

READY_LIMIT_S = 0.9
# One request may carry a batch for each topic; a broker refuses requests above 100 MB, for ever.
IN_FLIGHT_BYTES_MAX = 33_554_432

NOT_THE_PRODUCERS_FAULT = (TopicAuthorizationFailedError, UnknownTopicOrPartitionError)

Headers = list[tuple[str, bytes]]


@dataclass(slots=True)
class _Lane:
    """One receiver and family: whoever comes first through the lock is first in the log."""

    topic: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KafkaTransport:
    """Keeps the promises of ports.Transport on a Kafka cluster. Build it with `open`."""

    def __init__(self, broker: Broker, send_timeout_s: float) -> None:
        self._broker = broker
        self._send_timeout_s = send_timeout_s
        self._producers = Producers(broker)
        self._lanes: dict[tuple[Province, Family], _Lane] = {}
        self._inlets: set[KafkaInlet] = set()
        self._room = _Room(IN_FLIGHT_BYTES_MAX)

    @classmethod
    async def open(
        cls, bootstrap: str, *, send_timeout_s: float = 10.0, tls: SSLContext | None = None
    ) -> Self:
        """Return at once: a cluster that is away is told by `ready`, and used when it is there.

        bootstrap: host:port[,host:port]. send_timeout_s: of one `send`, all waiting included. Raises
        SettingsError if bootstrap names no host.
        """
        return cls(Broker(bootstrap, tls, send_timeout_s), send_timeout_s)

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        """Return once every in-sync replica has the bytes. Raises ValueError unless they are 1 to 900_000.

        Many may be under way at once; their order per (to, family) is that of the calls. After a
        TransportDownError the bytes may still arrive, doubled and late.
        """
        if not 1 <= len(data) <= PARCEL_SIZE_BYTES_MAX:
            raise ValueError(f"a parcel is 1 to {PARCEL_SIZE_BYTES_MAX} bytes, not {len(data)}")
        lane = self._lanes.get((to, family)) or self._new_lane(to, family)
        encoded = [(name, value.encode()) for name, value in headers.items()]
        producer: AIOKafkaProducer | None = None
        handed_s = time.monotonic()
        try:
            async with asyncio.timeout(self._send_timeout_s):
                producer, taken = await self._enqueue(lane, data, encoded)
                handed_s = time.monotonic()
                try:
                    await taken
                finally:
                    self._room.give_back(len(data))
        except (TimeoutError, KafkaError) as error:
            fault = _fault(error)
            # A parcel that spent its time waiting for a producer says nothing against the one it got at last.
            in_vain = time.monotonic() - handed_s >= self._send_timeout_s / 2
            if producer is not None and (in_vain or not isinstance(error, TimeoutError)):
                self._producers.replace(producer, fault)
            raise TransportDownError(f"{lane.topic}: {self._producers.fault or fault}") from error

    def _new_lane(self, to: Province, family: Family) -> _Lane:
        return self._lanes.setdefault((to, family), _Lane(topic_name(family, to)))

    async def _enqueue(
        self, lane: _Lane, data: bytes, headers: Headers
    ) -> tuple[AIOKafkaProducer, asyncio.Future[RecordMetadata]]:
        """Hand bytes to a producer, in turn. The library itself lets later calls overtake waiting ones."""
        async with lane.lock:
            await self._room.take(len(data))
            try:
                producer = await self._producers.usable()
                try:
                    return producer, await producer.send(lane.topic, data, partition=0, headers=headers)
                except MessageSizeTooLargeError as error:
                    raise ValueError(f"a parcel's headers are too large: {error}") from error
                except NOT_THE_PRODUCERS_FAULT:
                    raise  # Another producer would fare no better.
                except KafkaError as error:
                    self._producers.replace(producer, _fault(error))
                    raise
            except BaseException:
                self._room.give_back(len(data))
                raise

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> KafkaInlet:
        """Return at once; the first `poll` connects, and raises TransportDownError if that fails."""
        inlet = KafkaInlet(self._broker, province, positions)
        self._inlets = {inlet, *(other for other in self._inlets if not other.closed)}
        return inlet

    async def ready(self) -> str | None:
        """Ask the cluster, within 1 s; else tell what is broken: the cluster, the producer or an inlet."""
        for inlet in self._inlets:
            if inlet.fault is not None:
                return inlet.fault
        try:
            await describe_logs(self._broker, (), READY_LIMIT_S)
        except TransportDownError as error:
            return str(error)
        return self._producers.fault

    async def close(self) -> None:
        """Wait up to `send_timeout_s` for what is under way, then close; inlets too. Safe to repeat."""
        await self._producers.close(self._send_timeout_s)
        for inlet in self._inlets:
            await inlet.close()


class _Room:
    """Bytes that may be under way at once; a single parcel may go over it."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        while self._left <= 0:
            self._freed.clear()
            await self._freed.wait()
        self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size
        self._freed.set()


def _fault(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "not acknowledged in time; tongban topics check tells whether there is such a topic"
    return f"Kafka: {error!r}"
