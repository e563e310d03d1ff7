"""Rules of a change of the register (登记事项变更): the home station answers, inside the province. Pure.

Source: domain.md §2.3, §3.10, services.md S2 (events during a move), S7 (两市一窗), S9; protocol.md §4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from tongban_shared.cases.common import BY_A_CHANGE, free_again, is_trusted, new_household_no, remember
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_paper import NAMING, home_paper, told_of
from tongban_shared.cases.home_rules import (
    HERE,
    MOVED,
    NOT_REGISTERED,
    REVIEW,
    STATION_DIGITS,
    Answering,
    as_supplied,
    standing,
    subject,
)
from tongban_shared.cases.kind import OK, Case, Event, Side, Verdict
from tongban_shared.cases.migration_rules import minors_left_alone
from tongban_shared.cases.register_change_data import ChangeData, Paper as Held
from tongban_shared.documents.licence import LICENCE_AUTHORITY, credit_code, make_licence_id
from tongban_shared.documents.paper import Paper
from tongban_shared.documents.verify import Status
from tongban_shared.effects import MAY_BE_PLACED, ON_PAPER_ALONE, PLACED, Effect, Ending, is_value
from tongban_shared.registration import CLAIMING, MOVED_ON, Person, Registration, Surroundings

KIND, BOOKLET, DOCUMENT = "register_change", "booklet", "BOOKLET"
LICENCE_TYPE = f"{LICENCE_AUTHORITY}941"
CITY_DIGITS = 4
TOLD = (
    *NAMING,
    "relation_code",
    "household_no",
    "address",
    "ethnicity_code",
    "education_code",
    "marital_code",
    "occupation",
    "service_place",
    "moved_in",
)
WRONG_PROVINCE = Verdict("refused", "WRONG_PROVINCE")
BY_PAPER = Verdict("paper")
ENDED_BY: Mapping[str, Registration] = {
    Ending.MILITARY: Registration.CANCELLED_MILITARY,
    Ending.ABROAD: Registration.CANCELLED_ABROAD,
}


class Asking(msgspec.Struct, frozen=True):
    """What is sealed in a request: the new values, and the keyed check of a new name."""

    changes: dict[str, str]
    new_name_check: str = ""

    def __repr__(self) -> str:
        """Without anything personal."""
        return "Asking()"


def home_station(person: Person) -> str:
    """The station that keeps the person's household: its number begins with it (domain.md §1.3)."""
    return person.household_id[:STATION_DIGITS]


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the home registry says. Across provinces its officer always decides."""
    data: ChangeData = case.data
    person = subject(case, around)
    said = _standing(person, data, around)
    if said is not None or person is None:
        return WRONG_PROVINCE if said is MOVED else (said or NOT_REGISTERED)
    code = next(_objections(case, person, around), None)
    if code is not None:
        retry_at = free_again(person.key, around) if code == "IN_TRANSFER" else None
        return Verdict("refused", code, retry_at)
    at_home = case.side is Side.DESTINATION
    return HERE if at_home and data.trusted and not person.hold else REVIEW


def _standing(person: Person | None, data: ChangeData, around: Surroundings) -> Verdict | None:
    """Whether the item can be about them here. A death follows those who moved to where they are (E1)."""
    if data.effect == Effect.RESTORE:
        return _restorable(person, data)
    followed = person is not None and person.state in MOVED_ON | {Registration.PREPARED}
    return None if followed and data.ending == Ending.DEATH else standing(person, around)


def _restorable(person: Person | None, data: ChangeData) -> Verdict | None:
    """Whoever ended so may come back; nobody else."""
    if person is None or person.state not in CLAIMING | set(ENDED_BY.values()):
        return NOT_REGISTERED
    return None if person.state is ENDED_BY[data.ending] else Verdict("refused", "NO_RECORD")


def _objections(case: Case, person: Person, around: Surroundings) -> Iterator[str]:
    """Why not, the gravest first: asked for twice, elsewhere, held by a court, about to move, or the household."""
    data: ChangeData = case.data
    if around.under_way.get((person.key, KIND), case.id) != case.id:
        yield "DUPLICATE_CASE"
    if case.side is Side.ORIGIN and person.household_id[:CITY_DIGITS] not in data.cities:
        yield "OUT_OF_AREA"
    if data.effect in ON_PAPER_ALONE:
        return
    if person.hold and data.ending != Ending.DEATH:
        yield "HOLD"
    if data.effect == Effect.END:
        # It pre-empts a move, but for the moment in which the ledger is asked (S2).
        if person.key in around.handing_over:
            yield "IN_TRANSFER"
        return
    if person.state is Registration.FROZEN:
        yield "IN_TRANSFER"
    yield from _misplaced(data, person)
    yield from _members_object(case, person, around)


def _misplaced(data: ChangeData, person: Person) -> Iterator[str]:
    """A household of one's own is set up at the same station; nobody joins where they are, or heads it twice."""
    stays = data.effect in MAY_BE_PLACED - {Effect.MOVE_WITHIN}
    elsewhere = stays and data.station not in {"", home_station(person)}
    again = data.household_no == person.household_id or (data.effect == Effect.NEW_HEAD and person.head)
    if elsewhere or again:
        yield "NOT_ELIGIBLE"


def _members_object(case: Case, person: Person, around: Surroundings) -> Iterator[str]:
    """Whoever is named lives with the applicant and is free; nobody on the way is unseated; no minor stays alone."""
    for ref in case.data.persons[1:]:
        member = around.people.get(ref.person)
        known = member is not None and member.name_check == ref.name_check
        if member is None or not known or member.household_id != person.household_id:
            yield "NOT_SAME_HOUSEHOLD"
        elif member.state is not Registration.HELD:
            yield "IN_TRANSFER" if member.state is Registration.FROZEN else "NOT_REGISTERED"
        elif member.hold:
            yield "HOLD"
    household = around.members.get(person.household_id, ())
    leaving = any(member.head and member.state is Registration.FROZEN for member in household)
    if case.data.effect == Effect.NEW_HEAD and leaving:
        yield "IN_TRANSFER"
    if case.data.effect in PLACED and minors_left_alone(case, around):
        yield "MINOR_LEFT_ALONE"


def grant(case: Case, event: Event, around: Surroundings) -> Case:
    """A booklet is numbered by its case; a household that is set up gets a number at its station."""
    data: ChangeData = case.data
    if data.effect == Effect.ISSUE_BOOKLET:
        number = make_licence_id(LICENCE_TYPE, credit_code(around.province), case.id)
        return remember(case, licence_id=number, document=DOCUMENT)
    if data.address:
        station = data.station or home_station(around.people[case.persons[0]])
        made = new_household_no(station, BY_A_CHANGE, event.stamp)
        return remember(case, new_household_no=data.household_no or made)
    return case


def booklet_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """The booklet's pages of the applicant and of the members named."""
    fields: dict[str, str] = {}
    for number, key in enumerate(case.persons, 1):
        person = around.people.get(key)
        if person is not None and person.record:
            fields |= told_of(person, TOLD, f"person_{number}")
    return home_paper(case, event, around, (BOOKLET, fields))


def voids(case: Case, around: Surroundings) -> Mapping[str, Status]:
    """With a new booklet the one before is superseded; one that was lost is revoked."""
    status = Status.REVOKED if case.data.lost else Status.SUPERSEDED
    held = around.papers.get(case.persons[0], ())
    return {p.licence_id: status for p in held if p.kind == BOOKLET and p.case_id != case.id}


@dataclass(frozen=True, slots=True)
class ChangeAnswering(Answering):
    """Also: never outside the province but by a joint window, whose paper goes first."""

    def station(self, case: Case, around: Surroundings) -> str:
        """Who moves within the province is for the station that they move to, as between provinces."""
        data: ChangeData = case.data
        return data.station if data.effect == Effect.MOVE_WITHIN else Answering.station(self, case, around)

    def judge_door(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """Complete, and by whom it is answered; then whether there is paper to send there."""
        verdict = Answering.judge_door(self, case, event, around)
        if event.name == "materials":
            case = as_supplied(case, event)
        return _paper_first(verdict, case, around)

    def judge_located(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """Who turns out to be registered in a province that this window does not serve is refused."""
        holder = event.body.holders.get(case.data.persons[0].person)
        verdict = Answering.judge_located(self, case, event, around)
        if holder not in {None, around.province} and not may_answer(case.data, holder):
            return WRONG_PROVINCE
        return _paper_first(verdict, replace(case, origin=holder), around)

    def judge_requested(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """What the other province asks is judged here anew, field by field; its paper is waited for."""
        asked = self.as_asked(case, event)
        data: ChangeData = asked.data
        values = all(is_value(field, value) for field, value in data.changes.items())
        if data.effect not in set(Effect) - MAY_BE_PLACED or not values:
            return Verdict("refused", "CAPABILITY_MISSING")
        verdict = self.answer(asked, around)
        return BY_PAPER if verdict.name == REVIEW.name and data.on_paper else verdict

    def judge_decision(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """Somebody in the middle of a move is left as they are, and the task with the officer: later, then."""
        found = self.answer(case, around)
        if event.body.outcome == "approve" and found.code == "IN_TRANSFER":
            return Verdict("invalid", found.code, found.retry_at)
        return Answering.judge_decision(self, case, event, around)

    def as_asked(self, case: Case, event: Event) -> Case:
        """With what was sealed in the request."""
        case = Answering.as_asked(self, case, event)
        asking = msgspec.json.decode(event.bundle or b"", type=Asking)
        return remember(
            case,
            changes=asking.changes,
            new_name_check=asking.new_name_check,
            ending=event.body.ending or "",
            cities=dict.fromkeys(event.body.cities, ""),
            paper=Held.SENT if event.body.on_paper else "",
        )


def may_answer(data: ChangeData, holder: str | None) -> bool:
    """Whether a joint window serves some city of that province."""
    return holder is not None and any(city.startswith(holder) for city in data.cities)


def authority(case: Case, around: Surroundings) -> str:
    """For whom the window took it in: the authority of the person's city, if that is not the window's own."""
    cities: Mapping[str, str] = case.data.cities
    if case.origin == around.province:
        person = subject(case, around)
        return "" if person is None else cities.get(person.household_id[:CITY_DIGITS], "")
    return next((office for city, office in cities.items() if city.startswith(case.origin or "-")), "")


def _paper_first(verdict: Verdict, case: Case, around: Surroundings) -> Verdict:
    """Another authority decides on the paper, once it has it; what is of grade A is no paper."""
    waits = verdict.name in {OK, REVIEW.name} and case.origin is not None
    on_paper = waits and bool(authority(case, around)) and not is_trusted(case.data.materials)
    return BY_PAPER if on_paper else verdict


def judge_paper_received(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The station that decides says so; what another province has is not for this one's window to say."""
    if case.state == H.REQUESTED and event.sender is None:
        return Verdict("invalid", "STEP_NOT_ALLOWED")
    return Verdict()


ANSWERING = ChangeAnswering(
    grants="registered",
    kind=KIND,
    record=ChangeData,
    answer=answer,
    grant=grant,
    asks=("effect", "lost", "on_paper"),
)
