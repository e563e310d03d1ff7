"""What only a sandbox offers: its people, its traffic, its faults, its clock, and provinces that crash.

Nothing of this exists in production: tongban-gateway and tongban-registry do not import this package.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from msgspec import to_builtins
from pydantic import BaseModel, ConfigDict, Field

from tongban_sandbox.clock import HOURS_MAX
from tongban_sandbox.hostile import Faults
from tongban_sandbox.plays import Mix, MixName
from tongban_sandbox.report import as_json
from tongban_sandbox.residents import residents_of
from tongban_sandbox.traffic import PER_S_MAX, Traffic
from tongban_shared.errors import RefusedError
from tongban_shared.ids import province as checked_province
from tongban_shared.web.install import install, new_app

if TYPE_CHECKING:
    from tongban_sandbox.province import ProvinceHost
    from tongban_sandbox.world import World
    from tongban_shared.web.guard import AsgiApp, Receive, Scope, Send

PREFIX = "/sandbox/"
PEOPLE_MAX = 200
Share = Annotated[float, Field(ge=0, le=1)]
NO_BACKUP = "this province has no backup; make one with POST /sandbox/v1/provinces/{code}/backup"


class Closed(BaseModel):
    """Unknown fields are refused, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(extra="forbid")


class TrafficIn(Closed):
    """PUT /sandbox/v1/traffic: new cases a second, 0 to stop beginning new ones.

    shaped: more or less of them by the month, weekday and hour of the country's clock. mix: all case types in
    the proportions of 2023, or migrations alone.
    """

    cases_per_s: Annotated[float, Field(ge=0, le=PER_S_MAX)]
    shaped: bool = False
    mix: MixName = "2023"


class FaultsIn(Closed):
    """PUT /sandbox/v1/faults: what is not named is switched off. delay_ms: at most so long, 0 to 60 000."""

    drop: Share = 0
    duplicate: Share = 0
    reorder: Share = 0
    delay_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    down: Annotated[list[str], Field(max_length=31)] = []


class AdvanceIn(Closed):
    """POST /sandbox/v1/clock/advance."""

    hours: Annotated[float, Field(ge=0, le=HOURS_MAX)]


class SandboxApp:
    """The sandbox's routes in front of the gateway: one port for everything."""

    def __init__(self, world: World, traffic: Traffic) -> None:
        self._gateway = world.gateway
        self._routes = new_app("通办 tongban sandbox", "1", openapi_url="/sandbox/v1/openapi.json")
        for router in (
            _country_routes(world),
            _traffic_routes(traffic),
            _fault_routes(world),
            _province_routes(world),
        ):
            self._routes.include_router(router)
        install(self._routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; start and stop of the server are the gateway's business."""
        ours = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        app: AsgiApp = self._routes if ours else self._gateway
        await app(scope, receive, send)


def _router() -> APIRouter:
    return APIRouter(prefix="/sandbox/v1", tags=["sandbox"])


def _country_routes(world: World) -> APIRouter:
    router = _router()

    @router.get("/people", summary="Synthetic people who live in a province now and are free to move")
    async def people(province: str, limit: Annotated[int, Query(ge=1, le=PEOPLE_MAX)] = 20) -> dict[str, Any]:
        code = checked_province(province)
        found = await residents_of(world.registers, code, limit)
        return {"province": code, "synthetic": True, "items": [one.public() for one in found]}

    @router.get("/status", summary="Figures of each province, and whether everybody has exactly one home")
    async def status() -> dict[str, Any]:
        return as_json(await world.read(), world)

    @router.post("/clock/advance", summary="Let hours pass in the whole country")
    async def advance(given: AdvanceIn) -> dict[str, Any]:
        world.advance(given.hours)
        return {"now": world.clock.now().isoformat(), "ahead_s": world.clock.offset_s}

    return router


def _traffic_routes(traffic: Traffic) -> APIRouter:
    router = _router()

    def shown() -> dict[str, Any]:
        tally = traffic.tally
        return {
            "cases_per_s": traffic.cases_per_s,
            "times_the_national_rate": round(traffic.times_the_national_rate, 2),
            "shaped": traffic.mix.shaped,
            "mix": traffic.mix.name,
            "begun": tally.begun,
            "begun_by_type": tally.begun_by_type,
            "open": tally.open,
            "ended": tally.ended,
            "refused_at_door": tally.refused_at_door,
        }

    @router.get("/traffic", summary="How many cases the sandbox itself begins")
    async def traffic_now() -> dict[str, Any]:
        return shown()

    @router.put("/traffic", summary="Change the rate; 0 lets the open cases end and begins none")
    async def change(given: TrafficIn) -> dict[str, Any]:
        traffic.mix = Mix(given.mix, given.shaped)
        traffic.cases_per_s = given.cases_per_s
        return shown()

    return router


def _fault_routes(world: World) -> APIRouter:
    router = _router()

    def shown() -> dict[str, Any]:
        return {**to_builtins(world.wire.faults), "down": sorted(world.wire.faults.down)}

    @router.get("/faults", summary="What the wire between the provinces does wrong")
    async def faults_now() -> dict[str, Any]:
        return shown()

    @router.put("/faults", summary="Change it; what is not named is switched off")
    async def change(given: FaultsIn) -> dict[str, Any]:
        down = frozenset(checked_province(code) for code in given.down)
        world.wire.faults = Faults(given.drop, given.duplicate, given.reorder, given.delay_ms, down)
        return shown()

    return router


def _province_routes(world: World) -> APIRouter:
    router = _router()
    turn = asyncio.Lock()

    def state_of(host: ProvinceHost) -> dict[str, Any]:
        recovering = host.registry is not None and not host.registry.gate.open
        return {"province": host.profile.code, "running": host.running, "recovering": recovering}

    @router.post("/provinces/{code}/kill", summary="Crash a registry: what is in its memory is lost")
    async def kill(code: str) -> dict[str, Any]:
        async with turn:
            host = world.hosts[checked_province(code)]
            await host.kill()
            return state_of(host)

    @router.post("/provinces/{code}/restart", summary="Start a registry, after a crash or in good order")
    async def restart(code: str) -> dict[str, Any]:
        async with turn:
            host = world.hosts[checked_province(code)]
            await host.stop()
            await host.start()
            return state_of(host)

    @router.post("/provinces/{code}/backup", summary="Copy a register as it stands, over the copy before")
    async def backup(code: str) -> dict[str, Any]:
        async with turn:
            host = world.hosts[checked_province(code)]
            await host.back_up()
            return state_of(host)

    @router.post(
        "/provinces/{code}/restore", summary="Put the copy back: the registry finds out, and catches up"
    )
    async def restore(code: str) -> dict[str, Any]:
        async with turn:
            province = checked_province(code)
            if not world.hosts[province].has_backup:
                raise RefusedError("STEP_NOT_ALLOWED", NO_BACKUP)
            await world.put_back(province)
            return state_of(world.hosts[province])

    return router
