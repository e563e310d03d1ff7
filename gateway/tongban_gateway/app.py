"""The gateway as one ASGI application: hot paths first, without a framework; all else falls to FastAPI."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from tongban_gateway.contract import Contract
from tongban_gateway.exchange import to_caller, to_upstream
from tongban_gateway.fanout import FanOut
from tongban_gateway.forward import Forwarder, Patience, ProvinceAwayError
from tongban_gateway.local import (
    Knowledge,
    catalogue_routes,
    contract_routes,
    country_routes,
    list_routes,
)
from tongban_gateway.monitor import Monitor
from tongban_gateway.people import People
from tongban_gateway.routing import (
    ByBody,
    ByPerson,
    destination,
    destination_of_case,
    destination_of_task,
    destination_of_verification,
    is_stream,
    person_of,
)
from tongban_gateway.streams import OPEN_MAX, Streams
from tongban_gateway.upstream import Upstream, UpstreamRequest
from tongban_shared.catalogue import Catalogue, load_catalogue
from tongban_shared.clock import BEIJING, WallClock
from tongban_shared.errors import LedgerDownError, TongbanError
from tongban_shared.ids import PersonKey, Province
from tongban_shared.keys import KeyDirectory, Secrets
from tongban_shared.ports import Clock, Ledger
from tongban_shared.provinces import ProvinceProfile
from tongban_shared.web.guard import BODY_SIZE_BYTES_MAX, AsgiApp, Guard, Receive, Scope, Send, send_answer
from tongban_shared.web.health import Check, Health, add_health_routes
from tongban_shared.web.install import install, new_app
from tongban_shared.web.problems import Answer, problem_for

VERSION = "0.1.0"
_NOBODY = PersonKey("0" * 32)


@dataclass(frozen=True, slots=True)
class Options:
    """What a gateway can do without being told. asyncapi: the message contract, served as it is.

    ticks: seconds of a clock that never goes back, for the breakers.
    """

    keys: KeyDirectory | None = None
    catalogue: Catalogue = field(default_factory=load_catalogue)
    clock: Clock = field(default_factory=WallClock)
    patience: Patience = field(default_factory=Patience)
    asyncapi: bytes | None = None
    at_stop: tuple[Callable[[], Awaitable[None]], ...] = ()
    body_size_bytes_max: int = BODY_SIZE_BYTES_MAX
    streams_open_max: int = OPEN_MAX
    ticks: Callable[[], float] = time.monotonic


class Gateway:
    """Finds out who answers, lets them answer. Keeps nothing but how each province fares."""

    def __init__(
        self,
        forwarder: Forwarder,
        people: People,
        local: AsgiApp,
        options: Options,
        *,
        streams: Streams,
    ) -> None:
        self._forwarder = forwarder
        self._streams = streams
        self._people = people
        self._local = local
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._local(scope, receive, send)
            return
        try:
            goes_to = destination(scope["method"], scope["path"], scope["query_string"])
            if isinstance(goes_to, str) and is_stream(scope["method"], scope["path"]):
                answer = await self._streams.pass_on(goes_to, self._asked(scope), receive, send)
                if answer is None:
                    return
            else:
                answer = await self._forwarded(goes_to, scope, receive) if goes_to is not None else None
        except ProvinceAwayError as away:
            answer = away.as_problem(scope["method"])
        except TongbanError as error:
            answer = problem_for(error)
        if answer is None:
            await self._local(scope, receive, send)
        else:
            await send_answer(send, answer)

    async def _forwarded(self, goes_to: Province | ByBody, scope: Scope, receive: Receive) -> Answer:
        # The guard gives the whole body in one message, and has checked its size and that it is JSON.
        body: bytes = b"" if scope["method"] == "GET" else (await receive()).get("body", b"")
        request = self._asked(scope, body)
        if isinstance(goes_to, str):
            return to_caller(await self._forwarder.forward(goes_to, request))
        return await self._by_body(goes_to, request)

    def _asked(self, scope: Scope, body: bytes = b"") -> UpstreamRequest:
        return to_upstream(scope, body, self._options.patience.answer_timeout_s)

    async def _by_body(self, kind: ByBody, request: UpstreamRequest) -> Answer:
        today = self._options.clock.now().astimezone(BEIJING).date()
        match kind:
            case ByBody.CASE:
                answers = destination_of_case(request.body, self._options.catalogue, today)
                if isinstance(answers, ByPerson):
                    return await self._people.send_to_holder(answers, request)
                return to_caller(await self._forwarder.forward(answers, request))
            case ByBody.LOOKUP:
                return await self._people.look_up(person_of(request.body, today), request)
            case ByBody.PERSON:
                return await self._people.send_to_holder(person_of(request.body, today), request)
            case ByBody.TASK:
                province = destination_of_task(request.target.decode("latin-1"), request.body)
                return to_caller(await self._forwarder.forward(province, request))
            case ByBody.VERIFICATION:
                issuer = destination_of_verification(request.body)
                return to_caller(await self._forwarder.forward(issuer, request))


def _ledger_check(ledger: Ledger) -> Check:
    """Only advice: while the ledger is away, all but new lookups goes on (guards.md A4)."""

    async def check() -> str | None:
        try:
            await ledger.locate((_NOBODY,))
        except LedgerDownError as error:
            return error.code
        return None

    return check


class GatewayApp(Guard):
    """The whole, guard outside. `health.stopping` takes it out of service before it stops."""

    def __init__(self, app: AsgiApp, health: Health, forwarder: Forwarder, size_bytes_max: int) -> None:
        super().__init__(app, body_size_bytes_max=size_bytes_max)
        self.health = health
        self.forwarder = forwarder


def create_app(
    directory: Mapping[Province, ProvinceProfile],
    upstreams: Mapping[Province, Upstream],
    ledger: Ledger,
    secrets: Secrets,
    *,
    options: Options | None = None,
) -> GatewayApp:
    """Put the gateway together. directory: an entry for each upstream at least."""
    chosen = options or Options()
    health = Health("gateway", VERSION, advisory={"ledger": _ledger_check(ledger)})
    monitor = Monitor(health.registry)
    forwarder = Forwarder(
        directory,
        upstreams,
        clock=chosen.clock,
        monitor=monitor,
        patience=chosen.patience,
        ticks=chosen.ticks,
    )
    people = People(forwarder, ledger, secrets.person, clock=chosen.clock, monitor=monitor)
    local = _local_app(forwarder, health, chosen)
    streams = Streams(forwarder, lambda: health.stopping, chosen.streams_open_max)
    inner = Gateway(forwarder, people, local, chosen, streams=streams)
    return GatewayApp(inner, health, forwarder, chosen.body_size_bytes_max)


def _local_app(forwarder: Forwarder, health: Health, options: Options) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        health.stopping = True
        await forwarder.close()
        for close in options.at_stop:
            await close()

    app = new_app("通办 tongban gateway", VERSION, lifespan=lifespan, openapi_url=None)
    app.include_router(catalogue_routes(Knowledge(forwarder, options.catalogue, options.keys)))
    app.include_router(country_routes(FanOut(forwarder)))
    app.include_router(list_routes(FanOut(forwarder)))
    add_health_routes(app, health)
    install(app, docs=True, guard=False)
    app.include_router(contract_routes(Contract(forwarder, app.openapi), options.asyncapi))
    return app
