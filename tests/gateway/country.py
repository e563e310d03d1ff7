"""A small country for the gateway's tests: FastAPI registries, a ledger in memory, ways that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from tongban_gateway.app import GatewayApp, Options, create_app
from tongban_gateway.breaker import BreakerPolicy
from tongban_gateway.forward import Patience
from tongban_gateway.upstream import (
    AsgiUpstream,
    Failure,
    Sink,
    Upstream,
    UpstreamFailedError,
    UpstreamRequest,
    UpstreamResponse,
)
from tongban_shared.catalogue import Catalogue, load_catalogue
from tongban_shared.errors import RefusedError
from tongban_shared.ids import CaseId, Province, make_case_id, person_key
from tongban_shared.keys import Secrets
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ports import Move
from tongban_shared.provinces import ProvinceProfile, load_provinces
from tongban_shared.web.install import install, new_app

SECRETS = Secrets(person=b"p" * 32, custody=b"c" * 32)
NUMBER, NAME = "330000199003070029", "示例一"
UNKNOWN_NUMBER = "440000200506151016"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ZHEJIANG, HUNAN, GUANGDONG = Province("33"), Province("43"), Province("44")
CODES = (ZHEJIANG, HUNAN, GUANGDONG)
TODAY = date(2026, 11, 24)
NEW_CASE = {
    "item": "0101",
    "applicant": {"id_number": NUMBER, "name": NAME},
    "destination": {"province": "44", "org_code": "440100000100", "address": "示例路1号"},
}
STREAMS_MAX = 2
KEY = {"Idempotency-Key": "k-1"}


def case_id(province: Province, serial: int = 1) -> CaseId:
    """A case number of a province."""
    return make_case_id(province, "01", TODAY, serial)


@cache
def profiles() -> Mapping[Province, ProvinceProfile]:
    """The shipped province files, read once."""
    return load_provinces()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


class FixedClock:
    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"the gateway sleeps {seconds} s")


@dataclass
class SmallRegistry:
    """A registry of a few routes that remembers what it was asked."""

    province: Province
    holds: dict[str, str] = field(default_factory=dict)
    moved: dict[str, Province] = field(default_factory=dict)
    prepared: dict[str, Province] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    recovering: bool = False
    seen: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    blocked: asyncio.Event | None = None
    cases: list[dict[str, Any]] = field(default_factory=list)
    events: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    listened_to: int = 0

    def app(self) -> FastAPI:
        app = new_app("small registry", "0")
        app.add_api_route("/v1/cases/{number}/events", self._stream)

        @app.post("/v1/registrations/lookup")
        async def lookup(request: Request) -> Response:
            return self._lookup(await request.json())

        @app.get("/v1/ops/overview")
        async def overview() -> dict[str, Any]:
            return {
                "province": self.province,
                "open_cases": 2,
                "oldest_unreceipted_age_s": int(self.province),
            }

        @app.get("/v1/ops/cases")
        async def cases(limit: int = 50, cursor: int = 0) -> dict[str, Any]:
            end = cursor + limit
            more = str(end) if end < len(self.cases) else None
            return {"items": self.cases[cursor:end], "next": more}

        @app.get("/v1/ops/cases/{number}/messages")
        async def messages(number: str) -> dict[str, Any]:
            return {"items": [{"message": f"{number[:2]} as {self.province} has it"}], "next": None}

        @app.get("/v1/cases/{number}")
        async def case(number: str, request: Request) -> Response:
            self.seen.append(request)
            if self.blocked is not None:
                await self.blocked.wait()
            parties = {"origin_province": "43", "destination_province": "44"}
            answer = {"case_id": number, "by": self.province, **parties}
            return JSONResponse(answer, headers={"ETag": '"1"', "X-Powered-By": "x"})

        @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
        async def anything(path: str, request: Request) -> Response:
            self.seen.append(request)
            self.bodies.append(await request.body())
            headers = {"Location": f"/{path}/1", "Idempotency-Replayed": "true"}
            return JSONResponse({"by": self.province, "path": path}, 202, headers)

        install(app)
        return app

    async def _stream(self, number: str, request: Request) -> Response:
        del number
        self.seen.append(request)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        self.listened_to += 1
        try:
            while (event := await self.events.get()) is not None:
                yield event
        finally:
            self.listened_to -= 1

    def _lookup(self, asked: dict[str, str]) -> Response:
        number = asked["id_number"]
        if self.recovering:
            raise RefusedError("RECOVERING")
        if number in self.moved:
            return self._elsewhere("IN_TRANSIT", number, self.moved[number])
        if number in self.prepared:
            return self._elsewhere("ASK_ORIGIN", number, self.prepared[number])
        if self.holds.get(number) != asked["name"]:
            absent = {} if number in self.holds else {"X-Tongban-Absent": "1"}
            return JSONResponse({"code": "PERSON_UNKNOWN", "instance": ""}, 404, absent)
        answer = {"province": self.province, "state": "REGISTERED", "source": "registry"}
        return JSONResponse(answer | self._epoch(number))

    def _epoch(self, number: str) -> dict[str, int]:
        return {"epoch": self.epochs[number]} if number in self.epochs else {}

    def _elsewhere(self, state: str, number: str, province: Province) -> Response:
        answer: dict[str, Any] = {"province": province, "state": state, "by": self.province}
        answer |= {"source": "registry", **self._epoch(number)}
        return JSONResponse(answer, headers={"X-Tongban-Moved-To": province})


class Way:
    """The way to a registry, which can fail in every manner that a real one can."""

    def __init__(self, app: FastAPI) -> None:
        self._inner = AsgiUpstream(app)
        self.failure: Failure | None = None
        self.failures_left = 10_000
        self.tried = 0

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.tried += 1
        if self.failure is not None and self.failures_left > 0:
            self.failures_left -= 1
            raise UpstreamFailedError(self.failure)
        return await self._inner.send(request)

    async def stream(self, request: UpstreamRequest, sink: Sink) -> None:
        self.tried += 1
        if self.failure is not None and self.failures_left > 0:
            self.failures_left -= 1
            raise UpstreamFailedError(self.failure)
        await self._inner.stream(request, sink)

    async def close(self) -> None:
        await self._inner.close()


class Country:
    """Three provinces and a gateway. `now_s` is the clock of the breakers."""

    def __init__(self, answer_timeout_s: float = 20.0, catalogue: Catalogue | None = None) -> None:
        self.now_s = 0.0
        self.ledger = MemoryLedger()
        self.registries = {code: SmallRegistry(code) for code in CODES}
        self.ways = {code: Way(registry.app()) for code, registry in self.registries.items()}
        breaker = BreakerPolicy(failures_max=5, open_s=1.0, open_s_max=8.0)
        options = Options(
            catalogue=catalogue or load_catalogue(),
            clock=FixedClock(),
            patience=Patience(answer_timeout_s, fan_out_timeout_s=20.0, breaker=breaker),
            ticks=lambda: self.now_s,
            streams_open_max=STREAMS_MAX,
        )
        ways: dict[Province, Upstream] = dict(self.ways)
        self.gateway: GatewayApp = create_app(profiles(), ways, self.ledger, SECRETS, options=options)
        transport = httpx.ASGITransport(self.gateway)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def close(self) -> None:
        await self.http.aclose()
        for way in self.ways.values():
            await way.close()

    def breaks(self, province: Province, failure: Failure, times: int = 10_000) -> Way:
        way = self.ways[province]
        way.failure, way.failures_left = failure, times
        return way

    async def register(self, province: Province, number: str = NUMBER, name: str = NAME) -> None:
        self.registries[province].holds[number] = name
        await self.ledger.register_first([(person_key(SECRETS.person, number), province)])

    async def move(self, origin: Province, destination: Province, epoch: int = 0) -> None:
        """A hand-over as the ledger sees it; what the registries know of it is set by the test."""
        persons = ((person_key(SECRETS.person, NUMBER), epoch),)
        number = case_id(destination, epoch + 1)
        await self.ledger.append([Move(number, origin, destination, f"digest-{epoch + 1}", persons)])

    async def look_up(self, number: str = NUMBER, name: str = NAME) -> httpx.Response:
        asked = {"id_number": number, "name": name, "purpose": "CHECK"}
        return await self.http.post("/v1/registrations/lookup", json=asked)

    def all_seen(self) -> list[Request]:
        return [request for registry in self.registries.values() for request in registry.seen]
