"""Strikes at the servers: PostgreSQL and Kafka killed, frozen, wiped; their keeper starts them again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound

if TYPE_CHECKING:
    from tongban_sandbox.servers import PostgresServer

BURST_PER_S = 60.0
BURST_LIMIT_S = 120.0
FROZEN_ORIGINS = 2


async def restart_postgres(field: Field) -> Wound:
    """Stop the shared PostgreSQL in its immediate mode, and start it again at once."""
    await field.country.postgres.stop("immediate")
    healed_s = time.monotonic()
    await field.country.postgres.start()
    return Wound(field.country.sharing(), healed_s=healed_s, told=[_took("PostgreSQL", healed_s)])


async def freeze_postgres(field: Field) -> Wound:
    """SIGSTOP of every process of the shared PostgreSQL for a while."""
    with frozen(_family(field.country.postgres)):
        await asyncio.sleep(field.hold_s)
    return Wound(field.country.sharing())


async def restart_broker(field: Field) -> Wound:
    """SIGKILL of the broker, and a new start at once."""
    await field.country.kafka.kill()
    healed_s = time.monotonic()
    await field.country.kafka.start()
    return Wound(healed_s=healed_s, told=[_took("the broker", healed_s)])


async def freeze_broker(field: Field) -> Wound:
    """SIGSTOP of the broker for a while."""
    with frozen([field.country.kafka.pid]):
        await asyncio.sleep(field.hold_s)
    return Wound()


async def wipe_broker(field: Field) -> Wound:
    """Delete all that the broker has, while many cases are open and most of their messages lie in it."""
    country = field.country
    in_flight = await _many_open(field)
    await country.kafka.kill()
    shutil.rmtree(country.kafka.directory / "data")
    country.thaw()
    healed_s = time.monotonic()
    await country.kafka.start()
    await country.make_topics()
    return Wound(healed_s=healed_s, in_flight=in_flight, told=[_took("the empty broker", healed_s)])


def _took(what: str, since_s: float) -> str:
    """How much of the recovery was its own."""
    return f"{what} itself took {time.monotonic() - since_s:.1f} s"


async def _many_open(field: Field) -> int:
    """Apply in a burst, the more of it the more registries stand still; returns how many cases are open.

    Cases are caught in every state; those that come later wait for an origin that does not read.
    """
    client, country = field.client, field.country
    until_s = time.monotonic() + BURST_LIMIT_S
    still = field.random.sample(sorted(country.sharing()), FROZEN_ORIGINS)
    client.only_from = frozenset(still)
    try:
        while len(client.open) < field.many_open:
            if len(client.open) >= field.many_open // 3 and not client.closed:
                client.closed = frozenset(still)
                for code in still:
                    country.registry(code).freeze()
            client.apply()
            await asyncio.sleep(1 / BURST_PER_S)
            if time.monotonic() > until_s:
                raise StrikeMissedError(f"only {len(client.open)} cases are open")
    finally:
        client.closed = client.only_from = frozenset()
    return len(client.open)


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """SIGSTOP while the block lasts."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _family(server: PostgresServer) -> list[int]:
    """The first process, which makes the others, before them."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    return [server.pid, *(int(pid) for pid in children.split())]
