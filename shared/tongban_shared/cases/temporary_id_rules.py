"""Rules of a temporary identity card (临时居民身份证): answered by facts and a match, else by the duty officer. Pure.

Source: 公安部令第78号, domain.md §3.3, services.md S4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tongban_shared.cases.common import remember
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_paper import NAMING, home_paper, told_of
from tongban_shared.cases.home_rules import HERE, REVIEW, Answering, standing, subject
from tongban_shared.cases.kind import Case, Event, Side, Verdict
from tongban_shared.cases.temporary_id_data import TemporaryData
from tongban_shared.documents.licence import LICENCE_AUTHORITY, credit_code, make_licence_id
from tongban_shared.documents.paper import Paper
from tongban_shared.documents.verify import Status
from tongban_shared.registration import Person, Surroundings
from tongban_shared.validity import TEMPORARY_MONTHS, day_of, end_of, months_after

KIND, PARENT = "temporary_id", "id_card"
LICENCE_TYPE = f"{LICENCE_AUTHORITY}921"
DOCUMENT = "TEMPORARY_ID"
# A task that nobody has decided goes up at 10, 15 and 20 minutes (S4), then it is asked for daily.
PASSED_UP = (timedelta(minutes=10), timedelta(minutes=5), timedelta(minutes=5))
LEVELS = ("station", "county", "province")
# At 25 minutes the applicant is told that the promise will not be kept (S4).
TOLD_AFTER = timedelta(minutes=25)
PRINT_RIGHT = timedelta(minutes=60)
TOLD = (*NAMING, "ethnicity_code", "address", "photo_digest")


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the home registry says. A hold is for the duty officer, and its word does not show (S4)."""
    person = subject(case, around)
    said = standing(person, around)
    if said is not None or person is None:
        return said or Verdict("refused", "NOT_REGISTERED")
    if (person.key, PARENT) not in around.under_way:
        return Verdict("refused", "NO_ID_CASE")
    if _has_another(case, person, around):
        return Verdict("refused", "ACTIVE_TEMP_ID")
    known = '"photo_digest":"' in person.record
    alike = case.data.match_percent >= around.match_percent
    return HERE if known and alike and case.data.trusted and not person.hold else REVIEW


def _has_another(case: Case, person: Person, around: Surroundings) -> bool:
    """Asked for at another window too, or held; only a card that is held can have been lost."""
    if around.under_way.get((person.key, KIND), case.id) != case.id:
        return True
    return not case.data.lost and around.other_case(person.key, KIND, case.id) is not None


def grant(case: Case, event: Event, around: Surroundings) -> Case:
    """One serial for a case, however often it is granted; valid three months, the last day included."""
    number = make_licence_id(LICENCE_TYPE, credit_code(around.province), case.id)
    until = end_of(months_after(day_of(event.at), TEMPORARY_MONTHS))
    return remember(case, licence_id=number, document=DOCUMENT, valid_until=until)


def temporary_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """The card as its home registry signs it (Art. 5, 10)."""
    person = around.people[case.persons[0]]
    return home_paper(case, event, around, (KIND, told_of(person, TOLD)))


def voids(case: Case, around: Surroundings) -> Mapping[str, Status]:
    """The one that was lost ends with the new one."""
    held = around.papers.get(case.persons[0], ())
    return {p.licence_id: Status.REVOKED for p in held if p.kind == KIND and p.case_id != case.id}


def passed_up(case: Case, event: Event, _around: Surroundings) -> datetime:
    """10, 15 and 20 minutes after the task came; each time it goes one level up (S4)."""
    level = case.data.level
    return event.at + (PASSED_UP[level] if level < len(PASSED_UP) else timedelta(days=1))


def print_right(_case: Case, event: Event, _around: Surroundings) -> datetime:
    """An hour; then the right lapses and the serial is void (S4)."""
    return event.at + PRINT_RIGHT


def after_limit(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Nobody took the task: one level up. The home registry is silent: the applicant is told so."""
    if case.state == H.CHECKING:
        return remember(case, level=min(case.data.level + 1, len(PASSED_UP)))
    waits = case.state == H.REQUESTED and case.side is Side.DESTINATION
    return remember(case, late=True) if waits else case


ANSWERING = Answering(
    kind=KIND,
    grants="authorised",
    record=TemporaryData,
    answer=answer,
    grant=grant,
    asks=("match_percent", "lost"),
    reason="FACE_MISMATCH",
)
