"""The gateway's OpenAPI document, asked from a gateway before one empty registry, both in this process."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tongban_gateway.app import GatewayApp, Options, create_app
from tongban_gateway.upstream import AsgiUpstream
from tongban_registry.registry import Registry, Surrounds
from tongban_sandbox.clock import SandboxClock
from tongban_sandbox.docs_gen.text import json_text
from tongban_shared.keys import generate_keys, load_directory, load_secrets
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.provinces import load_provinces
from tongban_shared.transports.memory import MemoryTransport


def openapi_text() -> str:
    """docs/openapi.json: the same bytes on every machine."""
    return json_text(asyncio.run(_document()))


async def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with _gateway(Path(folder)) as gateway:
            pipe = httpx.ASGITransport(gateway)
            async with httpx.AsyncClient(transport=pipe, base_url="http://gateway") as http:
                answer = await http.get("/openapi.json")
                document: dict[str, Any] = answer.raise_for_status().json()
                return document


@asynccontextmanager
async def _gateway(folder: Path) -> AsyncIterator[GatewayApp]:
    """Any one registry describes them all: they run the same code."""
    profiles = load_provinces()
    code = min(profiles)
    generate_keys(folder, [code, "gateway"])
    clock, ledger = SandboxClock(), MemoryLedger()
    around = Surrounds(MemoryTransport(), ledger, clock, folder)
    registry = await Registry.open(profiles[code], f"sqlite:///{folder}/register.db", around)
    upstream = AsgiUpstream(registry.app())
    try:
        options = Options(keys=load_directory(folder), clock=clock)
        yield create_app(profiles, {code: upstream}, ledger, load_secrets(folder), options=options)
    finally:
        await upstream.close()
        await registry.stop()
