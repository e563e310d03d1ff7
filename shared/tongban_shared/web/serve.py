"""Serving one application until it is told to stop, and stopping without losing a request."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

import uvicorn

from tongban_shared.web.guard import AsgiApp
from tongban_shared.web.health import Health

GRACEFUL_STOP_S = 20
KEEP_ALIVE_S = 5
STOP_PAUSE_S = 5.0
"""Time for balancers to see that readiness is off, before connections are refused."""


class PatientServer(uvicorn.Server):
    """On SIGTERM: readiness off, a pause, then no new connections, then at most 20 s for what is under way.

    SIGINT, which is a person at a terminal, skips the pause.
    """

    def __init__(self, config: uvicorn.Config, health: Health, stop_pause_s: float = STOP_PAUSE_S) -> None:
        super().__init__(config)
        self._health = health
        self._stop_pause_s = stop_pause_s
        self._leave_at_s: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._health.stopping = True
        if sig == signal.SIGTERM and self._leave_at_s is None and self._stop_pause_s > 0:
            self._leave_at_s = time.monotonic() + self._stop_pause_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._leave_at_s is not None and time.monotonic() >= self._leave_at_s:
            self.should_exit = True
        return await super().on_tick(counter)


def server(
    app: AsgiApp, health: Health, *, host: str, port: int, stop_pause_s: float = STOP_PAUSE_S
) -> PatientServer:
    """Make the server of one application; `run()` blocks until it is stopped."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="auto" if sys.platform == "win32" else "uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        # Ours are structured and hold no personal data; an access log would be neither.
        log_config=None,
        access_log=False,
        # Nothing here believes an address that a caller states.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_STOP_S,
    )
    return PatientServer(config, health, stop_pause_s)
