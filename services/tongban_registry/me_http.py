"""What a person may ask about themselves: who looked at my data, when, why, under which case.

The question is POST with the number and the name in the body. It can't be GET: an id number never stands in
a path, a query or a header (api.md), and a token bound to a case would leave out everybody whose data was
looked at without one. GET answers 405 and says so. Number and name must both match, as for a lookup, and an
unknown person looks like a wrong name. The question is itself entered in the log, in the transaction that
reads it, so that somebody who tries out names under a stranger's number is seen by that stranger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from tongban_registry.door import PersonIn
from tongban_registry.paging import Cursor, Limit, listed, place_in
from tongban_registry.storage.rows import from_us
from tongban_registry.views import local
from tongban_shared.errors import RefusedError
from tongban_shared.web.handlers import as_response
from tongban_shared.web.problems import problem

if TYPE_CHECKING:
    from tongban_registry.door import Door
    from tongban_registry.office import Office
    from tongban_registry.storage.report_sql import Found
    from tongban_registry.storage.reports import Reports

LIMIT = 50
USE_POST = "an id number never stands in a URL: POST here with {id_number, name}"


def me_routes(office: Office, door: Door, reports: Reports) -> APIRouter:
    """The access log of one person, as this province keeps it."""
    router = APIRouter(tags=["people"])

    @router.post("/v1/me/access-log", summary="Who looked at my data, when, why, under which case")
    async def access_log(
        given: PersonIn, request: Request, cursor: Cursor = None, limit: Limit = LIMIT
    ) -> Response:
        after = place_in(cursor, int)
        page = await reports.accesses(door.key_of(given), office.clock.now(), after, limit=limit)
        if page is None:
            raise RefusedError("PERSON_UNKNOWN")
        return listed(request, page, [_entry(row, office.province) for row in page.rows])

    @router.get("/v1/me/access-log", include_in_schema=False)
    async def by_post_only() -> Response:
        answer = as_response(problem("METHOD_NOT_ALLOWED", detail=USE_POST))
        answer.headers["Allow"] = "POST"
        return answer

    return router


def _entry(row: Found, province: str) -> dict[str, Any]:
    return {
        "at": local(from_us(row.at)),
        "province": province,
        "who": row.actor,
        "why": row.purpose,
        "case_id": row.case_id,
        "what": row.result,
    }
