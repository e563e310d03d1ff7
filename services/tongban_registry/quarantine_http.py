"""The operators' pages of what was refused and what waits in vain. Persons and bodies are never shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response

from tongban_registry.ops_http import CASE_BEGIN, LIMIT, ActIn
from tongban_registry.paging import JSON, Cursor, Limit, listed, place_in
from tongban_registry.storage.rows import from_us
from tongban_registry.views import local
from tongban_shared.errors import RefusedError

if TYPE_CHECKING:
    from tongban_registry.replay import Replays
    from tongban_registry.storage.refused import Refusals
    from tongban_registry.storage.report_sql import Found

ENTRY = re.compile(r"([1-8][0-9])-([0-9]{1,18})")


def quarantine_routes(province: str, refusals: Refusals, replays: Replays) -> APIRouter:
    """What was refused: seen, tried once more, or dropped."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/quarantine", summary="Refused messages, newest first; never their bytes")
    async def quarantine(request: Request, cursor: Cursor = None, limit: Limit = LIMIT) -> Response:
        page = await refusals.page(place_in(cursor, int), limit=limit)
        return listed(request, page, [_refused(row, province) for row in page.rows])

    @router.get("/v1/ops/quarantine/{entry}", summary="One of them: what its envelope claims")
    async def show(entry: str) -> Response:
        row, claims = await replays.show(_number(entry, province))
        return _json({**_refused(row, province), **claims})

    @router.post("/v1/ops/quarantine/{entry}/replay", summary="Put one before the hall again")
    async def replay(entry: str, given: ActIn) -> Response:
        result = await replays.replay(_number(entry, province), given.actor, given.reason)
        return _json({"id": entry, **result})

    @router.post("/v1/ops/quarantine/{entry}/drop", summary="Take one out for good")
    async def drop(entry: str, given: ActIn) -> Response:
        result = await replays.drop(_number(entry, province), given.actor, given.reason)
        return _json({"id": entry, **result})

    return router


def waiting_routes(province: str, refusals: Refusals) -> APIRouter:
    """What waits for its cause, and what people did with refused messages."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/parked", summary="Messages that wait for their cause, the oldest first")
    async def parked(request: Request, cursor: Cursor = None, limit: Limit = LIMIT) -> Response:
        page = await refusals.parked(place_in(cursor, int, str), limit=limit)
        return listed(request, page, [_parked(row) for row in page.rows])

    @router.get("/v1/ops/acts", summary="Who replayed or dropped what, when and why; newest first")
    async def acts(request: Request, cursor: Cursor = None, limit: Limit = LIMIT) -> Response:
        page = await refusals.acts(place_in(cursor, str), limit=limit)
        entries = [msgspec.json.decode(row.value, type=dict[str, Any]) for row in page.rows]
        return listed(request, page, [{**entry, "province": province} for entry in entries])

    return router


def _number(entry: str, province: str) -> int:
    """Its row. Raises RefusedError(QUARANTINE_UNKNOWN)."""
    found = ENTRY.fullmatch(entry)
    if found is None or found[1] != province:
        raise RefusedError("QUARANTINE_UNKNOWN")
    return int(found[2])


def _refused(row: Found, province: str) -> dict[str, Any]:
    return {
        "id": f"{province}-{row.n}",
        "reason": row.reason,
        "sender": row.sender,
        "message_id": row.message_id,
        "at": local(from_us(row.at)),
    }


def _parked(row: Found) -> dict[str, Any]:
    """What is about a person and no case waits under the person's key, which is not shown."""
    return {
        "message_id": row.message_id,
        "case_id": row.case_id if CASE_BEGIN.fullmatch(row.case_id) else None,
        "sender": row.message_id.partition("-")[0],
        "tries": row.tries,
        "since": local(from_us(row.since)),
    }


def _json(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type=JSON)
