"""Strikes at what a register lies on: its disk full, its files replaced by an older copy."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tongban_sandbox.faults.client import PutBack
from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound
from tongban_sandbox.faults.strikes import MISSED_LIMIT_S
from tongban_shared.fault_points import VARIABLE

if TYPE_CHECKING:
    from tongban_sandbox.servers import PostgresServer

NO_SPACE = "No space left on device"
RENUMBERED = "gate.renumbered"


async def fill(field: Field) -> Wound:
    """Not a byte is left on the disk of one register for a while; then there is room again.

    A PostgreSQL that can't write its own log ends; its keeper starts it again when there is room.
    """
    server = field.country.postgres_cramped
    if server is None or server.disk is None:
        raise StrikeMissedError(f"no small disk: {field.country.no_small_disk}")
    before = _complaints(server)
    free_bytes = server.disk.fill()
    try:
        await asyncio.sleep(field.hold_s)
        complaints = _complaints(server) - before
    finally:
        server.disk.free()
    healed_s = time.monotonic()
    ended = not server.running
    if ended:
        await server.start()
    if not complaints:
        raise StrikeMissedError("the database never missed the room that was taken")
    told = f"{free_bytes >> 20} MB taken, missed {complaints} times" + (
        ", and PostgreSQL ended" if ended else ""
    )
    return Wound(frozenset({field.country.cramped}), healed_s=healed_s, told=[told])


def _complaints(server: PostgresServer) -> int:
    return server.log.read_text(encoding="utf-8", errors="replace").count(NO_SPACE)


async def put_back(field: Field) -> Wound:
    """One register's files are replaced by an older copy, with its program down, as by the book."""
    return await _put_back(field, {})


async def put_back_and_kill(field: Field) -> Wound:
    """The same, and its program is killed as it has taken its new number and knows nothing yet."""
    program = field.country.registry(field.country.apart)
    ends = len(program.ends)
    wound = await _put_back(field, {VARIABLE: f"{RENUMBERED}:1"})
    async with asyncio.timeout(MISSED_LIMIT_S):
        while len(program.ends) == ends:  # noqa: ASYNC110 (a process tells nobody)
            await asyncio.sleep(0.1)
    return wound


async def put_back_running(field: Field) -> Wound:
    """The same under a program that runs on, until it sees that its database has another past, and ends."""
    field.country.registry(field.country.apart).expect_end()
    return await _put_back(field, None)


async def _put_back(field: Field, once: Mapping[str, str] | None) -> Wound:
    """once: for the first life of the program after it; None: the program is not stopped."""
    country, server = field.country, field.country.postgres_apart
    program = country.registry(country.apart)
    copied_s = time.monotonic()
    copy = await server.backup()
    await asyncio.sleep(field.hold_s)
    in_flight = field.client.busy
    if once is not None:
        await program.stop(signal.SIGKILL)
    await server.stop("immediate")
    server.put_back(copy)
    healed_s = time.monotonic()
    field.client.put_back.append(PutBack(country.apart, copied_s, healed_s))
    await server.start()
    if once is not None:
        program.start(once=once)
    told = f"the copy was {healed_s - copied_s:.0f} s old"
    return Wound(frozenset({country.apart}), healed_s=healed_s, in_flight=in_flight, told=[told])
