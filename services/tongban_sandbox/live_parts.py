"""The parts of a real, small country on this machine: servers, databases, topics, programs as processes.

Everything listens on loopback, and everything that was started is stopped, whatever happens.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import httpx

from tongban_ledger.storage.sql import open_store
from tongban_registry.health import MIGRATIONS
from tongban_registry.storage.store import RegistryStore
from tongban_sandbox.seeding import Place, claim, seed_register
from tongban_sandbox.servers import KafkaServer, PostgresServer, ServerFailedError
from tongban_sandbox.servers.process import Launch, ServerProcess, free_port, last_lines
from tongban_sandbox.together import together
from tongban_sandbox.volumes import population
from tongban_shared.errors import SettingsError
from tongban_shared.keys import generate_keys, load_secrets, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.provinces import deploy_folder
from tongban_shared.storage.migrate import upgrade
from tongban_shared.transports.kafka_topics import create_topics
from tongban_shared.transports.topics import load_topics, wanted_topics

if TYPE_CHECKING:
    from tongban_sandbox.state import Plan
    from tongban_shared.ids import Province

HOST = "127.0.0.1"
READY_LIMIT_S = 40.0
GATEWAYS = 2
Say = Callable[[str], None]


class Running(Protocol):
    """A program that was started: a process, or one under a supervisor."""

    @property
    def launch(self) -> Launch:
        """How it was started."""
        ...

    @property
    def pid(self) -> int:
        """Its process id just now."""
        ...

    @property
    def running(self) -> bool:
        """Whether it lives just now."""
        ...

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number if a signal ended it."""
        ...

    async def ready(self, probe: Callable[[], Awaitable[bool]], limit_s: float) -> None:
        """Return when `probe` says yes. Raises ServerFailedError."""
        ...


class Parts:
    """All parts, started one after another. Use it as an async context manager."""

    def __init__(self, folder: Path, provinces: Sequence[Province], plan: Plan, say: Say) -> None:
        self.folder = folder
        self.provinces = tuple(provinces)
        self.plan = plan
        self.postgres = PostgresServer(folder / "postgres")
        self.kafka = KafkaServer(folder / "kafka")
        self.gateway_urls: tuple[str, ...] = ()
        self._say = say
        self._stack = AsyncExitStack()
        self._processes: list[Running] = []
        self._http = httpx.AsyncClient(trust_env=False, timeout=2)

    @property
    def keys(self) -> Path:
        """The key folder."""
        return self.folder / "keys"

    def database(self, code: str) -> str:
        """The address of one register's database, with its password: not for logs."""
        return self.server_of(code).dsn(f"registry_{code}")

    def server_of(self, code: str) -> PostgresServer:
        """Where a register lies."""
        del code
        return self.postgres

    @property
    def ledger_database(self) -> str:
        """The address of the ledger's database, with its password."""
        return self.postgres.dsn("ledger")

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise SettingsError(f"{self.folder} is not empty; choose a new folder")
        generate_keys(self.keys, [*self.provinces, "gateway", "ledger"])
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._stack.push_async_callback(self._http.aclose)
        await self._start_servers()
        ledger_url = await self._start_ledger()
        await self._seed(ledger_url)
        registries = await self._start_registries(ledger_url)
        self.gateway_urls = await self._start_gateways(registries, ledger_url)

    async def _start_servers(self) -> None:
        # Registered before they are started: one that fails half-way is stopped too.
        self._stack.push_async_callback(self.postgres.stop)
        self._stack.push_async_callback(self.kafka.stop)
        await together([self.postgres.start(), self.kafka.start()])
        self._say(f"PostgreSQL (pid {self.postgres.pid}) and Kafka (pid {self.kafka.pid}) answer")
        for code in self.provinces:
            await self.server_of(code).create_database(f"registry_{code}")
        await self.postgres.create_database("ledger")
        made = await self.make_topics()
        self._say(f"{len(self.provinces) + 1} databases and {made} topics made")

    async def make_topics(self) -> int:
        """Make the topics that are missing; returns how many were."""
        topics = wanted_topics(load_topics(), self.provinces, single_broker=True)
        return len(await create_topics(self.kafka.bootstrap, topics))

    async def _start_ledger(self) -> str:
        await (await open_store(self.ledger_database)).close()
        secret = {"TONGBAN_DATABASE": self.ledger_database}
        (url,) = await self._start_all({"ledger": ("tongban_ledger.main", [], secret)})
        return url

    async def _seed(self, ledger_url: str) -> None:
        secrets, wanted = load_secrets(self.keys), population(self.plan.scale)
        async with httpx.AsyncClient(base_url=ledger_url, trust_env=False) as http:
            for code in self.provinces:
                await upgrade(self.database(code), MIGRATIONS)
                store = await RegistryStore.open(self.database(code))
                ledger = HttpLedger(http, load_signer(self.keys, code), secrets.custody)
                place = Place(code, store, secrets.person)
                keys = await seed_register(place, wanted[code], self.plan.seed, lambda _: None)
                await claim(ledger, code, keys)
                await store.close()
        people = sum(wanted[code] for code in self.provinces)
        self._say(f"{people} synthetic people registered in {len(self.provinces)} provinces")

    async def _start_registries(self, ledger_url: str) -> Mapping[Province, str]:
        programs = {f"registry-{code}": self._registry(code, ledger_url) for code in self.provinces}
        urls = await self._start_all(programs)
        return dict(zip(self.provinces, urls, strict=True))

    def _registry(self, code: str, ledger_url: str) -> Recipe:
        """How one province's registry is started."""
        arguments = ["--province", str(deploy_folder() / "provinces" / f"{code}.toml")]
        arguments += ["--transport", f"kafka://{self.kafka.bootstrap}", "--ledger", ledger_url]
        arguments += ["--fence", str(self.folder / "fences")]
        return "tongban_registry.main", arguments, {"TONGBAN_DATABASE": self.database(code)}

    async def _start_gateways(self, registries: Mapping[Province, str], ledger_url: str) -> tuple[str, ...]:
        directory = self.folder / "gateway.toml"
        lines = ["[registries]", *(f'"{code}" = ["{url}"]' for code, url in registries.items())]
        directory.write_text("\n".join([*lines, ""]), encoding="utf-8")
        around = ["--directory", str(directory), "--ledger", ledger_url]
        programs: Programs = {
            f"gateway-{number + 1}": ("tongban_gateway.main", around, {}) for number in range(GATEWAYS)
        }
        return await self._start_all(programs)

    async def _start_all(self, programs: Programs) -> tuple[str, ...]:
        """Start programs side by side and wait until all may take work; returns their addresses."""
        urls, waiting = [], []
        for name, (module, arguments, environment) in programs.items():
            url = f"http://{HOST}:{free_port()}"
            process = self._spawn(name, [module, *arguments, "--port", url.rpartition(":")[2]], environment)
            waiting.append((process, f"{url}/readyz"))
            urls.append(url)
        for process, address in waiting:
            await process.ready(partial(self._answers, address), READY_LIMIT_S)
        pids = ", ".join(f"{process.launch.name} (pid {process.pid})" for process, _ in waiting)
        self._say(f"{pids} ready")
        return tuple(urls)

    def _spawn(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Running:
        process = ServerProcess(self._launch(name, arguments, environment))
        self._stack.push_async_callback(process.end, signal.SIGTERM)
        self._processes.append(process)
        return process

    def _launch(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Launch:
        return Launch(
            name=name,
            command=[sys.executable, "-m", *arguments, "--keys", str(self.keys), "--host", HOST],
            folder=self.folder,
            log=self.folder / "logs" / f"{name}.log",
            stop_signal=signal.SIGTERM,
            # No balancer watches readiness here, so nobody has to be given time to see it go.
            environment={**environment, "TONGBAN_STOP_PAUSE_S": "0", "TONGBAN_LOG_LEVEL": "WARNING"},
        )

    async def _answers(self, address: str) -> bool:
        with suppress(httpx.TransportError):
            return (await self._http.get(address)).status_code == httpx.codes.OK
        return False

    def process(self, name: str) -> Running:
        """A program by its name, as registry-44. Raises KeyError."""
        return {process.launch.name: process for process in self._processes}[name]

    def check(self) -> None:
        """Raises ServerFailedError with the end of its log if one of our programs has stopped by itself."""
        for process in self._processes:
            if not process.running:
                what = f"{process.launch.name} stopped by itself, exit code {process.exit_code}"
                raise ServerFailedError(what, "Its log says why.", process.launch.log)

    def show_logs(self) -> None:
        """Print the end of every log of our programs that has something to say."""
        for process in self._processes:
            for line in last_lines(process.launch.log):
                self._say(f"  {process.launch.name} | {line}")

    async def close(self) -> None:
        """Stop everything that was started, the last first. Safe to repeat. Raises ServerFailedError."""
        await self._stack.aclose()


Recipe = tuple[str, Sequence[str], Mapping[str, str]]
"""Module, arguments, environment. Passwords stand in the environment, where other users can't read."""

Programs = Mapping[str, Recipe]
"""By name, which is also the name of its log."""
