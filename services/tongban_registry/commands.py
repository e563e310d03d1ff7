"""Commands: what the doors, the timers and the ledger's answers put before the same unit of work as messages.

A command with an idempotency key stores its reply in the unit's own transaction; the same key gets it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tongban_registry.arrivals import unseal_offer
from tongban_registry.commitments import on_record, take_check, why_not
from tongban_registry.loaded import Loaded
from tongban_registry.looked_up import holders, log_look_ups, taken_back
from tongban_registry.notices import at_the_door
from tongban_registry.peers import ask_again, issue_again, tell_started
from tongban_registry.ratings import rate
from tongban_registry.storage.rows import StoredReply, to_us
from tongban_registry.unit import Unit
from tongban_registry.views import case_view
from tongban_shared.cases.kind import Case, Event, Side
from tongban_shared.decide import Fate
from tongban_shared.ids import SERIALS, make_case_id
from tongban_shared.registration import CANCELLED, Registration

if TYPE_CHECKING:
    from tongban_registry.storage.sql import UnitOfWork

OFFER_KEPT_STATE = "CONFIRMING"
ACCEPTED = 202
CREATED = 201
OK = 200
# Withdrawing after the acceptance (M3) is too late: the way back is a new, reverse move (M-6).
COMMITTED = frozenset({"PREPARED", "COMPLETED", "IN_PRODUCTION", "AT_COUNTER", "ENTERING"})
# Nobody whom anything can befall here, or whom this register can point to.
GONE = CANCELLED | {Registration.DROPPED}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command gets: a status with the case's view, or a problem code with an instance."""

    status: int = ACCEPTED
    view: bytes = field(default=b"", repr=False)
    case_id: str | None = None
    code: str | None = None
    replayed: bool = False


NO_REPLY = Reply()


@dataclass(slots=True)
class Command:
    """One command. `name` is its event; `persons` are the keys it needs read; `key` its idempotency key.

    service, kind: of a new application, for its case number and its table. contact: how its applicant
    wants to be told, as channel, language and sealed address.
    """

    name: str
    body: Any = None
    case_id: str | None = None
    officer: str | None = None
    persons: tuple[str, ...] = ()
    key: str | None = None
    digest: str = ""
    service: str = "01"
    kind: str = ""
    contact: tuple[str, str, str] | None = field(default=None, repr=False)
    reply: asyncio.Future[Reply] | None = None


async def load_for_door(tx: UnitOfWork, loaded: Loaded, commands: Sequence[Command]) -> None:
    """What commands alone are decided by; four statements at most."""
    loaded.rated = await tx.rated(c.case_id for c in commands if c.name == "rate" and c.case_id)
    loaded.false_commitments = await tx.false_commitments(_committed(loaded, commands))
    loaded.papers |= await tx.papers(holders(loaded, commands) - loaded.papers.keys())
    loaded.replies = await tx.replies(command.key for command in commands if command.key)


def _committed(loaded: Loaded, commands: Sequence[Command]) -> set[str]:
    """Persons who commit themselves, and those whose commitment is checked."""
    applying = {c.persons[0] for c in commands if c.name == "apply" and c.body.data.commitment is not None}
    checked = {command.case_id or "" for command in commands if command.name == "check"}
    return applying | loaded.persons_of(checked)


def take_command(unit: Unit, command: Command, replies: dict[str, StoredReply]) -> Reply:
    """Decide one command within a unit of work and stage its reply."""
    if command.key is not None and command.key in replies:
        return replay(replies[command.key], command.digest)
    reply = _HANDLERS.get(command.name, _on_case)(unit, command)
    if command.key is not None and reply.code is None:
        text = reply.view.decode("utf-8")
        row = (command.key, command.digest, reply.status, text, reply.case_id, to_us(unit.now))
        unit.changes.replies.append(row)
        replies[command.key] = StoredReply(command.digest, reply.status, text, reply.case_id)
    return reply


def replay(stored: StoredReply, digest: str) -> Reply:
    """The stored reply again; the same key with another body is a conflict."""
    if stored.digest != digest:
        return Reply(code="IDEMPOTENCY_CONFLICT")
    return Reply(stored.status, stored.reply.encode("utf-8"), stored.case_id, replayed=True)


def _on_apply(unit: Unit, command: Command) -> Reply:
    """A new application: one open case for each person here."""
    existing = unit.under_way(command.persons, command.kind)
    if existing is not None:
        return Reply(code="DUPLICATE_CASE", case_id=existing)
    if on_record(unit, command):
        return Reply(code="BAD_CREDIT")
    if taken_back(unit, command.persons, command):
        return Reply(code="LICENCE_NOT_IN_FORCE")
    event = unit.event("apply", "", command.body, command.officer)
    serial = event.stamp % SERIALS
    case_id = make_case_id(unit.office.province, command.service, unit.office.today(), serial)
    outcome = unit.decide(replace(event, case_id=case_id), command.kind)
    if outcome is None or outcome.fate is not Fate.TAKEN:
        return Reply(code="STEP_NOT_ALLOWED")
    if command.contact is not None:
        unit.changes.contacts.append((case_id, *command.contact))
    log_look_ups(unit, outcome.case, command)
    return _reply(unit, outcome.case, ACCEPTED)


def _on_case(unit: Unit, command: Command) -> Reply:
    """A command on a known case."""
    case = unit.case(command.case_id or "")
    if case is None:
        return Reply(code="CASE_UNKNOWN")
    if command.name == "decision" and _signs_alone(unit, case, command.officer):
        return Reply(code="FOUR_EYES", case_id=case.id)
    if taken_back(unit, case.persons, command):
        return Reply(code="LICENCE_NOT_IN_FORCE", case_id=case.id)
    event = unit.event(command.name, case.id, command.body, command.officer)
    if case.state == OFFER_KEPT_STATE and command.name == "decision":
        event = _with_kept_offer(unit, case, event)
    outcome = unit.decide(event, case.kind)
    if outcome is None or outcome.fate is not Fate.TAKEN:
        late = command.name == "withdraw" and case.state in COMMITTED
        code = outcome.code if outcome is not None and outcome.fate is Fate.REFUSED else None
        return Reply(code="TOO_LATE" if late else code or "STEP_NOT_ALLOWED", case_id=case.id)
    log_look_ups(unit, outcome.case, command)
    return _reply(unit, outcome.case, ACCEPTED) if command.reply is not None else NO_REPLY


def _signs_alone(unit: Unit, case: Case, officer: str | None) -> bool:
    """Whether who took the case in would sign it too, where the item wants four eyes. Source: rule FE."""
    item = unit.office.catalogue.by_code.get(case.item)
    return (
        item is not None and item.four_eyes and case.accepted_by is not None and case.accepted_by == officer
    )


def _on_rate(unit: Unit, command: Command) -> Reply:
    """One rating for each ended case, where it was accepted."""
    case = unit.case(command.case_id or "")
    if case is None:
        return Reply(code="CASE_UNKNOWN")
    if case.side is not Side.DESTINATION:
        return Reply(code="WRONG_PROVINCE", case_id=case.id)
    if case.closed_at is None:
        return Reply(code="CASE_OPEN", case_id=case.id)
    view = rate(unit, case.id, command.body)
    if view is None:
        return Reply(code="RATING_EXISTS", case_id=case.id)
    return Reply(CREATED, msgspec.json.encode(view), case.id)


def _on_check(unit: Unit, command: Command) -> Reply:
    """An officer has looked into a commitment, after the case."""
    case = unit.case(command.case_id or "")
    if case is None:
        return Reply(code="CASE_UNKNOWN")
    code = why_not(unit, case)
    if code is not None:
        return Reply(code=code, case_id=case.id)
    return _reply(unit, take_check(unit, case, command), OK)


def _with_kept_offer(unit: Unit, case: Case, event: Event) -> Event:
    """An officer decides on an offer that differed from what was approved: its bundle is opened again."""
    opened = unit.office.opener.open_proof(case.data.offer_proof)
    offer = replace(event, body=opened.message.body, sender=opened.message.envelope.sender)
    return replace(event, bundle=unseal_offer(unit.office, offer))


def _on_limit(unit: Unit, command: Command) -> Reply:
    """A passed limit, unless the case has moved on since it was noticed."""
    case = unit.case(command.case_id or "")
    if case is None or case.due_at is None or case.due_at > unit.now:
        return Reply(code="STEP_NOT_ALLOWED", case_id=command.case_id)
    return _on_case(unit, command)


def _on_register(unit: Unit, command: Command) -> Reply:
    """A hold set or lifted, or a death: entered here, or passed on to whom this register points to."""
    (key,) = command.persons
    person = unit.people.get(key)
    if person is None or person.state in GONE:
        return Reply(code="PERSON_UNKNOWN")
    taken = at_the_door(unit, person, command.body, command.officer)
    if taken is None:
        return Reply(code="IN_TRANSFER", case_id=person.case_id)
    return Reply(ACCEPTED if taken.passed_on else OK, msgspec.json.encode(taken.view))


def _reply(unit: Unit, case: Case, status: int) -> Reply:
    """The case as it stands, with what this unit added to its timeline."""
    view = case_view(case, unit.notes[case.id], unit.office.profile, unit.now)
    return Reply(status, msgspec.json.encode(view), case.id)


def _on_recovered(unit: Unit, command: Command) -> Reply:
    """What the ledger says of a hand-over that this database has forgotten (G1)."""
    unit.decide(unit.event("recovered", command.case_id or "", command.body), "migration")
    return NO_REPLY


def _on_named(unit: Unit, command: Command) -> Reply:
    """Whom a hand-over of the ledger concerned, unless they are not known here any more (G1)."""
    if all(key in unit.people for key in command.persons):
        unit.decide(unit.event("named", command.case_id or "", command.persons), "migration")
    return NO_REPLY


def _on_resend(unit: Unit, command: Command) -> Reply:
    """Ask everybody to send again."""
    ask_again(unit, command.body)
    return NO_REPLY


def _on_reissue(unit: Unit, command: Command) -> Reply:
    """Send once more, under new numbers."""
    issue_again(unit, command.body)
    return NO_REPLY


def _on_started(unit: Unit, command: Command) -> Reply:
    """Tell peers how far this registry remembers."""
    tell_started(unit, command.persons)
    return NO_REPLY


def _on_parked(unit: Unit, command: Command) -> Reply:
    """Messages of a case that waited in vain, by the clock shown to people: they are for people now (M-5)."""
    for arrival in unit.freed_by(command.case_id or ""):
        message_id = arrival.event.message_id
        if message_id in command.body:
            unit.changes.unparked.append((message_id,))
            unit.quarantine("PARKED_TOO_LONG", arrival.event.sender, message_id, arrival.parcel)
        else:
            unit.remember_parked(arrival)
    return NO_REPLY


_HANDLERS = {
    "apply": _on_apply,
    "limit": _on_limit,
    "rate": _on_rate,
    "check": _on_check,
    "register": _on_register,
    "parked": _on_parked,
    "recovered": _on_recovered,
    "named": _on_named,
    "resend": _on_resend,
    "reissue": _on_reissue,
    "started": _on_started,
}
