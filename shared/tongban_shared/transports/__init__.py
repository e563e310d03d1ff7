"""Transports behind one port: embedded and Kafka. Chosen by URL: `memory:` or `kafka://host:port[,host:port]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tongban_shared.errors import SettingsError
from tongban_shared.transports.memory import MemoryTransport

if TYPE_CHECKING:
    from tongban_shared.ports import Transport


async def open_transport(url: str) -> Transport:
    """Open the transport that a setting names. Raises SettingsError for an unknown one."""
    if url == "memory:":
        return MemoryTransport()
    if url.startswith("kafka://"):
        from tongban_shared.transports.kafka import KafkaTransport  # noqa: PLC0415  # only who uses Kafka loads it

        return await KafkaTransport.open(url.removeprefix("kafka://"))
    raise SettingsError("transport: want memory: or kafka://host:port")
