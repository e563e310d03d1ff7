"""The country that is struck: real parts under supervisors, and one province apart whose wires we hold.

The province apart has a PostgreSQL of its own, and speaks to it, to the broker and to the gateways through
proxies of this process. The others share a PostgreSQL and meet everything directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tongban_sandbox.bench.check import Country as Look, PostgresReader
from tongban_sandbox.faults.programs import Program
from tongban_sandbox.faults.wire import Wire
from tongban_sandbox.live_parts import HOST, Parts, Recipe, Say
from tongban_sandbox.servers import KafkaServer, PostgresServer, ServerFailedError
from tongban_sandbox.servers.process import Launch, free_port
from tongban_sandbox.servers.small_disk import CrampedPostgres
from tongban_shared.keys import load_secrets

if TYPE_CHECKING:
    from tongban_sandbox.live_parts import Running
    from tongban_sandbox.state import Plan
    from tongban_shared.ids import Province

LEDGER = "ledger"


class StruckCountry(Parts):
    """All parts. Use it as an async context manager. The last province is the one apart.

    small_disk: the register before it lies on a small disk of its own, where the system allows one; else
    `no_small_disk` says why not, and it lies with the others. keep: the databases stay behind.
    """

    def __init__(
        self,
        folder: Path,
        provinces: Sequence[Province],
        plan: Plan,
        say: Say,
        *,
        small_disk: bool = False,
        keep: bool = False,
    ) -> None:
        super().__init__(folder, provinces, plan, say)
        self._keep = keep
        *_, self.cramped, self.apart = self.provinces
        self.postgres_cramped = CrampedPostgres(folder / "postgres-cramped") if small_disk else None
        self.no_small_disk = "" if small_disk else "it was not asked for"
        self.postgres_apart = PostgresServer(folder / "postgres-apart")
        self.to_database, self.to_registry = Wire(free_port()), Wire(free_port())
        self.to_broker = Wire(free_port())
        self._behind = free_port()
        self.kafka = KafkaServer(folder / "kafka", proxied=(self._behind, self.to_broker.port))
        self.programs: dict[str, Program] = {}
        self.urls: Mapping[Province, str] = {}

    @property
    def registries(self) -> Sequence[Program]:
        """In the order of the provinces."""
        return [self.registry(code) for code in self.provinces]

    def registry(self, code: str) -> Program:
        """One province's program."""
        return self.programs[f"registry-{code}"]

    @property
    def gateways(self) -> Sequence[Program]:
        """In the order of their addresses."""
        return [program for program in self.programs.values() if program.kind == "gateway"]

    @property
    def ledger(self) -> Program:
        """The custody ledger's program."""
        return self.programs[LEDGER]

    def _forget(self, server: PostgresServer) -> None:
        if not self._keep:
            server.remove()

    def server_of(self, code: str) -> PostgresServer:
        if code == self.apart:
            return self.postgres_apart
        cramped = self.postgres_cramped if code == self.cramped else None
        return cramped or self.postgres

    def sharing(self) -> frozenset[str]:
        """The provinces on the shared PostgreSQL."""
        return frozenset(code for code in self.provinces if self.server_of(code) is self.postgres)

    async def look(self) -> Look:
        """Readers of all registers and of the ledger, past every service and wire."""
        registers = {code: await PostgresReader.open(self.database(code)) for code in self.provinces}
        ledger = await PostgresReader.open(self.ledger_database)
        return Look(registers, ledger, load_secrets(self.keys).custody)

    async def _start_servers(self) -> None:
        for server in (self.postgres, self.postgres_apart):
            self._stack.callback(self._forget, server)
        self._stack.push_async_callback(self.postgres_apart.stop, "immediate")
        await self.postgres_apart.start()
        await self._start_cramped()
        await super()._start_servers()
        for wire, target in (
            (self.to_database, _port(self.database(self.apart))),
            (self.to_broker, self._behind),
            (self.to_registry, free_port()),
        ):
            self._stack.push_async_callback(wire.close)
            await wire.open(target)

    async def _start_cramped(self) -> None:
        server = self.postgres_cramped
        if server is None:
            return
        self._stack.callback(self._forget, server)
        self._stack.push_async_callback(server.release)
        self._stack.push_async_callback(server.stop, "immediate")
        try:
            await server.start()
        except ServerFailedError as error:
            self.no_small_disk, self.postgres_cramped = str(error), None

    def _registry(self, code: str, ledger_url: str) -> Recipe:
        module, arguments, environment = super()._registry(code, ledger_url)
        if code != self.apart:
            return module, arguments, environment
        bootstrap, port = self.kafka.bootstrap, _port(self.database(code))
        through = [argument.replace(bootstrap, f"{HOST}:{self.to_broker.port}") for argument in arguments]
        database = self.database(code).replace(f":{port}/", f":{self.to_database.port}/")
        return module, through, {**environment, "TONGBAN_DATABASE": database}

    async def _start_registries(self, ledger_url: str) -> Mapping[Province, str]:
        urls = await super()._start_registries(ledger_url)
        self.to_registry.target = _port(urls[self.apart])
        self.urls = urls
        return {**urls, self.apart: f"http://{HOST}:{self.to_registry.port}"}

    def _launch(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Launch:
        # A frozen program would not heed a gentler signal if this process were killed.
        return replace(super()._launch(name, arguments, environment), stop_signal=SIGKILL)

    def _spawn(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Running:
        program = Program(self._launch(name, arguments, environment))
        self.programs[name] = program
        self._stack.push_async_callback(program.stop, SIGKILL)
        return program

    def thaw(self, programs: Iterable[Program] = ()) -> None:
        """Let everything run on that was frozen."""
        for program in programs or self.programs.values():
            program.thaw()


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "our addresses have one"
    return port
