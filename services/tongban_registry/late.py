"""A transport that may come later: the registry starts without its broker and reads as soon as there is one.

Until then sends fail as they do on any broken day: the outbox keeps what they carried (C5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from tongban_shared.errors import TransportDownError

if TYPE_CHECKING:
    from tongban_shared.ids import Province
    from tongban_shared.ports import Family, Inlet, Position, Record, Transport

RETRY_S = 1.0
LOGGED_EACH = 30
NOT_YET = "the broker has not been reached yet"

log = structlog.get_logger()


class LateTransport:
    """Keeps the promises of ports.Transport; until `run` got through, calls fail (TransportDownError)."""

    def __init__(self, open_it: Callable[[], Awaitable[Transport]]) -> None:
        self._open = open_it
        self._inner: Transport | None = None
        self._opened = asyncio.Event()

    async def run(self) -> None:
        """Open it, trying until it works. Raises SettingsError."""
        attempt = 0
        while self._inner is None:
            try:
                self._inner = await self._open()
            except (TransportDownError, OSError) as error:
                if attempt % LOGGED_EACH == 0:
                    log.warning("broker not reached, trying on", error_type=type(error).__name__)
                attempt += 1
                await asyncio.sleep(RETRY_S)
        self._opened.set()

    async def opened(self, timeout_s: float) -> Transport:
        """The transport itself, once there is one. Raises TransportDownError after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError as error:
            raise TransportDownError(NOT_YET) from error
        return self._now()

    def _now(self) -> Transport:
        if self._inner is None:
            raise TransportDownError(NOT_YET)
        return self._inner

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        await self._now().send(to, family, data, headers)

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> Inlet:
        return _LateInlet(self, province, positions)

    async def ready(self) -> str | None:
        return NOT_YET if self._inner is None else await self._inner.ready()

    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()


class _LateInlet:
    """Reads from where the registry stands, as soon as there is something to read from."""

    def __init__(self, late: LateTransport, province: Province, positions: Mapping[Family, Position]) -> None:
        self._late = late
        self._province = province
        self._positions = positions
        self._inner: Inlet | None = None

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        if self._inner is None:
            transport = await self._late.opened(timeout_s)
            self._inner = await transport.open_inlet(self._province, self._positions)
        return await self._inner.poll(limit, timeout_s)

    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()
