"""What ports.Transport promises, kept by each of its adapters: embedded and Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.fixtures_kafka import renew_topics
from tongban_sandbox.servers.kafka import KafkaServer
from tongban_shared.errors import TransportDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Inlet, Position, Record, Transport
from tongban_shared.transports.kafka import KafkaTransport
from tongban_shared.transports.memory import MemoryTransport

HERE, THERE = Province("43"), Province("44")
DEADLINE_S = 20.0

TransportFactory = Callable[[], Awaitable[Transport]]
Outage = Callable[[Transport], AbstractAsyncContextManager[None]]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.live)])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    """The broker's address, None for the embedded transport."""
    found: str | None = None
    if request.param == "kafka":
        found = request.getfixturevalue("kafka_bootstrap")
    return found


@pytest.fixture
async def transport_factory(bootstrap: str | None) -> AsyncIterator[TransportFactory]:
    """Opens transports of one kind; the logs of HERE and THERE are empty."""
    opened: list[Transport] = []
    if bootstrap is not None:
        await renew_topics(bootstrap, [HERE, THERE])

    async def make() -> Transport:
        if bootstrap is None:
            opened.append(MemoryTransport())
        else:
            opened.append(await KafkaTransport.open(bootstrap, send_timeout_s=5.0))
        return opened[-1]

    yield make
    for transport in opened:
        await transport.close()


@pytest.fixture
def outage(request: pytest.FixtureRequest, bootstrap: str | None) -> Outage:
    """Switches off what is behind a transport: the embedded one itself, or the real broker."""
    if bootstrap is None:
        return embedded_outage
    server: KafkaServer = request.getfixturevalue("kafka_server")

    @asynccontextmanager
    async def broker_outage(_: Transport) -> AsyncIterator[None]:
        await server.stop()
        try:
            yield
        finally:
            await server.start()

    return broker_outage


@asynccontextmanager
async def embedded_outage(transport: Transport) -> AsyncIterator[None]:
    """The embedded transport has a switch."""
    assert isinstance(transport, MemoryTransport)
    transport.down = True
    yield
    transport.down = False


@pytest.fixture
async def transport(transport_factory: TransportFactory) -> Transport:
    """One open transport."""
    return await transport_factory()


async def test_order_is_kept_within_receiver_and_family(transport: Transport) -> None:
    """Parcels sent at once arrive in the order of the calls, large and small, also on a topic's first use."""
    parcels = [b"%04d" % number + bytes(60_000 if number % 7 == 0 else 10) for number in range(300)]
    await asyncio.gather(*(transport.send(THERE, Family.MIGRATION, data, {}) for data in parcels))
    assert [record.data for record in await read(transport, THERE, len(parcels))] == parcels


async def test_positions_count_up_within_one_log(transport: Transport) -> None:
    """A family's records carry one log id and rising positions."""
    await send(transport, Family.COMMON, range(5))
    records = await read(transport, THERE, 5)
    assert {record.log_id for record in records} == {records[0].log_id}
    assert [record.position for record in records] == sorted({record.position for record in records})


async def test_headers_arrive(transport: Transport) -> None:
    """Headers arrive as they were given, Chinese text too."""
    headers = {"ce_type": "offer", "note": "准迁证"}
    await transport.send(THERE, Family.COMMON, b"x", headers)
    assert (await read(transport, THERE, 1))[0].headers == headers


async def test_reading_acknowledges_nothing(transport: Transport) -> None:
    """A second inlet at the same positions sees the same records."""
    await send(transport, Family.MIGRATION, range(3))
    assert await read(transport, THERE, 3) == await read(transport, THERE, 3)


async def test_reading_goes_on_at_a_position(transport: Transport) -> None:
    """An inlet opened after the second record begins with the third."""
    await send(transport, Family.MIGRATION, range(5))
    second = (await read(transport, THERE, 5))[1]
    start = {Family.MIGRATION: Position(second.log_id, second.position + 1)}
    assert numbers(await read(transport, THERE, 3, start)) == [2, 3, 4]


async def test_a_position_at_the_end_waits_for_the_next_record(transport: Transport) -> None:
    """An inlet opened at the end reads what comes after it, and nothing before."""
    await send(transport, Family.MIGRATION, range(2))
    last = (await read(transport, THERE, 2))[-1]
    inlet = await transport.open_inlet(THERE, {Family.MIGRATION: Position(last.log_id, last.position + 1)})
    assert await inlet.poll(10, 0.1) == ()
    await send(transport, Family.MIGRATION, [7])
    assert numbers(await collect(inlet, 1)) == [7]


async def test_an_unknown_log_is_read_from_its_beginning(transport: Transport) -> None:
    """A position in a log that is gone counts for nothing: the new log is read whole."""
    await send(transport, Family.MIGRATION, range(3))
    start = {Family.MIGRATION: Position("a log that is gone", 2)}
    assert numbers(await read(transport, THERE, 3, start)) == [0, 1, 2]


async def test_families_have_logs_of_their_own(transport: Transport) -> None:
    """A position in one family moves no other."""
    for family in Family:
        await send(transport, family, range(2))
    first = await read(transport, THERE, 8)
    start = {record.family: Position(record.log_id, record.position + 1) for record in first}
    del start[Family.IDENTITY]
    again = await read(transport, THERE, 2, start)
    assert [(record.family, record.data) for record in again] == [
        (Family.IDENTITY, b"0"),
        (Family.IDENTITY, b"1"),
    ]


async def test_urgent_families_come_first_in_a_poll(transport: Transport) -> None:
    """Of what lies there, identity comes before common, certificate and migration."""
    for family in Family:
        await send(transport, family, [0])
    inlet = await transport.open_inlet(THERE, {})
    order = [record.family for record in await inlet.poll(10, DEADLINE_S)]
    urgency = [Family.IDENTITY, Family.COMMON, Family.CERTIFICATE, Family.MIGRATION]
    assert order == sorted(order, key=urgency.index)


async def test_a_bulk_backlog_does_not_hold_up_an_urgent_record(transport: Transport) -> None:
    """An identity record sent behind 20 MB of migrations is read while most of them still wait."""
    bulk = [transport.send(THERE, Family.MIGRATION, bytes(100_000), {}) for _ in range(200)]
    await asyncio.gather(*bulk)
    inlet = await transport.open_inlet(THERE, {})
    assert {record.family for record in await inlet.poll(5, DEADLINE_S)} == {Family.MIGRATION}
    await send(transport, Family.IDENTITY, [1])
    read_before = 5
    while (records := await inlet.poll(5, DEADLINE_S))[0].family is Family.MIGRATION:
        read_before += len(records)
        assert read_before < 150
    assert records[0].family is Family.IDENTITY


async def test_who_comes_back_takes_the_urgent_backlog_first(transport: Transport) -> None:
    """With a backlog in several families, the urgent is read before most of the bulk that came earlier."""
    await send(transport, Family.MIGRATION, range(600))
    await send(transport, Family.CERTIFICATE, range(30))
    await send(transport, Family.IDENTITY, range(30))
    inlet = await transport.open_inlet(THERE, {})
    read: list[Family] = []
    while not {Family.IDENTITY, Family.CERTIFICATE} <= set(read) or read.count(Family.CERTIFICATE) < 30:
        read += [record.family for record in await inlet.poll(40, DEADLINE_S)]
        assert len(read) < 600
    assert read.count(Family.IDENTITY) == 30
    assert read.count(Family.MIGRATION) < 200
    last_identity = len(read) - read[::-1].index(Family.IDENTITY)
    assert last_identity <= len(read) - read[::-1].index(Family.CERTIFICATE)


async def test_an_urgent_flood_does_not_starve_the_bulk(transport: Transport) -> None:
    """While more urgent records wait than a poll may take, each poll takes some of the others too."""
    await send(transport, Family.MIGRATION, range(10))
    await send(transport, Family.IDENTITY, range(200))
    inlet = await transport.open_inlet(THERE, {})
    await inlet.poll(20, DEADLINE_S)
    families = {record.family for record in await inlet.poll(20, DEADLINE_S)}
    assert families == {Family.IDENTITY, Family.MIGRATION}


async def test_provinces_have_logs_of_their_own(transport: Transport) -> None:
    """A parcel is read by its receiver alone."""
    await transport.send(HERE, Family.COMMON, b"1", {})
    await transport.send(THERE, Family.COMMON, b"2", {})
    assert numbers(await read(transport, HERE, 1)) == [1]
    assert numbers(await read(transport, THERE, 1)) == [2]


async def test_a_poll_returns_at_most_its_limit(transport: Transport) -> None:
    """A poll returns no more than it was asked for, and the next one goes on after it."""
    await send(transport, Family.MIGRATION, range(10))
    inlet = await transport.open_inlet(THERE, {})
    first = await inlet.poll(4, DEADLINE_S)
    assert 1 <= len(first) <= 4
    assert numbers([*first, *await collect(inlet, 10 - len(first))]) == list(range(10))


async def test_a_waiting_poll_is_woken(transport: Transport) -> None:
    """A poll that waits returns when a record arrives, long before its limit."""
    inlet = await transport.open_inlet(THERE, {})
    assert await inlet.poll(10, 0.1) == ()
    waiting = asyncio.create_task(asyncio.wait_for(collect(inlet, 1), DEADLINE_S))
    await send(transport, Family.IDENTITY, [1])
    assert numbers(await waiting) == [1]


async def test_the_largest_parcel_passes(transport: Transport) -> None:
    """A parcel of 900 000 bytes arrives whole, amid small ones."""
    parcels = [b"a", b"b" * 900_000, b"c"]
    await asyncio.gather(*(transport.send(THERE, Family.MIGRATION, data, {}) for data in parcels))
    assert [record.data for record in await read(transport, THERE, 3)] == parcels


async def test_an_open_transport_is_ready(transport: Transport) -> None:
    """There is no reason why not."""
    assert await transport.ready() is None


async def test_closing_twice_is_safe(transport: Transport) -> None:
    """Inlet and transport may be closed again."""
    await send(transport, Family.COMMON, [1])
    inlet = await transport.open_inlet(THERE, {})
    await collect(inlet, 1)
    for _ in range(2):
        await inlet.close()
        await transport.close()


async def test_an_outage_is_told_and_survived(transport: Transport, outage: Outage) -> None:
    """While the pipe is down a send raises; when it is back all works, and nothing was touched in between."""
    inlet = await transport.open_inlet(THERE, {})
    await send(transport, Family.MIGRATION, [1])
    assert numbers(await collect(inlet, 1)) == [1]
    async with outage(transport):
        with pytest.raises(TransportDownError):
            await transport.send(THERE, Family.MIGRATION, b"2", {})
        assert await transport.ready() is not None
    await send(transport, Family.MIGRATION, [3])
    assert numbers(await collect(inlet, 1))[-1] == 3
    assert await transport.ready() is None


async def send(transport: Transport, family: Family, numbers: Iterable[int]) -> None:
    """Send small numbered parcels to THERE, in order."""
    await asyncio.gather(*(transport.send(THERE, family, b"%d" % number, {}) for number in numbers))


async def read(
    transport: Transport, province: Province, count: int, positions: Mapping[Family, Position] | None = None
) -> list[Record]:
    """Open an inlet, read `count` records and see that no more come, close it."""
    inlet = await transport.open_inlet(province, positions or {})
    records = await collect(inlet, count)
    assert await inlet.poll(10, 0.1) == ()
    await inlet.close()
    return records


async def collect(inlet: Inlet, count: int) -> list[Record]:
    """Poll until `count` records are there. Fails after 20 s, or if a poll brings more."""
    records: list[Record] = []
    until = time.monotonic() + DEADLINE_S
    while len(records) < count:
        assert time.monotonic() < until, f"{len(records)} of {count} records came"
        records.extend(await inlet.poll(count - len(records), 0.5))
    return records


def numbers(records: Iterable[Record]) -> list[int]:
    """The numbers in the parcels of `send`."""
    return [int(record.data) for record in records]
