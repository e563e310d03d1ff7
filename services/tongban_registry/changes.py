"""The verb `change`: what an item of the catalogue does to the register, one function for each effect. Pure.

Whoever it is about stays in the province and keeps epoch and custody. Each entry is a new record version, so
that a move under way confirms again what it relies on (M2). Source: effects.py, domain.md §2.1 to §2.3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from tongban_registry.writing import Verb, Writing, see_to_those_who_stay
from tongban_shared.cases.home_paper import NAMING
from tongban_shared.cases.kind import Case, Event
from tongban_shared.cases.register_change_data import ChangeData
from tongban_shared.cases.register_change_rules import BOOKLET, booklet_paper, home_station, voids
from tongban_shared.documents.verify import Status
from tongban_shared.effects import NAME, Effect
from tongban_shared.registration import Household, Person, Registration, Surroundings

# GB/T 4761: the head of the household.
HEAD = "02"
HOUSEHOLD = frozenset({"address", "household_no", "relation_code"})


def change(case: Case, event: Event, around: Surroundings) -> Writing:
    """What the home station has agreed to, entered (CH2)."""
    return EFFECTS[Effect(case.data.effect)](case, event, around)


def _change_fields(case: Case, _event: Event, around: Surroundings) -> Writing:
    """New values; a name that was is kept as the former one (曾用名)."""
    data: ChangeData = case.data
    person = around.people[case.persons[0]]
    values: dict[str, Any] = dict(data.changes)
    if NAME in values:
        values = {"former_name": _form(person).get(NAME, "")} | values
        person = replace(person, name_check=data.new_name_check)
    entered = _entered(person, values)
    return Writing(persons=[entered], standings=superseded(case, data.changes.keys(), around))


def superseded(case: Case, fields: Collection[str], around: Surroundings) -> dict[str, Status]:
    """Current documents of the applicant that show an old value of what tells who somebody is, or where.

    Every document names its person; of the household only a booklet tells. Expired ones are left as they are.
    """
    named, housed = NAMED & set(fields), HOUSEHOLD & set(fields)
    held = (paper for paper in around.papers.get(case.persons[0], ()) if around.is_valid(paper))
    return {
        paper.licence_id: Status.SUPERSEDED for paper in held if named or (housed and paper.kind == BOOKLET)
    }


NAMED = frozenset(NAMING)


def _new_head(case: Case, _event: Event, around: Surroundings) -> Writing:
    """The applicant is head; whoever was is not; the members named stand in another relation now."""
    data: ChangeData = case.data
    head = around.people[case.persons[0]]
    writing = Writing(persons=[replace(_entered(head, {"relation_code": HEAD}), head=True)])
    related = dict(zip(case.persons[1:], data.relations, strict=False))
    members = {member.key: member for member in around.members.get(head.household_id, ())}
    for key in dict.fromkeys((*related, *members)):
        member = around.people[key]
        values = {"relation_code": related[key]} if key in related else {}
        if key != head.key and (values or member.head):
            writing.persons.append(replace(_entered(member, values), head=False))
    writing.standings = superseded(case, HOUSEHOLD, around)
    return writing


def _to_another_household(case: Case, _event: Event, around: Surroundings) -> Writing:
    """To a household of their own, or to the one that they join; nobody's custody moves (省内迁移)."""
    data: ChangeData = case.data
    movers = [around.people[key] for key in case.persons]
    writing = Writing(persons=_settled(case, movers, around))
    if not data.household_no:
        writing.households.append(_household(case, movers[0]))
    left = {person.household_id for person in movers}
    see_to_those_who_stay(writing, left, case, around)
    writing.standings = superseded(case, HOUSEHOLD, around)
    return writing


def _settled(case: Case, movers: Collection[Person], around: Surroundings) -> list[Person]:
    """The movers where they live now: address, household, and why and whence (何因由何地迁来)."""
    data: ChangeData = case.data
    values: dict[str, Any] = {"address": data.address, "household_no": data.new_household_no}
    if data.effect == Effect.MOVE_WITHIN:
        values["moved_in"] = {"reason": data.ground, "from_province": around.province}
    settled = []
    for person in movers:
        head = not data.household_no and person.key == case.persons[0]
        relation = {"relation_code": HEAD} if head else {}
        entered = _entered(person, values | relation)
        settled.append(replace(entered, household_id=data.new_household_no, head=head))
    return settled


def _household(case: Case, person: Person) -> Household:
    data: ChangeData = case.data
    return Household(data.new_household_no, "FAMILY", data.station or home_station(person), data.address)


def _end(case: Case, event: Event, _around: Surroundings) -> Writing:
    """Entered as what befalls a person is, with the end of any move that is not handed over (E1)."""
    return Writing(endings=[(case.persons[0], case.data.ending, event.officer)])


def _restore(case: Case, event: Event, around: Surroundings) -> Writing:
    """Registered again from now on, where they were, or in a household of their own at the same station."""
    data: ChangeData = case.data
    person = around.people[case.persons[0]]
    back = replace(person, state=Registration.HELD, valid_from=event.at, valid_to=None)
    if not data.address:
        return Writing(persons=[_entered(back, {})])
    return Writing(persons=_settled(case, [back], around), households=[_household(case, person)])


def _issue_booklet(case: Case, event: Event, around: Surroundings) -> Writing:
    """A booklet, and the one before it ends; nobody's row changes."""
    return Writing(papers=[booklet_paper(case, event, around)], standings=dict(voids(case, around)))


def _by_officer(_case: Case, _event: Event, _around: Surroundings) -> Writing:
    """What was entered in another system leaves nothing to enter here."""
    return Writing()


def _form(person: Person) -> dict[str, Any]:
    form: dict[str, Any] = msgspec.json.decode(person.record or "{}")
    return form


def _entered(person: Person, values: Mapping[str, Any]) -> Person:
    """The person with these values in the resident form, and a new record version."""
    changed = replace(person, record_version=person.record_version + 1)
    if not values:
        return changed
    form = msgspec.json.encode(_form(person) | dict(values), order="sorted").decode()
    return replace(changed, record=form)


EFFECTS: Mapping[Effect, Verb] = {
    Effect.CHANGE_FIELDS: _change_fields,
    Effect.NEW_HEAD: _new_head,
    Effect.NEW_HOUSEHOLD: _to_another_household,
    Effect.MOVE_WITHIN: _to_another_household,
    Effect.END: _end,
    Effect.RESTORE: _restore,
    Effect.ISSUE_BOOKLET: _issue_booklet,
    Effect.BY_OFFICER: _by_officer,
}
