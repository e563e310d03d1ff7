"""Door 1 as HTTP: parse, put before the hall, answer. The same paths as the gateway, for one province."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response

from tongban_registry.commands import Command, Reply, replay
from tongban_registry.commitments import Check
from tongban_registry.door import (
    ApplicationIn,
    CheckIn,
    DecisionIn,
    Door,
    HoldIn,
    LookupIn,
    MaterialsIn,
    ProgressIn,
    check_asked_for,
)
from tongban_registry.materials import check_materials
from tongban_registry.ratings_http import RatingIn, rating_of
from tongban_registry.views import case_view
from tongban_shared.cases.common import Decision, Supplied
from tongban_shared.cases.kinds import KINDS
from tongban_shared.clock import BEIJING
from tongban_shared.errors import BadInputError, RefusedError
from tongban_shared.ids import PersonKey, case_id as checked_case_id
from tongban_shared.registration import CLAIMING, MOVED_ON, NO_PROOF, Registration
from tongban_shared.web.handlers import as_response
from tongban_shared.web.problems import problem

if TYPE_CHECKING:
    from tongban_registry.gate import Gate
    from tongban_registry.inbox import Hall
    from tongban_registry.tasks_http import Desk
    from tongban_shared.cases.kind import Case
    from tongban_shared.registration import Person

WAIT_MAX_S = 30
JSON = "application/json"
PREFER_WAIT = re.compile(r"\bwait=(\d{1,3})\b")
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
OFFICER_HEADER = "X-Tongban-Officer"
ABSENT_HEADER = "X-Tongban-Absent"
Officer = Annotated[str | None, Header(alias=OFFICER_HEADER, max_length=40)]
# The public word for each custody state. Source: domain.md §2.3.
PUBLIC_STATE = {
    Registration.HELD: "REGISTERED",
    Registration.FROZEN: "MOVE_OUT_LOCKED",
    Registration.RELEASED: "IN_TRANSIT",
    Registration.CONFIRMED: "MOVED_OUT",
}


def case_routes(hall: Hall, door: Door) -> APIRouter:
    """Applications and cases, for those who apply."""
    router = APIRouter(tags=["cases"])

    @router.post("/v1/cases", status_code=202, summary="Apply")
    async def apply(
        given: ApplicationIn, request: Request, key: Key = None, officer: Officer = None
    ) -> Response:
        given.officer = officer or given.officer
        return await _put_checked(hall, door.application(given), (request, key))

    @router.get("/v1/cases/{case_id}", summary="A case: state, whose move it is, timeline")
    async def show(case_id: str, prefer: Annotated[str | None, Header()] = None) -> Response:
        number = checked_case_id(case_id)
        wanted = PREFER_WAIT.search(prefer or "")
        if wanted:
            await hall.closing.wait(number, min(int(wanted[1]), WAIT_MAX_S), hall.store)
        found = await hall.store.case(number)
        if found is None:
            raise RefusedError("CASE_UNKNOWN")
        case, timeline = found
        view = msgspec.json.encode(case_view(case, timeline, hall.office.profile, hall.office.clock.now()))
        return Response(view, media_type=JSON, headers={"ETag": f'"{case.version}"'})

    return router


def change_routes(hall: Hall, door: Door) -> APIRouter:
    """What applicants change in a case under way, and say of one that has ended."""
    router = APIRouter(tags=["cases"])

    @router.post("/v1/cases/{case_id}/withdrawal", status_code=202, summary="Withdraw")
    async def withdraw(case_id: str, request: Request, key: Key = None) -> Response:
        return await _put(hall, Command("withdraw", case_id=checked_case_id(case_id)), (request, key))

    @router.post("/v1/cases/{case_id}/materials", status_code=202, summary="Hand in what was asked for")
    async def materials(case_id: str, given: MaterialsIn, request: Request, key: Key = None) -> Response:
        case = await _case(hall, case_id)
        item = hall.office.catalogue.item(case.item)

        async def checked() -> Command:
            holder = PersonKey(case.persons[0]) if case.persons else None
            taken = await door.materials.taken(item, given.materials, holder)
            handed = {material.kind for material in (*case.data.materials, *taken)}
            body = Supplied(taken, check_materials(item, handed))
            return Command("materials", body=body, case_id=case.id)

        return await _put_checked(hall, checked(), (request, key))

    @router.post("/v1/cases/{case_id}/progress", status_code=202, summary="Made, printed, handed over")
    async def progress(case_id: str, given: ProgressIn, request: Request, key: Key = None) -> Response:
        case = await _case(hall, case_id)
        if given.step not in KINDS[case.kind].reports:
            raise RefusedError("STEP_NOT_ALLOWED", instance=f"/v1/cases/{case.id}")
        who = request.headers.get(OFFICER_HEADER) or given.officer or "officer"
        return await _put(hall, Command(given.step, case_id=case.id, officer=who), (request, key))

    @router.post("/v1/cases/{case_id}/commitment", summary="An officer has looked into a commitment")
    async def commitment(case_id: str, given: CheckIn, request: Request, key: Key = None) -> Response:
        who = request.headers.get(OFFICER_HEADER) or given.officer or "officer"
        body = Check(given.outcome == "holds", given.note)
        command = Command("check", body=body, case_id=checked_case_id(case_id), officer=who)
        return await _put(hall, command, (request, key))

    @router.post("/v1/cases/{case_id}/rating", status_code=201, summary="Rate an ended case, once")
    async def rating(case_id: str, given: RatingIn, request: Request, key: Key = None) -> Response:
        command = Command("rate", body=rating_of(given), case_id=checked_case_id(case_id))
        return await _put(hall, command, (request, key))

    return router


def decision_routes(hall: Hall, desk: Desk) -> APIRouter:
    """What an officer decides."""
    router = APIRouter(tags=["cases"])

    @router.post("/v1/cases/{case_id}/decision", status_code=202, summary="An officer's decision")
    async def decision(case_id: str, given: DecisionIn, request: Request, key: Key = None) -> Response:
        number = checked_case_id(case_id)
        who = request.headers.get(OFFICER_HEADER) or given.officer or "officer"

        async def checked() -> Command:
            await desk.check(number, who)
            if given.outcome == "return":
                check_asked_for(given.materials, await _case(hall, number), hall.office.catalogue)
            body = Decision(given.outcome, given.reason_code, given.note, tuple(given.materials))
            return Command("decision", body=body, case_id=number, officer=who)

        return await _put_checked(hall, checked(), (request, key))

    return router


def registration_routes(hall: Hall, door: Door, gate: Gate) -> APIRouter:
    """Who holds a person, and what pre-empts a transfer."""
    router = APIRouter(tags=["registrations"])

    @router.post("/v1/registrations/lookup", summary="Where a person is registered")
    async def lookup(given: LookupIn, officer: Officer = None) -> Response:
        key, check = door.key_of(given)
        access = (officer or "agency", given.purpose, given.case_id)
        # Asked first: whose record comes back between the two is found by the second.
        restoring = await gate.restoring(key)
        person = await hall.store.lookup(key, access, hall.office.clock.now())
        if person is not None and person.name_check != check:
            return _unknown()
        if restoring and (person is None or person.state not in CLAIMING):
            # By the ledger they are here, and their record is on its way back (G1): neither "unknown" then
            # nor where they lived before.
            raise RefusedError("RECOVERING")
        if person is None or person.state is Registration.DROPPED:
            return await _absent(gate, key, _unknown())
        return _registration(person, hall)

    @router.post(
        "/v1/registrations/holds",
        summary="Set or lift a hold or a protective block; enter a death",
        responses={202: {"description": "Passed on to the registry that holds the person"}},
    )
    async def holds(given: HoldIn, request: Request, key: Key = None, officer: Officer = None) -> Response:
        command = door.registration(given)
        command.officer = officer or "officer"
        person_key = PersonKey(command.persons[0])
        restoring = await gate.restoring(person_key)
        answer = await _put(hall, command, (request, key))
        if answer.status_code != HTTPStatus.NOT_FOUND:
            return answer
        if restoring:
            raise RefusedError("RECOVERING")
        return await _absent(gate, person_key, answer)

    return router


def _unknown() -> Response:
    return as_response(problem("PERSON_UNKNOWN"))


async def _absent(gate: Gate, key: PersonKey, answer: Response) -> Response:
    """Tell the gateway that there is no record at all; outside, it looks as a wrong name does."""
    if await gate.forgotten(key):
        raise RefusedError("RECOVERING")
    answer.headers[ABSENT_HEADER] = "1"
    return answer


def _registration(person: Person, hall: Hall) -> Response:
    """The answer of protocol.md §4: here, or the next holder with the certificate that names it."""
    here = person.state in CLAIMING
    moved = person.state in MOVED_ON
    answer: dict[str, Any] = {
        "province": person.moved_to if not here and person.moved_to else hall.office.province,
        "epoch": person.epoch + 1 if moved else person.epoch - (person.state is Registration.PREPARED),
        "state": PUBLIC_STATE.get(person.state, "ASK_ORIGIN" if person.moved_to else "CANCELLED"),
        "transfer_pending": person.state is Registration.FROZEN,
        "as_of": hall.office.clock.now().astimezone(BEIJING).isoformat(timespec="milliseconds"),
        "proof": None if person.proof in {"", NO_PROOF} else person.proof,
        "source": "registry",
    }
    headers = {} if here or not person.moved_to else {"X-Tongban-Moved-To": person.moved_to}
    return Response(msgspec.json.encode(answer), media_type=JSON, headers=headers)


async def _case(hall: Hall, raw: str) -> Case:
    found = await hall.store.case(checked_case_id(raw))
    if found is None:
        raise RefusedError("CASE_UNKNOWN")
    return found[0]


async def _put_checked(
    hall: Hall, checking: Awaitable[Command], origin: tuple[Request, str | None]
) -> Response:
    """Check, then put. What is refused now may have been taken before: its stored reply answers then."""
    try:
        command = await checking
    except BadInputError:
        stored = await _stored(hall, origin)
        if stored is None:
            raise
        return stored
    return await _put(hall, command, origin)


async def _put(hall: Hall, command: Command, origin: tuple[Request, str | None]) -> Response:
    """Put a command before the hall and answer with its reply, given after the commit."""
    request, key = origin
    if key is not None:
        command.key, command.digest = await _fingerprint(request, key)
    return answer_of(await asyncio.shield(hall.ask(command)), hall)


async def _fingerprint(request: Request, key: str) -> tuple[str, str]:
    """Digests of the idempotency key (per path) and of the body."""
    stored_key = sha256(f"{request.url.path} {key}".encode()).hexdigest()
    return stored_key, sha256(await request.body()).hexdigest()


async def _stored(hall: Hall, origin: tuple[Request, str | None]) -> Response | None:
    """The reply stored for this key, if there is one."""
    request, key = origin
    if key is None:
        return None
    stored_key, digest = await _fingerprint(request, key)
    reply = await hall.store.reply(stored_key)
    return None if reply is None else answer_of(replay(reply, digest), hall)


def answer_of(reply: Reply, hall: Hall) -> Response:
    """A reply as HTTP: the case's view, or a problem."""
    if reply.code is not None:
        instance = f"/v1/cases/{reply.case_id}" if reply.case_id else None
        contact = hall.office.profile.contact
        return as_response(problem(reply.code, instance=instance, contact=contact))
    headers = {"Location": f"/v1/cases/{reply.case_id}"} if reply.case_id else {}
    if reply.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(reply.view, reply.status, headers, JSON)
