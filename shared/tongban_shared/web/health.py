"""Health routes: is the process alive, may it take work, what does it count, which version is it."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from tongban_shared.errors import TongbanError

Check = Callable[[], Awaitable[str | None]]
"""Returns None when all is well, else the reason why not, without personal data."""

CHECK_TIMEOUT_S = 2.0
RETRY_AFTER_S = 2


@dataclass(slots=True)
class Health:
    """What one application says about itself. The registry is its own: many run in one process.

    checks: name → check; readiness needs all of them. advisory: shown in the same way, but work is taken
    even so. details: more for /version, such as schema versions.
    """

    service: str
    version: str
    checks: Mapping[str, Check] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    registry: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))
    advisory: Mapping[str, Check] = field(default_factory=dict)
    stopping: bool = False

    async def readiness(self) -> tuple[bool, dict[str, str | None]]:
        """Run all checks at once: whether work may come, and name → None or the reason why not."""
        both = {**self.advisory, **self.checks}
        async with asyncio.TaskGroup() as group:
            running = {name: group.create_task(_reason(check)) for name, check in both.items()}
        reasons = {name: task.result() for name, task in running.items()}
        ready = not self.stopping and all(reasons[name] is None for name in self.checks)
        return ready, {**reasons, "stopping": "this process is stopping"} if self.stopping else reasons


async def _reason(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    except TongbanError as error:
        return error.code
    except OSError as error:
        return type(error).__name__


def add_health_routes(app: FastAPI, health: Health) -> None:
    """Add /livez, /readyz, /healthz (an alias), /metrics and /version."""
    tags: list[str | Enum] = ["operations"]

    @app.get("/livez", tags=tags, summary="The process runs")
    async def livez() -> Response:
        return JSONResponse({"status": "ok", "service": health.service})

    @app.get("/readyz", tags=tags, summary="It may take work; 503 names every reason why not")
    async def readyz() -> Response:
        return _readiness(*await health.readiness())

    @app.get("/healthz", tags=tags, summary="Alias of /readyz")
    async def healthz() -> Response:
        return _readiness(*await health.readiness())

    @app.get("/metrics", tags=tags, summary="Prometheus text format")
    async def metrics() -> Response:
        return Response(generate_latest(health.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/version", tags=tags, summary="What runs here")
    async def version() -> Response:
        python = platform.python_version()
        about = {"service": health.service, "version": health.version, "python": python}
        return JSONResponse({**health.details, **about})


def _readiness(ready: bool, reasons: Mapping[str, str | None]) -> Response:  # noqa: FBT001 - one caller
    checks = {name: {"ok": reason is None, "reason": reason} for name, reason in reasons.items()}
    return JSONResponse(
        {"status": "ok" if ready else "unready", "checks": checks},
        status_code=200 if ready else 503,
        headers={} if ready else {"retry-after": str(RETRY_AFTER_S)},
    )
