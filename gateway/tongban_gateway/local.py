"""What the gateway answers itself: items, provinces, keys, contracts, health, and the country-wide lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tongban_gateway.contract import Contract
from tongban_gateway.exchange import PASSED_ON
from tongban_gateway.fanout import FanOut
from tongban_gateway.forward import Forwarder, Lane
from tongban_shared import ids
from tongban_shared.catalogue import Catalogue, as_public
from tongban_shared.errors import UnknownProvinceError
from tongban_shared.ids import CaseId, Province
from tongban_shared.keys import KeyDirectory
from tongban_shared.web.handlers import as_response
from tongban_shared.web.problems import Headers, problem
from tongban_shared.web.trace import traceparent

_ASKING_HEADERS = PASSED_ON - {b"content-type", b"idempotency-key", b"if-match", b"if-none-match", b"prefer"}
_PARTIES = ("accepting_province", "origin_province", "destination_province")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What local answers are made of."""

    forwarder: Forwarder
    catalogue: Catalogue
    keys: KeyDirectory | None


def catalogue_routes(known: Knowledge) -> APIRouter:
    """Items, provinces and public keys."""
    router = APIRouter(tags=["catalogue"])
    lanes = known.forwarder.lanes

    @router.get(
        "/v1/items", summary="The item catalogue (事项目录), cut to what a province offers if one is named"
    )
    async def items(
        scope: str | None = None, case_type: str | None = None, province: str | None = None
    ) -> Response:
        capabilities = _lane(known, province).profile.capabilities if province is not None else None
        shown = [as_public(item, capabilities) for item in known.catalogue.items(scope, case_type)]
        about = {"version": known.catalogue.version, "commitment_version": known.catalogue.commitment_version}
        return JSONResponse({**about, "items": shown})

    @router.get("/v1/provinces", summary="The provinces that take part, and whether they answer")
    async def provinces() -> Response:
        return JSONResponse({"items": [_shown(known.forwarder, lane) for lane in lanes.values()]})

    @router.get("/.well-known/jwks.json", summary="Public keys of all owners (RFC 7517)")
    async def all_keys() -> Response:
        return _jwks(known.keys, None)

    @router.get("/v1/provinces/{code}/jwks.json", summary="Public keys of one province")
    async def keys_of(code: str) -> Response:
        return _jwks(known.keys, _lane(known, code).profile.code)

    return router


def _lane(known: Knowledge, code: str) -> Lane:
    lane = known.forwarder.lanes.get(ids.province(code))
    if lane is None:
        raise UnknownProvinceError(code)
    return lane


def _shown(forwarder: Forwarder, lane: Lane) -> dict[str, Any]:
    since = forwarder.since(lane)
    return {
        "province": lane.profile.code,
        "name": lane.profile.name,
        "contact": lane.profile.contact,
        "answers": since is None,
        "away_since": since.isoformat(timespec="seconds") if since else None,
    }


def _jwks(keys: KeyDirectory | None, owner: str | None) -> Response:
    """Keys may be kept for a while: a new one is published before it signs."""
    jwks = keys.jwks(owner) if keys else {"keys": []}
    return JSONResponse(
        jwks, headers={"cache-control": "public, max-age=300"}, media_type="application/jwk-set+json"
    )


def contract_routes(contract: Contract, asyncapi: bytes | None) -> APIRouter:
    """The contracts as documents."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi() -> Response:
        return JSONResponse(await contract.openapi())

    if asyncapi is not None:

        @router.get("/asyncapi.json")
        async def messages() -> Response:
            return Response(asyncapi, media_type="application/json")

    return router


def country_routes(fan_out: FanOut) -> APIRouter:
    """Lists over the whole country. With `?province=` one registry answers, and nothing here runs."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/overview", summary="One row a province, with totals; those away are marked")
    async def overview(request: Request) -> Response:
        return JSONResponse(await fan_out.summary(b"/v1/ops/overview", *_question(request)))

    @router.get("/v1/ops/custody", summary="The report that everybody has exactly one home")
    async def custody(request: Request) -> Response:
        return JSONResponse(await fan_out.summary(b"/v1/ops/custody", *_question(request)))

    @router.get("/v1/me/access-log", include_in_schema=False)
    async def access_log() -> Response:
        answer = as_response(problem("METHOD_NOT_ALLOWED", detail="POST it: no id number stands in a URL"))
        answer.headers["allow"] = "POST"
        return answer

    @router.get("/v1/ops/cases/{case_id}/messages", summary="The signed hops of a case, from all its parties")
    async def messages(case_id: str, request: Request) -> Response:
        return JSONResponse(await case_messages(fan_out, ids.case_id(case_id), _headers(request)))

    return router


def list_routes(fan_out: FanOut) -> APIRouter:
    """Lists by pages, gathered from all provinces."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/cases", summary="Cases of all provinces, overdue first within a page")
    async def cases(request: Request) -> Response:
        return await _page(fan_out, b"/v1/ops/cases", request)

    @router.get("/v1/ops/quarantine", summary="Messages that no province could take")
    async def quarantine(request: Request) -> Response:
        return await _page(fan_out, b"/v1/ops/quarantine", request)

    @router.get("/v1/ops/parked", summary="Messages that wait for their cause")
    async def parked(request: Request) -> Response:
        return await _page(fan_out, b"/v1/ops/parked", request)

    @router.get("/v1/ops/acts", summary="What operators did with refused messages, and why")
    async def acts(request: Request) -> Response:
        return await _page(fan_out, b"/v1/ops/acts", request)

    return router


async def case_messages(fan_out: FanOut, case_id: CaseId, headers: Headers) -> dict[str, Any]:
    """Ask the accepting province who the parties are, then each of them for its own hops."""
    accepting = ids.province_of_case(case_id)
    case = (await fan_out.ask({accepting: b"/v1/cases/" + case_id.encode()}, headers))[0].body or {}
    parties = {accepting} | {Province(case[side]) for side in _PARTIES if case.get(side) in ids.PROVINCES}
    path = f"/v1/ops/cases/{case_id}/messages".encode()
    voices = await fan_out.ask(dict.fromkeys(parties, path), headers)
    return fan_out.gathered(voices)


async def _page(fan_out: FanOut, path: bytes, request: Request) -> Response:
    query, headers = _question(request)
    page = await fan_out.listing(path, query, headers)
    if page["next"] is None:
        return JSONResponse(page)
    following = urlencode({**query, "cursor": page["next"]})
    return JSONResponse(page, headers={"link": f'<{request.url.path}?{following}>; rel="next"'})


def _question(request: Request) -> tuple[dict[str, str], Headers]:
    return dict(request.query_params), _headers(request)


def _headers(request: Request) -> Headers:
    headers = [header for header in request.scope["headers"] if header[0] in _ASKING_HEADERS]
    return [*headers, (b"traceparent", traceparent().encode("ascii"))]
