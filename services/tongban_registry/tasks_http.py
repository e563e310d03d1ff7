"""What waits for people: the list, and claims that keep two officers from working on one case.

A task is an open case on which an officer decides, or one whose next answer is overdue, so that somebody has
to call whoever owes it; above all a destination that has not settled an hour after the release (M-7). It is
on the list each day until it is done, on both sides of the case. So are the call-back (回访) after a bad
rating, and what was entered by a false commitment and can't be revoked. Its number is the case's. A claim
ends by itself after half an hour, so nobody's holiday holds up a case. A live claim of another officer
refuses a decision.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from tongban_registry.door import Closed
from tongban_registry.paging import JSON, Limit, listed, place_in
from tongban_registry.storage.report_sql import Found, Moment, Wanted
from tongban_registry.storage.reports import Claim
from tongban_registry.storage.rows import from_us, from_us_or_none, stops_of
from tongban_registry.views import ACTIONS, Span, local, provinces, supervised
from tongban_shared.cases.kind import Waits
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import RefusedError
from tongban_shared.ids import Province, case_id as checked_case_id, org_code, province as checked_province

if TYPE_CHECKING:
    from datetime import datetime

    from tongban_registry.office import Office
    from tongban_registry.storage.commitment_sql import FalseCommitments
    from tongban_registry.storage.rating_sql import Ratings
    from tongban_registry.storage.reports import Reports

LEASE = timedelta(minutes=30)
LIMIT = 50
CALLS = {
    Waits.ORIGIN: "call the origin: its answer is overdue",
    Waits.DESTINATION: "call the destination: it has not settled yet",
    Waits.THIRD_PARTY: "call the registry that was asked: its answer is overdue",
    Waits.LEDGER: "call the keeper of the custody ledger: it is silent, or knows of another hand-over",
}
Who = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class ClaimIn(Closed):
    """POST /v1/tasks/{task_id}/claim."""

    officer: Who
    org: Annotated[str, StringConstraints(max_length=20)]


class ReleaseIn(Closed):
    """POST /v1/tasks/{task_id}/release."""

    officer: Who
    org: Annotated[str, StringConstraints(max_length=20)] | None = None


class AnsweredIn(ReleaseIn):
    """POST /v1/tasks/{task_id}/answered. note: what came of it; no names of residents."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(repr=False)


class TasksAsked(Closed):
    """GET /v1/tasks. org: the office whose move it is; the county bureau, which decides, sees all."""

    province: Annotated[str | None, StringConstraints(max_length=20)] = None
    org: Annotated[str | None, StringConstraints(max_length=20)] = None
    cursor: Annotated[str | None, StringConstraints(max_length=500)] = None
    limit: Limit = LIMIT


class _Accepted(msgspec.Struct):
    """What a task shows, or knows, of the case's own record."""

    accepting_org: str = ""
    officer: str | None = None
    answering_org: str = ""
    asked: str = ""


_accepted = msgspec.json.Decoder(_Accepted).decode


class Desk:
    """Tasks and claims of one province."""

    def __init__(
        self, office: Office, reports: Reports, ratings: Ratings, commitments: FalseCommitments
    ) -> None:
        self.office = office
        self.reports = reports
        self.ratings = ratings
        self.commitments = commitments

    def moment(self) -> Moment:
        """Now, with what is overdue by now."""
        return Moment.of(self.office.clock.now(), self.office.profile.calendar)

    def view(self, row: Found, now: datetime) -> dict[str, Any]:
        """One entry of the list, with its light now."""
        return task_view(row) | supervised(_span(row), now, self.office.profile.calendar)

    def wanted(self, province: str | None, org: str | None) -> Wanted:
        """Tasks of an office; the county bureau, which decides, sees all. Raises BadInputError."""
        if province is not None and checked_province(province) != self.office.province:
            raise RefusedError("WRONG_PROVINCE", "this registry answers for another province")
        office = None if org is None or org_code(org) == self.office.org else org
        return Wanted(called=True, org=office)

    async def claim(self, case_id: str, given: ClaimIn) -> dict[str, Any]:
        """Claim or renew; a call-back comes with its comment. Raises RefusedError.

        TASK_UNKNOWN, TASK_CLAIMED; FOUR_EYES: who handled a case is not told what it was blamed for.
        """
        now = self.office.clock.now()
        owed = await self.ratings.owed(case_id)
        if owed is not None and _handled(owed, given.officer):
            raise RefusedError("FOUR_EYES")
        wanted = Claim(case_id, given.officer, org_code(given.org), now + LEASE)
        holds = await self.reports.claim(wanted, now)
        if holds is None:
            raise RefusedError("TASK_UNKNOWN")
        if holds.officer != given.officer:
            raise _claimed(case_id)
        told = {} if owed is None else {"comment": owed.comment}
        return {"task_id": case_id, **_claim_view(holds.officer, holds.org, local(holds.until)), **told}

    async def release(self, case_id: str, officer: str) -> dict[str, Any]:
        """Give up one's claim. Raises RefusedError(TASK_CLAIMED) when it is another's."""
        if await self.reports.release(case_id, officer, self.office.clock.now()) is not None:
            raise _claimed(case_id)
        return {"task_id": case_id, **_claim_view(None, None, None)}

    async def answer(self, case_id: str, given: AnsweredIn) -> dict[str, Any]:
        """A call-back was made (回访), or a false commitment seen to; safe to repeat. Raises as `claim`."""
        await self.check(case_id, given.officer)
        owed = await self.ratings.owed(case_id)
        if owed is not None and _handled(owed, given.officer):
            raise RefusedError("FOUR_EYES")
        said = (case_id, given.officer, given.note, self.office.clock.now())
        stands = None if owed is not None else await self.commitments.answer(*said)
        stands = stands or await self.ratings.answer(*said)
        if stands is None or stands.answered_by != given.officer:
            raise RefusedError("TASK_UNKNOWN")
        return {
            "task_id": case_id,
            "answered_by": given.officer,
            "answered_at": local(from_us(stands.answered_at)),
        }

    async def check(self, case_id: str, officer: str) -> None:
        """May this officer decide? Raises RefusedError(TASK_CLAIMED) while another works on the case."""
        holds = await self.reports.live_claim(case_id, self.office.clock.now())
        if holds is not None and holds.officer != officer:
            raise _claimed(case_id)


def _handled(row: Found, officer: str) -> bool:
    """Whether this officer took the case in or decided on it: the call-back is another's."""
    return officer in (row.accepted_by, _accepted(row.data).officer)


def _claimed(case_id: str) -> RefusedError:
    return RefusedError("TASK_CLAIMED", instance=f"/v1/cases/{case_id}")


def _claim_view(officer: str | None, org: str | None, until: str | None) -> dict[str, Any]:
    return {"claimed_by": officer, "claimed_org": org, "claimed_until": until}


def _span(row: Found) -> Span | None:
    if _is_call_back(row) or _is_follow_up(row):
        return Span(from_us(row.at), from_us(row.due_at))
    if row.promised_at is None:
        return None
    return Span(from_us(row.opened_at), from_us(row.promised_at), stops_of(row.stops))


def _is_call_back(row: Found) -> bool:
    return "score" in row._fields


def _is_follow_up(row: Found) -> bool:
    return "found" in row._fields


def task_view(row: Found) -> dict[str, Any]:
    """One entry of the list. A call-back tells nothing of who is to be called but the case."""
    if _is_follow_up(row):
        return _common(row) | _follow_up(row)
    return _common(row) | (_call_back(row) if _is_call_back(row) else _of_case(row))


def _common(row: Found) -> dict[str, Any]:
    record = _accepted(row.data)
    return {
        "task_id": row.id,
        "case_id": row.id,
        "item": row.item,
        "case_type": row.kind,
        "state": KINDS[row.kind].public[row.state],
        "step": row.state,
        "due_at": local(from_us_or_none(row.due_at)),
        "overdue": row.rank == 0,
        "accepting_org": record.accepting_org or None,
        "answering_org": record.answering_org or None,
        "claimed_by": row.officer,
        "claimed_until": local(from_us_or_none(row.until)),
    }


def _call_back(row: Found) -> dict[str, Any]:
    return {
        "kind": "CALL_BACK",
        "action": "call the applicant: the case was rated badly",
        "whom": None,
        "submitted_at": local(from_us(row.at)),
        "score": row.score,
        "indicators": msgspec.json.decode(row.indicators),
    }


def _follow_up(row: Found) -> dict[str, Any]:
    return {
        "kind": "FALSE_COMMITMENT",
        "action": "see to what was entered by a false commitment: it can't be revoked here",
        "whom": None,
        "submitted_at": local(from_us(row.at)),
        "found": row.found,
    }


def _of_case(row: Found) -> dict[str, Any]:
    return {
        "kind": "DECIDE" if row.waits == Waits.OFFICER else "CALL",
        "action": CALLS.get(Waits(row.waits)) or ACTIONS[Waits(row.waits)],
        "whom": _whom(row),
        "submitted_at": local(from_us(row.opened_at)),
    }


def _whom(row: Found) -> dict[str, str] | None:
    """The office to call, as the province's own file names it; None: an officer's own move, or the ledger."""
    owners = {Waits.ORIGIN: row.origin, Waits.DESTINATION: row.destination}
    owners[Waits.THIRD_PARTY] = _accepted(row.data).asked
    code = owners.get(Waits(row.waits))
    profile = provinces().get(Province(code or ""))
    return None if profile is None else {"province": profile.code, "contact": profile.contact}


def task_routes(desk: Desk) -> APIRouter:
    """The list and the claims."""
    router = APIRouter(tags=["tasks"])

    @router.get("/v1/tasks", summary="What waits for people, overdue first")
    async def tasks(request: Request, asked: Annotated[TasksAsked, Query()]) -> Response:
        after = place_in(asked.cursor, int, int, str)
        wanted, moment = desk.wanted(asked.province, asked.org), desk.moment()
        page = await desk.reports.tasks(wanted, moment, after, limit=asked.limit)
        return listed(request, page, (desk.view(row, moment.now) for row in page.rows))

    @router.post(
        "/v1/tasks/{task_id}/claim", summary="Work on a task for half an hour, or longer by repeating"
    )
    async def claim(task_id: str, given: ClaimIn) -> Response:
        return _answer(await desk.claim(_number(task_id), given))

    @router.post("/v1/tasks/{task_id}/release", summary="Let others work on it")
    async def release(task_id: str, given: ReleaseIn) -> Response:
        return _answer(await desk.release(_number(task_id), given.officer))

    @router.post(
        "/v1/tasks/{task_id}/answered",
        summary="Tell what came of a call-back or of a false commitment, which ends it",
    )
    async def answered(task_id: str, given: AnsweredIn) -> Response:
        return _answer(await desk.answer(_number(task_id), given))

    return router


def _number(task_id: str) -> str:
    return checked_case_id(task_id)


def _answer(view: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(view), media_type=JSON)
