"""Pause: an operator stops a province from taking commands; messages, questions, operators' pages go on.

It is kept in the database, so a restart does not end it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tongban_shared.web.guard import send_answer
from tongban_shared.web.problems import problem

if TYPE_CHECKING:
    from tongban_registry.storage.reports import Reports
    from tongban_shared.web.guard import AsgiApp, Receive, Scope, Send

NOTE = "ops.pause"
COMMANDS = ("/v1/cases", "/v1/tasks", "/v1/registrations/holds")


class Paused(msgspec.Struct, frozen=True):
    """Who paused the province, when (RFC 3339) and why."""

    actor: str
    reason: str
    since: str


class Pause:
    """One province's switch."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self.now: Paused | None = None

    async def load(self) -> None:
        """As it was before the restart."""
        kept = await self._reports.note(NOTE)
        self.now = msgspec.json.decode(kept, type=Paused) if kept else None

    async def pause(self, paused: Paused) -> None:
        """Take no more commands; durable when this returns."""
        await self._reports.put_note(NOTE, msgspec.json.encode(paused).decode())
        self.now = paused

    async def resume(self) -> None:
        """Take commands again."""
        await self._reports.put_note(NOTE, None)
        self.now = None


class PauseGate:
    """ASGI middleware: 503 with Retry-After to commands while the province is paused."""

    def __init__(self, app: AsgiApp, pause: Pause) -> None:
        self._app = app
        self._pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._pause.now is not None and scope["type"] == "http" and _is_command(scope):
            await send_answer(send, problem("PROVINCE_PAUSED"))
        else:
            await self._app(scope, receive, send)


def _is_command(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] != "GET" and path.startswith(COMMANDS)
