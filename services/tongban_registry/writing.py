"""What the register's verbs return, and what several of them do alike. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from tongban_shared.cases.kind import Case, Event
from tongban_shared.cases.migration_rules import staying_members
from tongban_shared.documents.paper import Paper
from tongban_shared.documents.verify import Status
from tongban_shared.registration import Household, Person, Surroundings


@dataclass(frozen=True, slots=True)
class Copy:
    """Another registry's document, kept here for its window. person: key of the one it tells of.

    as_of: when its issuer said that it holds, by the issuer's clock. kept_until: None while its case is open.
    """

    licence_id: str
    case_id: str
    person: str
    kind: str
    document: bytes = field(repr=False)
    as_of: datetime
    kept_until: datetime | None


@dataclass(slots=True)
class Writing:
    """What a verb writes: persons after it, households, documents to sign, and how others stand now.

    endings: registrations that end by this case, as person, how, and the officer who says so.
    """

    persons: list[Person] = field(default_factory=list)
    households: list[Household] = field(default_factory=list)
    households_closed: list[str] = field(default_factory=list)
    households_opened: list[str] = field(default_factory=list)
    papers: list[Paper] = field(default_factory=list)
    standings: dict[str, Status] = field(default_factory=dict)
    endings: list[tuple[str, str, str | None]] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)


Verb = Callable[[Case, Event, Surroundings], Writing]


def see_to_those_who_stay(writing: Writing, homes: Collection[str], case: Case, around: Surroundings) -> None:
    """A household that lost its head gets a new one; an empty one closes (M-2). homes: those left."""
    staying: dict[str, list[Person]] = {home: [] for home in homes if home in around.members}
    for member in staying_members(case, around):
        staying[member.household_id].append(member)
    for home, members in staying.items():
        if not members:
            writing.households_closed.append(home)
        elif not any(member.head for member in members):
            chosen = new_head(members, around)
            writing.persons.append(replace(chosen, head=True, record_version=chosen.record_version + 1))


def new_head(members: Sequence[Person], around: Surroundings) -> Person:
    """The eldest adult who stays; the eldest of all if there is none."""
    today = around.now.date()
    return min(members, key=lambda member: (member.is_minor(today), member.birth_date, member.key))
