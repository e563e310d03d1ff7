"""A newborn's rules and the allotment of its number: every row of the register, every way a claim can go."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from tongban_registry.births import id_numbers
from tongban_registry.register import VERBS
from tongban_shared.births import FREE, Claimed, birth_mark, claim, enter, release
from tongban_shared.cases.common import PersonRef
from tongban_shared.cases.kind import NEW, Case, Event, Side
from tongban_shared.cases.newborn import NEWBORN, STEPS
from tongban_shared.cases.newborn_data import Child, EnteredSaid, NewbornData
from tongban_shared.cases.newborn_rules import answer, consent_of, is_over_one_year, judge_entered
from tongban_shared.decide import decide
from tongban_shared.errors import BirthCertificateError
from tongban_shared.ids import CaseId, Province, birth_key, check_id_number, make_id_number
from tongban_shared.messages.newborn import Consent, ConsentAsked
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.ports import Birth, BirthHeld, Verdict
from tongban_shared.registration import Person, Registration, Surroundings

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
BORN = date(2026, 2, 10)
A, B = Province("32"), Province("33")
DAD, MUM, CHECK = "0" * 32, "1" * 32, "0" * 16
PERSON = Person(DAD, 0, Registration.HELD, 1, CHECK, date(1990, 1, 1), "h", head=True, record="{}")
OTHER = replace(PERSON, key=MUM, household_id="g")
ONE, TWO = CaseId("320520260302000000010"), CaseId("330520260302000000020")


def around(*people: Person, family: bool = True) -> Surroundings:
    """A register with these rows; in family households, or not."""
    return Surroundings(
        province=A,
        org="320100000000",
        contact="示例",
        now=AT,
        permit_valid_days=40,
        correction_days=30,
        people={person.key: person for person in people},
        members={person.household_id: [person] for person in people} if family else {},
    )


def case(**changes: object) -> Case:
    """A request at A, of the father, with grade-A papers."""
    data = NewbornData(
        trusted=True,
        married=True,
        follows="FATHER",
        persons=(PersonRef(person=DAD, name_check=CHECK), PersonRef(person=MUM, name_check=CHECK)),
        certificates=("c" * 32,),
        children=(Child(name="示例", sex="1", born=BORN),),
    )
    return Case(ONE, "newborn", Side.ORIGIN, NEW, 0, "", A, B, (DAD, MUM), replace(data, **changes), AT)


@pytest.mark.parametrize(
    ("person", "changes", "said"),
    [
        (PERSON, {}, ("here", None)),
        (replace(PERSON, hold=True), {}, ("review", None)),
        (PERSON, {"trusted": False}, ("review", None)),
        (PERSON, {"married": False}, ("refused", "KINSHIP_PROOF_NEEDED")),
        (PERSON, {"married": False, "proven": True}, ("review", None)),
        (PERSON, {"married": False, "follows": "MOTHER"}, ("review", None)),
        (PERSON, {"persons": (PersonRef(person=DAD, name_check=CHECK),)}, ("review", None)),
        (replace(PERSON, name_check="1" * 16), {}, ("refused", "NOT_REGISTERED")),
        (replace(PERSON, state=Registration.PREPARED), {}, ("refused", "IN_TRANSFER")),
        (replace(PERSON, state=Registration.FROZEN), {}, ("refused", "IN_TRANSFER")),
        (replace(PERSON, state=Registration.RELEASED, moved_to=B), {}, ("moved", None)),
        (replace(PERSON, state=Registration.CANCELLED_DEATH), {}, ("refused", "NOT_REGISTERED")),
    ],
)
def test_who_may_register_a_child(person: Person, changes: dict[str, object], said: tuple[str, str]) -> None:
    """By the parent's row, the papers and the marriage."""
    found = answer(case(**changes), around(person))
    assert (found.name, found.code) == said


def test_the_household_and_the_other_parent_here() -> None:
    """No collective household; a name that does not fit is refused, a hold is an officer's."""
    assert answer(case(), around(PERSON, family=False)).code == "PARENT_NOT_FAMILY_HOUSEHOLD"
    assert answer(case(), around(PERSON, replace(OTHER, name_check="1" * 16))).code == "NOT_REGISTERED"
    assert answer(case(), around(PERSON, replace(OTHER, hold=True))).name == "review"


@pytest.mark.parametrize(
    ("born", "late"), [(date(2025, 3, 2), False), (date(2025, 3, 1), True), (date(2026, 3, 2), False)]
)
def test_a_year_ends_with_the_first_birthday(born: date, *, late: bool) -> None:
    """That day is still in time."""
    assert is_over_one_year(born, AT) is late


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (OTHER, ("agrees", None)),
        (replace(OTHER, state=Registration.FROZEN), ("agrees", None)),
        (replace(OTHER, hold=True), ("review", None)),
        (replace(OTHER, state=Registration.CANCELLED_DEATH), ("review", None)),
        (replace(OTHER, state=Registration.RELEASED, moved_to=B), ("moved", None)),
        (replace(OTHER, state=Registration.PREPARED), ("no", "IN_TRANSFER")),
        (replace(OTHER, state=Registration.DROPPED), ("no", "NOT_REGISTERED")),
        (replace(OTHER, name_check="1" * 16), ("no", "NOT_REGISTERED")),
    ],
)
def test_what_the_other_parent_s_registry_says(person: Person, said: tuple[str, str | None]) -> None:
    """By its own row alone."""
    found = consent_of(PersonRef(person=MUM, name_check=CHECK), around(person))
    assert (found.name, found.code) == said


def test_numbers_of_a_day_are_right_and_differ() -> None:
    """Five hundred for each sex, but one; each passes every check of the door."""
    boys, girls = (list(id_numbers("320100", BORN, sex)) for sex in ("1", "2"))
    assert (len(boys), len(girls), len({*boys, *girls})) == (500, 499, 999)
    assert {check_id_number(number, AT.date()).sex for number in girls} == {"2"}
    assert all(before < after for before, after in pairwise(boys))
    with pytest.raises(ValueError, match="1 to 999"):
        make_id_number("320100", BORN, 1000)


@pytest.mark.parametrize(
    "wrong", ["", "N12345678", "n123456789", "N1234567890", "N12345678９", "N123456789\n"]
)
def test_what_is_no_birth_certificate_s_number(wrong: str) -> None:
    """And the error does not repeat it."""
    with pytest.raises(BirthCertificateError) as found:
        birth_key(b"secret", wrong)
    assert not wrong or wrong not in str(found.value)


def test_claims_of_one_batch_see_each_other() -> None:
    """Claimed, given back and claimed by another in one call each; a batch is judged in its order."""
    first, second = Birth(ONE, A, ("c",)), Birth(TWO, B, ("c",))
    held = BirthHeld(A, ONE)
    assert claim([first, second, first], {}).answers == [held, held, held]
    known = {"c": Claimed(A, ONE)}
    assert release([second, first], known).changed == {"c": None}
    assert release([second], known).answers == [FREE]
    entered = {"c": Claimed(A, ONE, "p")}
    assert release([first], entered).changed == {}
    assert release([first], entered).answers == [BirthHeld(A, ONE, ("p",))]


def test_children_of_one_batch_see_each_other() -> None:
    """Two cases that chose one number: the first has it."""
    known = {"c": Claimed(A, ONE), "d": Claimed(A, TWO)}
    births = [Birth(ONE, A, ("c",), ("p",)), Birth(TWO, A, ("d",), ("p",)), Birth(ONE, A, ("c",), ("q",))]
    found = enter(births, known, {}, {})
    assert found.verdicts == [Verdict.APPENDED, Verdict.CONFLICT, Verdict.CONFLICT]
    assert [(e.person, e.certificate_digest) for e in found.entries] == [("p", birth_mark(ONE))]


def test_nobody_waits_without_end() -> None:
    """No limit of the table is longer than sixty days, and what is overtaken has no line that takes it."""
    for step in STEPS:
        if step.next not in NEWBORN.terminal and isinstance(step.limit, timedelta):
            assert step.limit <= timedelta(days=60)
    assert not {(s.side, state, s.message) for s in STEPS for state in s.states()} & NEWBORN.late


def test_no_child_is_shown_by_repr() -> None:
    """Nor in the case that has it."""
    assert "示例" not in repr(case())


def test_a_window_whose_case_has_ended_says_so() -> None:
    """The home registry was put back and asks anew; the claim is not kept for ever (simulator, seed 20)."""
    window = replace(
        case(), side=Side.DESTINATION, state="REFUSED", origin=B, destination=A, refusal="NOT_ELIGIBLE"
    )
    named = PersonAsked(person=MUM, name_check=CHECK)
    body = ConsentAsked(persons=(named,), follows="FATHER", married=True)
    told = decide(
        window, Event("consent_asked", ONE, AT, 7, body=body, sender=B), NEWBORN, around(PERSON, OTHER)
    )
    assert told is not None
    assert told.draft is not None
    said = told.draft.body
    assert isinstance(said, Consent)
    assert (told.draft.to, said.answer, said.code, told.case.state) == (B, "NO", "NOT_ELIGIBLE", "REFUSED")


def test_a_child_opens_the_household_that_a_parent_has_closed_meanwhile() -> None:
    """Released while the ledger entered the child (simulator, seed 40)."""
    gone = replace(PERSON, state=Registration.RELEASED, record='{"relation_code":"02"}')
    child = Child(name="示例", sex="1", born=BORN, key="2" * 32, check=CHECK, id_number="1" * 18)
    entered = case(children=(child,), licence_id="x", document="NEWBORN_PAGE")
    event = Event("entered", ONE, AT, 7, body=SimpleNamespace(here={child.key}))
    written = VERBS["enter"](entered, event, around(gone))
    assert [person.household_id for person in written.persons] == written.households_opened == ["h"]


@pytest.mark.parametrize(
    ("verdict", "entered", "name"),
    [("APPENDED", "2" * 32, "ok"), ("APPENDED", "3" * 32, "taken"), ("CONFLICT", "2" * 32, "taken")],
)
def test_an_answer_about_other_numbers_registers_nobody(verdict: str, entered: str, name: str) -> None:
    """The ledger took the number that was chosen before: a child is written as it is entered (seed 5107)."""
    child = Child(name="示例", sex="1", born=BORN, key="2" * 32, check=CHECK, id_number="1" * 18)
    said = Event("entered", ONE, AT, 7, body=EnteredSaid(verdict, frozenset({entered})))
    assert judge_entered(case(children=(child,)), said, around(PERSON)).name == name
