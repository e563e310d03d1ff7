"""The ledger in any order with its database: it answers from the start, and takes work once there is one."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from tongban_ledger.app import SERVICE, create_app
from tongban_ledger.storage.sql import open_store
from tongban_shared.errors import RefusedError, StoreDownError
from tongban_shared.web.health import Health, add_health_routes
from tongban_shared.web.install import install, new_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tongban_ledger.storage.sql import LedgerStore
    from tongban_shared.ports import Verifier
    from tongban_shared.web.guard import AsgiApp, Message, Receive, Scope, Send

RETRY_S = 1.0
LOGGED_EACH = 30
DATABASE_AWAY = "the database has not been reached yet"

log = structlog.get_logger()


class Opening:
    """The application: first one that only says that it is not ready, then the ledger. `health` is both's."""

    def __init__(self, database: str, verifier: Verifier) -> None:
        self._database = database
        self._verifier = verifier
        self._store: LedgerStore | None = None
        self.health = Health(SERVICE, version("tongban"), checks={"database": self._away})
        self._app: AsgiApp = self._waiting()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the server tells when to begin and when to end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        started: Message = {"type": "lifespan.startup.complete"}
        await send(started)
        await receive()
        # Behind the server's end would be too late: it ends the process by the signal that stopped it.
        if self._store is not None:
            await self._store.close()
        ended: Message = {"type": "lifespan.shutdown.complete"}
        await send(ended)

    async def open(self) -> None:
        """Open the database, trying until it answers; then take work. Raises SettingsError."""
        attempt = 0
        while self._store is None:
            try:
                self._store = await open_store(self._database)
            except StoreDownError:
                if attempt % LOGGED_EACH == 0:
                    log.warning("database not reached, trying on", attempt=attempt)
                attempt += 1
                await asyncio.sleep(RETRY_S)
        ledger = create_app(self._store, self._verifier)
        checks = {**ledger.state.health.checks, "process": self._stopping}
        ledger.state.health.checks = checks
        self._app = ledger

    def _waiting(self) -> FastAPI:
        app = new_app("通办 custody ledger 归属账本", self.health.version, openapi_url=None)
        add_health_routes(app, self.health)

        @app.api_route("/{path:path}", methods=["GET", "POST"], include_in_schema=False)
        async def not_yet(path: str) -> None:
            del path
            raise RefusedError("UNAVAILABLE", "this ledger is starting")

        install(app)
        return app

    async def _away(self) -> str | None:
        return DATABASE_AWAY

    async def _stopping(self) -> str | None:
        return "this process is stopping" if self.health.stopping else None
