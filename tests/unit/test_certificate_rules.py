"""Who answers for a certificate, and what: every row of the register against every kind."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product

import pytest
from msgspec.structs import replace

from tongban_shared.cases.certificate import CERTIFICATE, STEPS
from tongban_shared.cases.certificate_data import CertificateData, Kind
from tongban_shared.cases.certificate_rules import answer
from tongban_shared.cases.common import (
    HOPS_MAX,
    Application,
    Decision,
    Located,
    MaterialIn,
    PersonRef,
    Supplied,
)
from tongban_shared.cases.home import LATE
from tongban_shared.cases.home_data import H
from tongban_shared.cases.kind import LIMIT, NEW, Case, Event, Side, Waits
from tongban_shared.decide import Fate, decide
from tongban_shared.ids import CaseId, Province
from tongban_shared.messages import certificate as m
from tongban_shared.messages.home import IssuedDocument
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import Person, Registration, Surroundings

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
A, B, C_ = "32", "33", "44"
KEY, OTHER, CHECK = "0" * 32, "1" * 32, "0" * 16
NUMBER = CaseId("33022026030200000001R")
PERSON = Person(KEY, 0, Registration.HELD, 1, CHECK, date(1990, 1, 1), "h", head=True, record="{}")
SPOUSE = replace(PERSON, key=OTHER, head=False)
NAMED = PersonAsked(person=KEY, name_check=CHECK)


def around(*people: Person, province: str = A) -> Surroundings:
    """A register with these rows."""
    return Surroundings(
        province=province,
        org=f"{province}0100000000",
        contact="示例",
        now=AT,
        permit_valid_days=40,
        correction_days=30,
        people={person.key: person for person in people},
        members={},
    )


def case(kind: Kind = Kind.REGISTRATION_STATUS, side: Side = Side.ORIGIN, state: str = NEW) -> Case:
    """A request of B's at A."""
    data = CertificateData(
        certificate=kind,
        use="SCHOOL",
        trusted=True,
        persons=(PersonRef(person=KEY, name_check=CHECK),),
        valid_until=AT,
        licence_id="x",
        document="KINSHIP",
    )
    window = A if state == "CORRECTION" else B
    return Case(NUMBER, "certificate", side, state, 0, "0204", A, window, (KEY,), data, AT)


@pytest.mark.parametrize(
    ("person", "kind", "said"),
    [
        (None, Kind.REGISTRATION_STATUS, ("refused", "NOT_REGISTERED")),
        (replace(PERSON, name_check="1" * 16), Kind.REGISTRATION_STATUS, ("refused", "NOT_REGISTERED")),
        (replace(PERSON, state=Registration.DROPPED), Kind.KINSHIP, ("refused", "NOT_REGISTERED")),
        (replace(PERSON, state=Registration.PREPARED), Kind.KINSHIP, ("refused", "IN_TRANSFER")),
        (replace(PERSON, state=Registration.RELEASED, moved_to=B), Kind.KINSHIP, ("moved", None)),
        (replace(PERSON, state=Registration.CONFIRMED, moved_to=B), Kind.ID_UNIQUENESS, ("moved", None)),
        (replace(PERSON, state=Registration.CONFIRMED, moved_to=B), Kind.CANCELLATION, ("here", None)),
        (replace(PERSON, state=Registration.CANCELLED_DEATH), Kind.CANCELLATION, ("here", None)),
        (replace(PERSON, state=Registration.CANCELLED_DEATH), Kind.KINSHIP, ("refused", "NOT_REGISTERED")),
        (PERSON, Kind.CANCELLATION, ("refused", "NO_RECORD")),
        (PERSON, Kind.REGISTRATION_STATUS, ("here", None)),
        (replace(PERSON, state=Registration.FROZEN), Kind.REGISTRATION_STATUS, ("here", None)),
        (replace(PERSON, hold=True), Kind.REGISTRATION_STATUS, ("here", None)),
        (PERSON, Kind.KINSHIP, ("review", None)),
        (PERSON, Kind.MIGRATION_HISTORY, ("review", None)),
        (replace(PERSON, record='{"moved_in":{}}'), Kind.MIGRATION_HISTORY, ("here", None)),
        (PERSON, Kind.CHANGE_CORRECTION, ("review", None)),
    ],
)
def test_what_the_register_says(person: Person | None, kind: Kind, said: tuple[str, str | None]) -> None:
    """A row in the register, a kind of certificate, an answer; a hold blocks no reading."""
    verdict = answer(case(kind), around(*(() if person is None else (person,))))
    assert (verdict.name, verdict.code) == said


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (SPOUSE, "here"),
        (replace(SPOUSE, household_id="another"), "review"),
        (replace(SPOUSE, name_check="1" * 16), "review"),
        (replace(SPOUSE, state=Registration.CONFIRMED), "review"),
    ],
)
def test_kinship_is_plain_within_one_household_alone(other: Person, said: str) -> None:
    """Whoever is not there, or not by that name, is for an officer to find."""
    both = (PersonRef(person=KEY, name_check=CHECK), PersonRef(person=OTHER, name_check=CHECK))
    asked = case(Kind.KINSHIP)
    asked = replace(asked, data=replace(asked.data, persons=both))
    assert answer(asked, around(PERSON, other)).name == said


def test_papers_that_anybody_could_have_made_are_for_an_officer() -> None:
    """Grade C materials, the fact in the register: nobody is answered unseen."""
    asked = case()
    assert answer(replace(asked, data=replace(asked.data, trusted=False)), around(PERSON)).name == "review"


@pytest.mark.parametrize(
    ("grade", "automatic", "state"),
    [("A", True, "COMPLETED"), ("B", True, "CHECKING"), ("A", False, "CHECKING")],
)
def test_what_is_handed_in_late_counts_as_what_came_first(
    grade: str,
    automatic: bool,  # noqa: FBT001
    state: str,
) -> None:
    """A copy among late materials, or an item that always waits for an officer: nobody is answered unseen."""
    asked = case(side=Side.DESTINATION, state="CORRECTION")
    asked = replace(asked, data=replace(asked.data, automatic=automatic))
    late = Supplied((MaterialIn(kind="BOOKLET", grade=grade),), ())
    told = decide(asked, Event("materials", NUMBER, AT, 7, body=late), CERTIFICATE, around(PERSON))
    assert told is not None
    assert told.case.state == state


def body_of(message: str, outcome: str) -> object:
    """A body for each message of the table."""
    paper = IssuedDocument(licence_id="x", kind="KINSHIP", valid_until=AT)
    return {
        "apply": Application(case(side=Side.DESTINATION).data, A, "0204"),
        "located": Located({KEY: A}),
        "materials": Supplied((), ()),
        "decision": Decision(outcome),
        "requested": m.Requested(certificate="KINSHIP", use="SCHOOL", trusted=True, persons=(NAMED,)),
        "issued": m.Issued(persons=(NAMED,), document=paper),
        "referral": m.Referral(moved_to=Province(C_)),
        "refusal": m.CertificateRefusal(persons=(NAMED,), code="NO_RECORD", contact="x"),
        "withdrawal": m.CertificateWithdrawal(),
        "correction": m.CertificateCorrection(materials=("BOOKLET",), contact="x"),
    }.get(message)


def test_every_event_in_every_state_has_an_answer_and_an_owner() -> None:
    """Taken, late, parked or refused, never a crash; what stays open names whose move it is, until when."""
    messages = sorted({step.message for step in STEPS})
    rows = [PERSON, replace(PERSON, state=Registration.RELEASED, moved_to=C_)]
    states = (NEW, *H)
    seen = set()
    for side, state, message, row, outcome in product(
        Side, states, messages, rows, ("approve", "refuse", "return")
    ):
        sender = (B if side is Side.ORIGIN else A) if message in {*CERTIFICATE.composes} else None
        event = Event(message, NUMBER, AT, 7, body=body_of(message, outcome), sender=sender)
        told = decide(case(side=side, state=str(state)), event, CERTIFICATE, around(row))
        if told is None or told.fate is not Fate.TAKEN:
            continue
        seen.add((side, str(state), message))
        ended = told.case.state in CERTIFICATE.terminal
        assert ended == (told.case.waits is Waits.NOBODY)
        assert ended == (told.case.due_at is None)
    assert seen == {(step.side, str(state), step.message) for step in STEPS for state in step.states()}


def test_registers_that_point_at_each_other_are_not_followed_for_ever() -> None:
    """The case ends with a refusal that says why."""
    asked, hops, sender = case(side=Side.DESTINATION, state="REQUESTED"), 0, A
    while asked.state == "REQUESTED":
        onward = C_ if sender == A else A
        event = Event("referral", NUMBER, AT, 7, body=m.Referral(moved_to=Province(onward)), sender=sender)
        told = decide(asked, event, CERTIFICATE, around(province=B))
        assert told is not None
        asked, sender, hops = told.case, onward, hops + 1
        assert hops <= HOPS_MAX + 1
    assert (asked.state, asked.refusal) == ("REFUSED", "NOT_REGISTERED")


def test_a_request_that_comes_after_its_own_withdrawal_changes_nothing() -> None:
    """Overtaken on the way: the withdrawal began the case and ended it, naming nobody (simulator, seed 1).

    It is answered as the withdrawal was: whoever asks may have been put back to before it (seed 203035).
    """
    withdrawal = Event("withdrawal", NUMBER, AT, 7, body=m.CertificateWithdrawal(), sender=B)
    withdrawn = decide(None, withdrawal, CERTIFICATE, around(PERSON))
    assert withdrawn is not None
    requested = Event("requested", NUMBER, AT, 8, body=body_of("requested", ""), sender=B)
    told = decide(withdrawn.case, requested, CERTIFICATE, around(PERSON))
    assert told is not None
    assert (told.fate, told.case.state) == (Fate.TAKEN, "WITHDRAWN")
    assert told.draft is not None
    assert isinstance(told.draft.body, m.CertificateRefusal)
    assert (told.draft.body.code, told.draft.body.persons) == ("WITHDRAWN", (NAMED,))


def test_a_late_pair_is_a_pair_of_the_table() -> None:
    """What is taken without effect names states and messages that exist."""
    messages = {step.message for step in STEPS}
    assert all(message in messages and message != LIMIT for _, _, message in LATE)
