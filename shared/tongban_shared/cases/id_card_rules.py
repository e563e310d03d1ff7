"""Rules of an identity card (居民身份证): reviewed and signed at home, made and handed over where people live. Pure.

Source: 居民身份证法, 异地受理十条准则, domain.md §3.4, services.md S5.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tongban_shared.cases.common import remember
from tongban_shared.cases.home_paper import NAMING, home_paper, told_of
from tongban_shared.cases.home_rules import HERE, REVIEW, Answering, standing, subject
from tongban_shared.cases.id_card_data import Card, IdCardData
from tongban_shared.cases.kind import Case, Event, Verdict
from tongban_shared.documents.licence import credit_code, make_licence_id
from tongban_shared.documents.paper import Paper
from tongban_shared.documents.verify import Status
from tongban_shared.registration import Surroundings
from tongban_shared.validity import card_expires, day_of, end_of

KIND = "id_card"
# The Ministry's published number of the resident identity card (domain.md §4.5).
LICENCE_TYPE = "11100000000013127D001"
DOCUMENT = "ID_CARD"
# Nobody came for it: an assumption, as "N months" of S5.
UNCLAIMED = timedelta(days=180)
TOLD = (*NAMING, "ethnicity_code", "address", "photo_digest")


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the home registry says: signed at once under its standing approval, or for its officer.

    A second application joins the first: it is refused with the number of the first one (S5).
    """
    person = subject(case, around)
    said = standing(person, around)
    if said is not None or person is None:
        return said or Verdict("refused", "NOT_REGISTERED")
    if around.under_way.get((person.key, KIND), case.id) != case.id:
        return Verdict("refused", "DUPLICATE_CASE")
    known = '"photo_digest":"' in person.record
    plain = case.data.card == Card.REPLACE and case.data.trusted
    return HERE if known and plain and not person.hold else REVIEW


def grant(case: Case, event: Event, around: Surroundings) -> Case:
    """One serial for a case; how long the card is valid follows from the age on the day of issue (Art. 5)."""
    person = around.people[case.persons[0]]
    number = make_licence_id(LICENCE_TYPE, credit_code(around.province), case.id)
    last_day = card_expires(person.birth_date, day_of(event.at))
    until = None if last_day is None else end_of(last_day)
    return remember(case, licence_id=number, document=DOCUMENT, valid_until=until)


def card_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """What is made into a card, signed: the e-licence of the card."""
    person = around.people[case.persons[0]]
    return home_paper(case, event, around, (KIND, told_of(person, TOLD)))


def voids(case: Case, around: Surroundings) -> Mapping[str, Status]:
    """What is reported lost ends at once, everywhere, and stays dead if it is found (挂失)."""
    if not case.data.lost:
        return {}
    held = around.papers.get(case.persons[0], ())
    return {p.licence_id: Status.REVOKED for p in held if p.kind == KIND and p.case_id != case.id}


def unclaimed(_case: Case, event: Event, _around: Surroundings) -> datetime:
    """180 days at the counter; then the card is destroyed, and recorded (S5)."""
    return event.at + UNCLAIMED


ANSWERING = Answering(
    kind=KIND,
    grants="approved",
    record=IdCardData,
    answer=answer,
    grant=grant,
    asks=("card", "lost", "bilingual"),
    reason="DATA_MISMATCH",
)
