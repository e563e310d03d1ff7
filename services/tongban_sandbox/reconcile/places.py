"""Where the country to be proven is: a folder of the sandbox, or addresses; opened and closed as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from tongban_gateway.settings import load_directory_file
from tongban_ledger.storage.sql import open_store as open_ledger
from tongban_registry.custody_statements import Speaker, Statements
from tongban_registry.storage.custody_sql import CustodyRows
from tongban_registry.storage.store import RegistryStore
from tongban_sandbox.clock import SandboxClock
from tongban_sandbox.reconcile.hearing import Country
from tongban_sandbox.reconcile.voices import (
    LedgerInFile,
    LedgerOverHttp,
    RegistryInFile,
    RegistryOverHttp,
    RegistryVoice,
)
from tongban_sandbox.state import Manifest
from tongban_shared.errors import SettingsError
from tongban_shared.ids import PROVINCES, Province, province
from tongban_shared.keys import load_directory, load_secrets, load_signer
from tongban_shared.ports import Clock

LEDGER_FILE: Final = "ledger.db"
# Reading is work for one processor, however many registers there are.
READ_AT_ONCE: Final = 2


@asynccontextmanager
async def in_folder(state: Path, clock: Clock | None = None) -> AsyncIterator[Country]:
    """A country in its files, whether a sandbox runs on them or not. Raises SettingsError, StoreDownError."""
    if not (state / LEDGER_FILE).is_file():
        raise SettingsError(f"no country in {state}; name its folder with --state, or its addresses")
    keys, clock = state / "keys", clock or _clock_of(state)
    turns = asyncio.Semaphore(READ_AT_ONCE)
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(f"sqlite:///{state / LEDGER_FILE}")
        stack.push_async_callback(ledger.close)
        registries: dict[Province, RegistryVoice] = {}
        for code in sorted(PROVINCES):
            if (file := state / f"{code}.db").is_file():
                store = await RegistryStore.open(f"sqlite:///{file}")
                stack.push_async_callback(store.close)
                secret = load_secrets(keys).custody
                speaker = Speaker(Province(code), load_signer(keys, code), secret, clock)
                registries[Province(code)] = RegistryInFile(
                    Statements(speaker, CustodyRows(store.engine)), turns
                )
        yield Country(registries, LedgerInFile(ledger), load_directory(keys), load_secrets(keys).custody)


def _clock_of(state: Path) -> Clock:
    """A country's clock may be ahead of the machine's."""
    try:
        manifest = msgspec.json.decode((state / "world.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return SandboxClock()
    return SandboxClock(manifest.clock_offset_s)


class Addresses(msgspec.Struct, frozen=True):
    """Where a running country is reached: a gateway for all registries, or each at its own address."""

    gateway: str | None
    registries: Mapping[Province, str]
    ledger: str


def read_addresses(
    gateway: str | None, registries: Sequence[str], directory: Path | None, ledger: str | None
) -> Addresses:
    """Options as addresses; what is named one by one goes before a directory file. Raises SettingsError."""
    named: dict[Province, str] = {}
    if directory is not None:
        file = load_directory_file(directory)
        named = {code: urls[0] for code, urls in file.addresses.items()}
        ledger = ledger or next(iter(file.ledger.urls), None)
    for pair in registries:
        code, _, url = pair.partition("=")
        if code not in PROVINCES or "://" not in url:
            raise SettingsError(f"--registry {pair}: want CODE=URL, such as 44=http://127.0.0.1:8044")
        named[province(code)] = url
    if ledger is None:
        raise SettingsError("want --ledger URL: without the ledger nothing can be proven")
    if gateway is None and not named:
        raise SettingsError("want --gateway URL, --registry CODE=URL for each province, or --directory FILE")
    return Addresses(gateway, named, ledger)


@asynccontextmanager
async def at(addresses: Addresses, keys: Path, owner: str) -> AsyncIterator[Country]:
    """A running country. owner: whose key signs the questions to the ledger. Raises SettingsError."""
    async with AsyncExitStack() as stack:

        async def client(url: str) -> httpx.AsyncClient:
            return await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))

        registries: dict[Province, RegistryVoice] = {}
        if addresses.gateway is not None:
            gateway = await client(addresses.gateway)
            registries |= {code: RegistryOverHttp(gateway, code) for code in await _provinces(gateway)}
        for code, url in addresses.registries.items():
            registries[code] = RegistryOverHttp(await client(url))
        ledger = LedgerOverHttp(await client(addresses.ledger), load_signer(keys, owner))
        yield Country(registries, ledger, load_directory(keys), load_secrets(keys).custody)


async def _provinces(gateway: httpx.AsyncClient) -> list[Province]:
    """All that the gateway knows. Raises SettingsError."""
    try:
        answer = (await gateway.get("/v1/provinces")).raise_for_status()
        return [province(item["province"]) for item in answer.json()["items"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"the gateway does not say which provinces there are ({type(error).__name__})"
        ) from error
