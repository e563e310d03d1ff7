"""The whole country in one process: 31 registries, custody ledger and gateway, as in service but for sockets.

async with World(StateFolder(path, Plan())) as world:
    await world.start()
    ... world.gateway is an ASGI application
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from tongban_gateway.app import GatewayApp, Options, create_app as create_gateway
from tongban_gateway.breaker import BreakerPolicy
from tongban_gateway.forward import Patience
from tongban_ledger.app import create_app as create_ledger
from tongban_ledger.storage.sql import LedgerStore, open_store
from tongban_registry.post import load_post_settings, open_post
from tongban_sandbox.clock import SandboxClock
from tongban_sandbox.hostile import HostileWire
from tongban_sandbox.province import LedgerLine, ProvinceHost, Site
from tongban_sandbox.registers import Reading, Registers, has_people
from tongban_sandbox.seeding import Place, Progress, claim_all, seed_register
from tongban_sandbox.together import together
from tongban_sandbox.volumes import population
from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province
from tongban_shared.keys import Secrets, generate_keys, load_directory, load_secrets, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.provinces import ProvinceProfile, deploy_folder, load_provinces
from tongban_shared.transports.memory import MemoryTransport

if TYPE_CHECKING:
    from tongban_registry.channels import Post
    from tongban_sandbox.homes import Homes
    from tongban_sandbox.state import StateFolder
    from tongban_shared.ports import Ledger

T = TypeVar("T")

GATEWAY = "gateway"
LEDGER = "ledger"
SEEDED_AT_ONCE = 3
# A province that was killed and restarted is asked again soon: people watch.
PATIENCE = Patience(breaker=BreakerPolicy(open_s=0.5, open_s_max=2.0))


class World:
    """One country on one state folder. Open, seed, start, stop it; `start` goes on where it stood."""

    def __init__(self, state: StateFolder) -> None:
        self.state = state
        self.profiles: Mapping[Province, ProvinceProfile] = load_provinces()
        self.clock = SandboxClock(state.manifest.clock_offset_s)
        self.wire = HostileWire(MemoryTransport(), seed=state.manifest.plan.seed, clock=self.clock)
        self.hosts: dict[Province, ProvinceHost] = {}
        self._secrets: Secrets | None = None
        self._ledger_store: LedgerStore | None = None
        self._ledger_pipe: httpx.ASGITransport | None = None
        self._ledgers: dict[Province, Ledger] = {}
        self._clients: list[httpx.AsyncClient] = []
        self._registers: Registers | None = None
        self._reading = asyncio.Lock()
        self._gateway: GatewayApp | None = None
        self._post: Post | None = None

    @property
    def people(self) -> int:
        """How many people the plan registers, all provinces together."""
        return sum(population(self.state.manifest.plan.scale).values())

    @property
    def gateway(self) -> GatewayApp:
        """The gateway; its registries answer once the world is started."""
        return _there(self._gateway)

    @property
    def registers(self) -> Registers:
        """The sandbox's own look into the registers."""
        return _there(self._registers)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def open(self) -> None:
        """Make what is missing: keys, databases, tables. Raises SettingsError, StoreDownError."""
        keys = self.state.keys
        generate_keys(keys, [*self.profiles, LEDGER, GATEWAY])
        self._secrets = load_secrets(keys)
        self._discard_half_seeded()
        await self._open_ledger()
        self._post = open_post(load_post_settings())
        for code in self.profiles:
            await self._open_province(code)
        self._gateway = self._make_gateway()
        files = {code: self.state.register_file(code) for code in self.profiles}
        self._registers = Registers(files, self.state.ledger_file)

    def _discard_half_seeded(self) -> None:
        """A register whose seeding was cut off begins anew; one that has lost its people is not refilled."""
        seeded = self.state.manifest.seeded
        for code in self.profiles:
            file = self.state.register_file(code)
            if code not in seeded:
                self.state.forget([file])
            elif not has_people(file):
                raise SettingsError(
                    f"{file.name} has lost its people while others go on; put back a copy of it, or begin"
                    " a new country with another --state"
                )

    async def _open_ledger(self) -> None:
        self._ledger_store = await open_store(f"sqlite:///{self.state.ledger_file}")
        application = create_ledger(self._ledger_store, load_directory(self.state.keys))
        self._ledger_pipe = httpx.ASGITransport(application)

    def _ledger_of(self, owner: str, line: httpx.AsyncBaseTransport) -> HttpLedger:
        client = httpx.AsyncClient(transport=line, base_url="http://ledger")
        self._clients.append(client)
        return HttpLedger(client, load_signer(self.state.keys, owner), _there(self._secrets).custody)

    async def _open_province(self, code: Province) -> None:
        end = self.wire.end_of(code)
        self._ledgers[code] = self._ledger_of(code, LedgerLine(_there(self._ledger_pipe), end))
        site = Site(
            profile=self.profiles[code],
            database=self.state.register_file(code),
            keys=self.state.keys,
            ledger=self._ledgers[code],
            clock=self.clock,
            fence=self.state.fence_file(code),
            backup=self.state.backup_file(code),
            post=_there(self._post),
        )
        self.hosts[code] = ProvinceHost(site, end)
        await self.hosts[code].open()

    def _make_gateway(self) -> GatewayApp:
        contract = deploy_folder().parent / "docs" / "asyncapi.json"
        options = Options(
            keys=load_directory(self.state.keys),
            clock=self.clock,
            patience=PATIENCE,
            asyncapi=contract.read_bytes() if contract.is_file() else None,
        )
        ledger = self._ledger_of(GATEWAY, _there(self._ledger_pipe))
        return create_gateway(self.profiles, self.hosts, ledger, _there(self._secrets), options=options)

    async def seed(self, progress: Progress = lambda _: None) -> int:
        """Enter the people of each province that has none; returns how many. A cut-off seeding is redone."""
        manifest = self.state.manifest
        wanted = population(manifest.plan.scale)
        missing = [code for code in self.profiles if code not in manifest.seeded]
        turns = asyncio.Semaphore(SEEDED_AT_ONCE)
        await together(self._seed_one(code, wanted[code], (turns, progress)) for code in missing)
        if missing or not manifest.in_ledger:
            await self._enter_ledger()
        return sum(wanted[code] for code in missing)

    async def _seed_one(
        self, code: Province, people: int, around: tuple[asyncio.Semaphore, Progress]
    ) -> None:
        turns, progress = around
        async with turns:
            place = Place(code, _there(self.hosts[code].registry).store, _there(self._secrets).person)
            await seed_register(place, people, self.state.manifest.plan.seed, progress)
            self.state.manifest.seeded[code] = people
            self.state.save()

    async def _enter_ledger(self) -> None:
        """All first registrations at once; nobody has moved yet, so the registers tell who they are."""
        keys = {code: await asyncio.to_thread(self.registers.keys, code) for code in self.profiles}
        now_us = int(self.clock.now().timestamp() * 1_000_000)
        await claim_all(_there(self._ledger_store), keys, _there(self._secrets).custody, now_us)
        self.state.manifest.in_ledger = True
        self.state.save()

    async def start(self) -> None:
        """Start all registries; what a stop or a crash left open goes on. Seeds first where nobody lives."""
        await self.seed()
        for host in self.hosts.values():
            await host.start()

    async def stop(self) -> None:
        """Stop everything in good order. Safe to repeat, also when `open` or `start` failed half-way."""
        if self._registers is not None:
            # The last to close a database tidies it up, and a reader can't.
            self._registers.close()
            self._registers = None
        await asyncio.gather(*(host.stop() for host in self.hosts.values()))
        await self.wire.close()
        for client in self._clients:
            await client.aclose()
        if self._post is not None:
            await self._post.close()
            self._post = None
        if self._ledger_store is not None:
            await self._ledger_store.close()
            self._ledger_store = None
        self.state.close()

    async def read(self) -> Reading:
        """All registers at one moment: figures of each province, and who has how many homes."""
        async with self._reading:
            registers = self.registers
            registers.pin()
            reading = asyncio.ensure_future(asyncio.to_thread(registers.read))
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                # A thread can't be stopped, and must not lose its connections while it reads.
                await asyncio.wait({reading})
                raise

    async def put_back(self, code: Province) -> None:
        """Let a register's backup take its place; whoever reads the registers reads the new file."""
        async with self._reading:
            self.registers.let_go(code)
            try:
                await self.hosts[code].put_back()
            finally:
                self.registers.take_up(code, self.state.register_file(code))

    async def exactly_one_home(self) -> Homes:
        """Count everybody's homes over all registers and the ledger."""
        return (await self.read()).homes

    def advance(self, hours: float) -> None:
        """Move the country's clock; it keeps its place over restarts. Raises ValueError."""
        self.clock.advance(hours)
        self.state.manifest.clock_offset_s = self.clock.offset_s
        self.state.save()


def _there(part: T | None) -> T:
    assert part is not None, "open the world first"
    return part
