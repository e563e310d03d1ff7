"""The operators' pages of one province. Persons stand here as digests and case numbers only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from tongban_registry.custody_http import Asked, statement
from tongban_registry.door import Closed
from tongban_registry.hops import hops_view
from tongban_registry.paging import JSON, Cursor, Limit, cursor_of, listed, place_in
from tongban_registry.pause import Paused
from tongban_registry.storage.report_sql import Found, Wanted
from tongban_registry.storage.rows import from_us, from_us_or_none
from tongban_registry.views import local
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import RefusedError
from tongban_shared.ids import case_id as checked_case_id, province as checked_province
from tongban_shared.web.problems import FieldRefusedError

if TYPE_CHECKING:
    from tongban_registry.custody_statements import Statements
    from tongban_registry.ops import Ops

LIMIT = 50
CASE_BEGIN = re.compile(r"[1-8][0-9]{1,19}[0-9A-Z]?")
ITEM = re.compile(r"[0-9]{4}")
ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")


class ActIn(Closed):
    """Who does it and why; both are kept. No names of residents in the reason."""

    actor: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


def overview_routes(ops: Ops, statements: Statements) -> APIRouter:
    """Figures and custody, and the switch that stops new work."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/overview", summary="This province in one row")
    async def overview() -> Response:
        return _json(await ops.overview())

    @router.get(
        "/v1/ops/custody",
        summary="Everybody in transfer with case and owner; with a challenge: a signed statement of sums",
    )
    async def custody(cursor: Cursor = None, limit: Limit = LIMIT, asked: Asked = None) -> Response:
        if asked is not None:
            return await statement(statements, asked)
        page, view = await ops.custody(place_in(cursor, str, str), limit)
        return _json({**view, "next": cursor_of(page.last) if page.last else None})

    @router.post("/v1/ops/pause", summary="Take no more commands; messages go on")
    async def pause(given: ActIn) -> Response:
        since = local(ops.desk.office.clock.now()) or ""
        await ops.pause.pause(Paused(given.actor, given.reason, since))
        return _json(_pause_view(ops))

    @router.post("/v1/ops/resume", summary="Take commands again")
    async def resume() -> Response:
        await ops.pause.resume()
        return _json(_pause_view(ops))

    @router.post("/v1/ops/provinces/{code}/pause", summary="The same, as the gateway has it")
    async def pause_province(code: str, given: ActIn) -> Response:
        _mine(ops, code)
        return await pause(given)

    @router.post("/v1/ops/provinces/{code}/resume", summary="The same, as the gateway has it")
    async def resume_province(code: str) -> Response:
        _mine(ops, code)
        return await resume()

    return router


def case_list_routes(ops: Ops) -> APIRouter:
    """Cases as operators search them, and the hops of one."""
    router = APIRouter(tags=["operations"])

    @router.get("/v1/ops/cases", summary="Open cases, overdue first; by state or number also closed ones")
    async def cases(request: Request, asked: Annotated[CasesAsked, Query()]) -> Response:
        wanted, moment = asked.wanted(), ops.desk.moment()
        if asked.archived():
            after = place_in(asked.cursor, str)
            page = await ops.reports.archive(wanted, moment, after, limit=asked.limit)
        else:
            after = place_in(asked.cursor, int, int, str)
            page = await ops.reports.attention(wanted, moment, after, limit=asked.limit)
        return listed(request, page, map(case_row_view, page.rows))

    @router.get("/v1/ops/cases/{case_id}/messages", summary="This side's signed hops; never their bodies")
    async def messages(case_id: str) -> Response:
        hops = await ops.reports.hops(checked_case_id(case_id))
        if hops is None:
            raise RefusedError("CASE_UNKNOWN")
        return _json({"items": hops_view(hops, ops.desk.office.province), "next": None})

    return router


class CasesAsked(Closed):
    """GET /v1/ops/cases. state: public or internal. q: the begin of a case number, or an item's code."""

    overdue: bool | None = None
    state: Annotated[str | None, StringConstraints(pattern=r"^[A-Z_]{1,40}$")] = None
    province: Annotated[str | None, StringConstraints(max_length=20)] = None
    q: Annotated[str | None, StringConstraints(max_length=40)] = None
    cursor: Annotated[str | None, StringConstraints(max_length=500)] = None
    limit: Limit = LIMIT

    def wanted(self) -> Wanted:
        """As conditions. Raises BadInputError."""
        item = self.q if self.q and ITEM.fullmatch(self.q) else None
        return Wanted(
            states=states_named(self.state) if self.state else None,
            province=checked_province(self.province) if self.province else None,
            overdue=self.overdue,
            number=number_sought(self.q) if self.q and not item else None,
            item=item,
        )

    def archived(self) -> bool:
        """Whether closed cases are asked for: by number, or by a state in which a case ends."""
        ends = {state for kind in KINDS.values() for state in kind.terminal}
        return bool(self.q and not ITEM.fullmatch(self.q)) or bool(
            self.state and states_named(self.state) & ends
        )


def states_named(name: str) -> frozenset[str]:
    """Internal states with this public or internal name. Raises FieldRefusedError when there is none."""
    found = {
        str(step)
        for kind in KINDS.values()
        for step, public in kind.public.items()
        if name in (str(step), public)
    }
    if not found:
        raise FieldRefusedError("query.state", "unknown")
    return frozenset(found)


def number_sought(q: str) -> str:
    """The begin of a case number. An id number is refused: it never stands in a URL."""
    if ID_NUMBER.fullmatch(q) or not CASE_BEGIN.fullmatch(q):
        raise FieldRefusedError("query.q", "want the begin of a case number, or an item's code of 4 digits")
    return q


def case_row_view(row: Found) -> dict[str, Any]:
    """One case of the list."""
    return {
        "case_id": row.id,
        "item": row.item or None,
        "case_type": row.kind,
        "side": row.side.lower(),
        "state": KINDS[row.kind].public[row.state],
        "step": row.state,
        "origin_province": row.origin,
        "destination_province": row.destination,
        "waits_for": row.waits.lower(),
        "submitted_at": local(from_us(row.opened_at)),
        "due_at": local(from_us_or_none(row.due_at)),
        "overdue": row.rank == 0,
        "refusal": row.refusal,
        "closed_at": local(from_us_or_none(row.closed_at)),
        "claimed_by": row.officer,
    }


def _pause_view(ops: Ops) -> dict[str, Any]:
    paused = ops.pause.now
    return {
        "province": ops.desk.office.province,
        "paused": paused is not None,
        "since": paused.since if paused else None,
        "reason": paused.reason if paused else None,
        "actor": paused.actor if paused else None,
    }


def _mine(ops: Ops, code: str) -> None:
    if checked_province(code) != ops.desk.office.province:
        raise RefusedError("WRONG_PROVINCE", "this registry answers for another province")


def _json(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type=JSON)
