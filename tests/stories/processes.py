"""The processes of a country: real registries on files, started, stopped, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx

from tests.stories.clock import SkewedClock, StoryClock
from tests.stories.folk import Folk
from tests.stories.registers import Registers
from tests.stories.wire import Wire, WireEnd
from tongban_registry.fence import FileFence
from tongban_registry.inbox import Committed
from tongban_registry.registry import Registry, Surrounds
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import PersonKey, Province
from tongban_shared.keys import generate_keys, load_secrets
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ports import Fence
from tongban_shared.provinces import ProvinceProfile, load_provinces

PATIENCE_S = 15.0
LOOK_AGAIN_S = 0.5
CODES = ("32", "33", "44", "51", "11")
SLEEPERS_EACH = 2  # timers and relay: both sleep when there is nothing to do


@dataclass(slots=True)
class Site:
    """One province's process, and what stays when it dies: file, people, end of the wire."""

    code: str
    database: Path
    end: WireEnd
    folk: Folk
    registry: Registry | None = None
    door: httpx.AsyncClient | None = None
    died: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def live(self) -> Registry:
        """The registry, which must be running."""
        assert self.registry is not None, f"province {self.code} is not running"
        return self.registry


async def _patiently(step: Callable[[], Coroutine[Any, Any, Registry]]) -> Registry:
    """Opening a file takes more than a second on a busy machine; then once more, as the programs do."""
    for _ in range(5):
        with contextlib.suppress(StoreDownError):
            return await step()
    return await step()


@cache
def _profiles() -> Mapping[Province, ProvinceProfile]:
    return load_provinces()


class Processes:
    """N provinces. `close` must be awaited at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.clock = StoryClock()
        self.offsets: dict[str, timedelta] = {}
        self.wire = Wire()
        self.ledger = MemoryLedger()
        self.sites: dict[str, Site] = {}
        self.registers = Registers()
        # What a story gives a registry beside what each one has.
        self.around: Callable[[Surrounds], Surrounds] = lambda around: around
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, folder: Path, *, provinces: int = 3, people: int = 120) -> Self:
        """Keys, people, registries; all running. A folder that was opened before goes on as it is."""
        country = cls(folder)
        codes = CODES[:provinces]
        generate_keys(country.keys, [*codes, "ledger"])
        secret = load_secrets(country.keys).person
        for code in codes:
            site = Site(code, folder / f"{code}.db", country.wire.end_of(code), Folk(code, people, secret))
            country.sites[code] = site
            fresh = not site.database.exists()
            await country._open(site)
            if fresh:
                await site.live.store.seed(site.folk.households, site.folk.persons)
            await country.ledger.register_first(
                [(PersonKey(p.key), Province(code)) for p in site.folk.persons]
            )
            country.registers.add(code, site.database)
            await country.start(code)
        return country

    # --- processes

    async def _open(self, site: Site) -> None:
        clock = SkewedClock(self.clock, self.offsets, site.code)
        around = self.around(Surrounds(site.end, self.ledger, clock, self.keys, self._fence))
        url = f"sqlite:///{site.database}"
        site.registry = await _patiently(lambda: Registry.open(_profiles()[Province(site.code)], url, around))
        leave = site.registry.hall.after_commit
        assert leave is not None

        async def told(committed: Committed) -> None:
            await leave(committed)
            self._news.set()

        site.registry.hall.after_commit = told

    def _fence(self, code: str) -> Fence:
        return FileFence(self.folder / "fences" / code)

    async def start(self, code: str) -> None:
        """Start a province's process on its files."""
        site = self.sites[code]
        site.end.dead = False
        site.died.clear()
        if site.registry is None:
            await self._open(site)
        transport = httpx.ASGITransport(site.live.app())
        site.door = httpx.AsyncClient(transport=transport, base_url="http://registry")
        await site.live.start()

    async def stop(self, code: str) -> None:
        """End a province's process in good order."""
        site = self.sites[code]
        registry, site.registry = site.live, None
        await registry.stop()
        await self._close_door(site)

    async def crash(self, code: str) -> None:
        """Kill a province's process wherever it is; nothing of it leaves any more."""
        site = self.sites[code]
        site.end.dead = True
        registry, site.registry = site.live, None
        await registry.kill()
        await self._close_door(site)

    async def lights_out(self) -> None:
        """Every process dies at once, and the broker loses all it had."""
        for site in self.sites.values():
            site.end.dead = True
        await asyncio.gather(*(self.crash(code) for code in self.sites))
        self.wire.wipe()

    async def lights_on(self) -> None:
        """All start again on their files."""
        for code in self.sites:
            await self.start(code)

    async def _close_door(self, site: Site) -> None:
        if site.door is not None:
            await site.door.aclose()
        site.door = None

    async def close(self) -> None:
        """End everything."""
        await self.wire.close()
        for site in self.sites.values():
            if site.registry is not None:
                await self.crash(site.code)
        self.registers.close()

    def running(self) -> Sequence[Registry]:
        """All registries that run."""
        return [site.registry for site in self.sites.values() if site.registry is not None]

    def working(self) -> Sequence[Registry]:
        """Those of them that have passed their gate."""
        return [registry for registry in self.running() if registry.gate.open and registry._tasks]
