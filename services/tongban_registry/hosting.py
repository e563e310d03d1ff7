"""Hosting: one process answers for one province or for several, each as soon as its database does.

One province stands at the root. Several stand under `/p/{code}` each, and the root answers for the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from tongban_registry.health import VERSION, first_reason, versions
from tongban_registry.registry import Registry, Surrounds
from tongban_shared.errors import RefusedError, StoreDownError, TongbanError
from tongban_shared.web.health import Health, add_health_routes
from tongban_shared.web.install import install, new_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tongban_shared.provinces import ProvinceProfile
    from tongban_shared.web.guard import AsgiApp, Message, Receive, Scope, Send
    from tongban_shared.web.health import Check

RETRY_S = 1.0
LOGGED_EACH = 30
PREFIX = "/p/"
DATABASE_AWAY = "the database has not been reached yet"

log = structlog.get_logger()
Result = TypeVar("Result")


def waiting_app(province: str, checks: Mapping[str, Check]) -> FastAPI:
    """What answers until the registry is open: alive, not ready, and 503 to everything else."""
    app = new_app(f"tongban registry {province}", VERSION, openapi_url=None)
    add_health_routes(app, Health("registry", VERSION, checks))
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    @app.api_route("/{path:path}", methods=methods, include_in_schema=False)
    async def not_yet(path: str) -> None:
        del path
        raise RefusedError("UNAVAILABLE", "this registry is starting")

    install(app)
    return app


class WorkerStoppedError(TongbanError):
    """A worker of a registry has stopped: the process has to end and be started again by its supervisor."""


class Berth:
    """One province in this process. `run` opens it and ends only when one of its workers has stopped."""

    def __init__(self, profile: ProvinceProfile, database: str, around: Surrounds, process: Check) -> None:
        self.province = profile.code
        self._opening = (profile, database, around)
        self._process = process
        self._registry: Registry | None = None
        self._app: AsgiApp = waiting_app(profile.code, {"database": self._away, "process": process})
        self.ready: Check = self._away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    async def _away(self) -> str | None:
        return DATABASE_AWAY

    async def run(self) -> None:
        """Open and start the registry, then watch it. Raises SettingsError, WorkerStoppedError."""
        profile, database, around = self._opening
        registry = await self._patiently(lambda: Registry.open(profile, database, around))
        self._registry = registry
        await self._patiently(registry.start)
        self._app = registry.app({"process": self._process})
        if registry.health is not None:
            self.ready = partial(first_reason, registry.health)
        log.info("registry open", province=self.province, unit=registry.hall.counters.unit)
        error = await registry.ended()
        log.critical(
            "worker stopped", province=self.province, error_type=type(error).__name__, at=_place(error)
        )
        raise WorkerStoppedError(self.province) from error

    async def _patiently(self, step: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Repeat a step until the database answers."""
        attempt = 0
        while True:
            try:
                return await step()
            except StoreDownError:
                if attempt % LOGGED_EACH == 0:
                    log.warning("database not reached, trying on", province=self.province, attempt=attempt)
                attempt += 1
                await asyncio.sleep(RETRY_S)

    async def stop(self) -> None:
        """Stop reading, finish the unit, let out what was committed, close the database."""
        if self._registry is not None:
            await self._registry.stop()


def _place(error: BaseException | None) -> str:
    """File and line where it was raised: the words of an unexpected error may hold what was sent."""
    last = error.__traceback__ if error else None
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "unknown"


class House:
    """All provinces of this process as one ASGI application."""

    def __init__(self) -> None:
        self.berths: list[Berth] = []
        self._by_code: dict[str, Berth] = {}
        self._checks: dict[str, Check] = {}
        self.health = Health("registry", VERSION, self._checks, details=versions())
        self._app = new_app("tongban registries", VERSION, openapi_url=None)
        add_health_routes(self._app, self.health)
        install(self._app)

    def add(self, berth: Berth) -> None:
        """One more province."""
        self.berths.append(berth)
        self._by_code[berth.province] = berth
        self._checks[berth.province] = partial(_ready, berth)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the life of the registries is the program's business, not the server's."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif len(self.berths) == 1:
            await self.berths[0](scope, receive, send)
        else:
            await self._among_several(scope, receive, send)

    async def _among_several(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        code, slash, rest = path.removeprefix(PREFIX).partition("/")
        berth = self._by_code.get(code) if path.startswith(PREFIX) and slash else None
        if berth is None:
            await self._app(scope, receive, send)
        else:
            # The registry sees the path that it would see alone, so that it behaves the same.
            await berth({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)

    async def stopping(self) -> str | None:
        """A check for every berth: the whole process leaves together."""
        return "this process is stopping" if self.health.stopping else None


async def _ready(berth: Berth) -> str | None:
    return await berth.ready()


async def _lifespan(receive: Receive, send: Send) -> None:
    for moment in ("startup", "shutdown"):
        await receive()
        message: Message = {"type": f"lifespan.{moment}.complete"}
        await send(message)
