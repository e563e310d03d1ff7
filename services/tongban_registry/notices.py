"""What befalls a person: a hold, a block, a death. Entered where they are held, or passed on to there (E1).

It comes in at this province's door or in a message of another one. Where the person is no more it follows the
pointer; where they are about to be held, or the ledger is being asked about them, it waits with the person.
A protective block is told to those as well who gave the person away, for they know whereto.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from tongban_registry.envelopes import Outgoing
from tongban_registry.register import PROTECTION, befall, void_at_death
from tongban_registry.storage.rows import to_us
from tongban_registry.views import holder_s_move
from tongban_shared.decide import Fate
from tongban_shared.effects import Ending
from tongban_shared.messages.registration import Notice
from tongban_shared.registration import CANCELLED, CLAIMING, MOVED_ON, Registration

if TYPE_CHECKING:
    from datetime import datetime

    from tongban_registry.unit import Arrival, Unit
    from tongban_shared.registration import Person

# The code with which a notice ends a transfer that is not released yet (MX); the end of a hold ends none.
BLOCKS: dict[str, str] = {"HOLD": "HOLD", **{ending.value: "NOT_REGISTERED" for ending in Ending}}


class Way(Enum):
    """What is to be done with a notice here."""

    ENTER = auto()
    PASS_ON = auto()
    WAIT = auto()
    NOTHING = auto()


class Taken(NamedTuple):
    """What became of a notice at the door, for the one who brought it."""

    passed_on: bool
    view: dict[str, Any]


def at_the_door(unit: Unit, person: Person, kind: str, officer: str | None) -> Taken | None:
    """Enter a notice, or pass it on. None: not now, the ledger is being asked about the person."""
    notice = Notice(
        person=person.key,
        kind=cast("Any", kind),
        epoch=person.epoch,
        entered_by=unit.office.province,
        incarnation=unit.counters.incarnation,
        number=unit.counters.next_stamp(),
        entered_at=unit.now,
    )
    way = _way(unit, person, notice)
    # Who is prepared here is still answered for by the origin; if it has let them go, it says so.
    if way is Way.PASS_ON or person.state is Registration.PREPARED:
        return Taken(passed_on=True, view=_pass_on(unit, person, notice, officer))
    if way is Way.WAIT:
        return None
    staged = _enter(unit, person, notice, officer)
    told = {"protected": staged.protected} if kind in PROTECTION else {"hold": staged.hold}
    return Taken(passed_on=False, view={"state": staged.state.value} | told)


def take_notice(unit: Unit, arrival: Arrival) -> Fate:
    """Take a notice from another province, new or one that has waited here."""
    notice = cast("Notice", arrival.event.body)
    person = unit.people.get(notice.person)
    way = Way.WAIT if person is None else _way(unit, person, notice)
    if person is None or way is Way.WAIT:
        return Fate.PARKED
    if way is Way.PASS_ON:
        _pass_on(unit, person, notice, arrival.event.officer)
        return Fate.TAKEN
    if way is Way.NOTHING or _is_overtaken(unit, notice):
        return Fate.LATE
    _enter(unit, person, notice, arrival.event.officer)
    return Fate.TAKEN


def _way(unit: Unit, person: Person, notice: Notice) -> Way:
    """By where the person is, as far as this register knows."""
    if person.state in CANCELLED:
        return Way.NOTHING
    if person.state in CLAIMING:
        case = unit.case(person.case_id or "")
        asking = case is not None and case.state == "RELEASING"
        return Way.WAIT if asking and notice.kind in BLOCKS else Way.ENTER
    gone = person.state in MOVED_ON or person.state is Registration.DROPPED
    # Only onwards: a pointer that leads no further than the sender knows is older than what it knows.
    if gone and person.moved_to is not None and person.epoch + 1 > notice.epoch:
        return Way.PASS_ON
    if notice.kind in PROTECTION and gone:
        return Way.ENTER if person.state in MOVED_ON else Way.NOTHING
    return Way.WAIT


def _enter(unit: Unit, person: Person, notice: Notice, officer: str | None) -> Person:
    """Write it, and of two holds or ends of one remember the later."""
    if notice.kind != "DEATH":
        unit.put_notice(person.key, _door(notice), (notice.incarnation, notice.number))
    staged = strike(unit, person.key, (notice.kind, notice.entered_at), officer)
    if notice.kind in PROTECTION:
        _tell_around(unit, staged, notice, officer)
    return staged


def _tell_around(unit: Unit, person: Person, notice: Notice, officer: str | None) -> None:
    """Tell the registry that they came from, and the one that has their record already and not them.

    It ends where it is known already: an order that has taken effect is late.
    """
    if person.state is Registration.FROZEN:
        case = unit.case(person.case_id or "")
        if case is not None:
            _send(unit, person, notice, (case.destination, person.epoch + 1, officer))
    form: dict[str, Any] = msgspec.json.decode(person.record or "{}")
    before = (form.get("moved_in") or {}).get("from_province")
    # Whoever never moved in this system was given away by no register of it.
    if person.epoch and before not in {None, unit.office.province}:
        _send(unit, person, notice, (before, person.epoch, officer))


def end_by_case(unit: Unit, key: str, ending: str, officer: str | None) -> None:
    """A registration ends by a case: a death as at the door, here or where they are now; else here (E1).

    The rules of the case have seen to it that the ledger is not being asked.
    """
    if ending == Ending.DEATH:
        at_the_door(unit, unit.people[key], ending, officer)
    else:
        strike(unit, key, (ending, unit.now), officer)


def strike(unit: Unit, key: str, what: tuple[str, datetime], officer: str | None) -> Person:
    """Enter what befalls somebody who is held here; a transfer that is not released yet ends by it (MX).

    what: a hold or block, its end, or how a registration ends, and when. The ledger must not be asking.
    """
    kind, at = what
    case = unit.case(unit.people[key].case_id or "")
    if case is not None and kind in BLOCKS:
        unit.decide(unit.event("block", case.id, BLOCKS[kind], officer), case.kind)
    unit.put_person(befall(unit.people[key], kind, at))
    if kind == Ending.DEATH:
        unit.put_standings(key, void_at_death(unit.papers_of(key)))
    staged = unit.people[key]
    _remember(unit, staged, kind.lower())
    return staged


def _pass_on(unit: Unit, person: Person, notice: Notice, officer: str | None) -> dict[str, Any]:
    """Send it to whom the pointer names; returns whose move it is."""
    to = person.moved_to or ""
    epoch = person.epoch - 1 if person.state is Registration.PREPARED else person.epoch + 1
    _send(unit, person, notice, (to, epoch, officer))
    _remember(unit, person, f"{notice.kind.lower()}_passed_on")
    case = unit.case(person.case_id or "") if person.state is Registration.RELEASED else None
    return {"state": "PASSED_ON", "waiting_for": holder_s_move(to, case.due_at if case else None)}


def _send(unit: Unit, person: Person, notice: Notice, way: tuple[str, int, str | None]) -> None:
    """The same notice to another registry. way: to whom, the epoch at which it has them, the officer."""
    to, epoch, officer = way
    fields = {name: getattr(notice, name) for name in Notice.model_fields}
    place = (unit.office, unit.counters.incarnation, unit.counters.next_sequence(to))
    body = Notice(**fields | {"epoch": epoch})
    unit.outgoing.append(Outgoing.to_peer(to, body, unit.now, place, person=person.key, officer=officer))


def _door(notice: Notice) -> str:
    """Whose door, and of blocks apart from holds: neither overtakes the other."""
    return f"{notice.entered_by}:BLOCK" if notice.kind in PROTECTION else notice.entered_by


def _is_overtaken(unit: Unit, notice: Notice) -> bool:
    """Whether a later hold, or end of one, from the same door has taken effect; a death is never late."""
    order = (notice.incarnation, notice.number)
    return notice.kind != "DEATH" and order <= unit.last_notice(notice.person, _door(notice))


def _remember(unit: Unit, person: Person, what: str) -> None:
    """A line in the person's history."""
    at = to_us(unit.now)
    entry = (person.key, person.epoch, person.state.value, person.case_id, what, "", at)
    unit.changes.history.append(entry)
