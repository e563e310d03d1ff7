"""The doors while a registry is RECOVERING: nobody is told who is registered where (protocol.md §4, G1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tongban_shared.web.guard import send_answer
from tongban_shared.web.problems import problem

if TYPE_CHECKING:
    from tongban_registry.gate import Gate
    from tongban_shared.web.guard import AsgiApp, Receive, Scope, Send

ALL = "/v1/"
FOR_OPERATORS = "/v1/ops/"


class RecoveringDoor:
    """ASGI middleware: 503 with Retry-After until the gate is passed; health and operators' pages go on."""

    def __init__(self, app: AsgiApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        closed = not self._gate.open and scope["type"] == "http"
        if closed and scope["path"].startswith(ALL) and not scope["path"].startswith(FOR_OPERATORS):
            await send_answer(send, problem("RECOVERING"))
        else:
            await self._app(scope, receive, send)
