"""The one function that chooses a next state: total, pure, and true to the table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from tongban_shared.cases.common import (
    HOPS_MAX,
    Application,
    Decision,
    Located,
    MaterialIn,
    PersonRef,
    Supplied,
)
from tongban_shared.cases.kind import LIMIT, NEW, Case, Event, Side, Verdict, Waits
from tongban_shared.cases.migration import LATE, MIGRATION, STEPS, TERMINAL
from tongban_shared.cases.migration_data import MigrationData, PersonState
from tongban_shared.cases.migration_recovery import Recovered
from tongban_shared.decide import CONTRADICTIONS, Fate, decide
from tongban_shared.ids import CaseId, Province
from tongban_shared.messages import migration as m
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import Person, Registration, Surroundings

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
A, B, C = "32", "33", "44"
KEY, CHECK, DIGEST = "0" * 32, "0" * 16, "0" * 64
CASE = CaseId("33012026030200000001T")
MESSAGES = tuple(body.name.partition(".")[2] for body in m.BODIES)
COMMANDS = (
    "apply",
    "located",
    "materials",
    "decision",
    "withdraw",
    "appended",
    "block",
    "recovered",
    "named",
    LIMIT,
)
VERDICTS = tuple(sorted({step.verdict for step in STEPS} | CONTRADICTIONS | {"no such verdict"}))
SIDES = {
    side: sorted({str(state) for s in STEPS if s.side is side for state in (*s.states(), s.next)})
    for side in Side
}
PERSON = Person(
    KEY, 0, Registration.HELD, 1, CHECK, date(1990, 1, 1), "h", head=True, proof_digest=DIGEST, record="{}"
)


def around(person: Person | None = PERSON) -> Surroundings:
    """What is known beside the case."""
    people = {} if person is None else {person.key: person}
    return Surroundings(
        province=B,
        org="330100000000",
        contact="示例",
        now=AT,
        permit_valid_days=40,
        correction_days=30,
        people=people,
        members={"h": tuple(people.values())},
        proofs={KEY: "proof"},
    )


def case(side: Side, state: str) -> Case:
    """A case of one person in this state, with everything that any state remembers."""
    data = MigrationData(
        migration_type="HOUSING",
        automatic=True,
        persons=(PersonRef(person=KEY, name_check=CHECK),),
        destination_org="330100000000",
        materials=(MaterialIn(kind="ID_CARD", grade="A"),),
        agreed=(PersonState(person=KEY, epoch=0, record_version=1),),
        permit_no="ZQ33202600000001X",
        digest=DIGEST,
        certificate_no="QY32202600000001X",
        released_at=AT,
        effective_at=AT,
    )
    if state in {"RESTORING", "VERIFYING"}:
        data = replace(data, certificate_digest=DIGEST, digests=(KEY,))
    origin, destination = Province(A), Province(B)
    return Case(
        CASE, "migration", side, state, 3, "0107", origin, destination, (KEY,), data, AT, waits=Waits.ORIGIN
    )


BUNDLE = msgspec.json.encode([{"person": KEY, "epoch": 0, "name_check": CHECK}])
PERSONS = (m.PersonEpoch(person=KEY, epoch=0),)
CERTIFICATE = m.Certificate(
    certificate_no="QY32202600000001X",
    origin=A,
    destination=B,
    persons=(m.PersonReleased(person=KEY, epoch=0, previous=""),),
    digest=DIGEST,
    acceptance="",
    released_at=AT,
)
BODIES: dict[str, Any] = {
    "precheck": m.Precheck(migration_type="HOUSING", persons=(PersonAsked(person=KEY, name_check=CHECK),)),
    "facts": m.Facts(persons=(m.PersonFacts(person=KEY, status="OK", record_version=1),), contact="x"),
    "permit": m.Permit(
        permit_no="ZQ33202600000001X",
        persons=(m.PermitPerson(person=KEY, record_version=1),),
        issued_at=AT,
        valid_until=AT + timedelta(days=40),
        approver="330100000000",
    ),
    "offer": m.Offer(permit_no="ZQ33202600000001X", persons=PERSONS, digest=DIGEST, sealed=""),
    "acceptance": m.Acceptance(digest=DIGEST, persons=(m.PersonEpoch(person=KEY, epoch=1),)),
    "certificate": CERTIFICATE,
    "inquire": CERTIFICATE,  # opened by the door before it is decided
    "settled": m.Settled(certificate_no="QY32202600000001X", persons=PERSONS, effective_at=AT),
    "refusal": m.Refusal(code="HOLD", contact="x"),
    "withdrawal": m.Withdrawal(reason="WITHDRAWN"),
    "cancel": m.Cancel(reason="HOLD"),
    "recall": m.Recall(certificate_digest=DIGEST),
    "reissue": m.Reissue(
        certificate_no="QY32202600000001X",
        certificate_digest=DIGEST,
        persons=CERTIFICATE.persons,
        digest=DIGEST,
        sealed="",
    ),
    "named": (KEY,),
    "recovered": Recovered(A, B, DIGEST, (KEY,), (KEY,)),
    "apply": Application(case(Side.DESTINATION, NEW).data, A, "0107"),
    "located": Located({KEY: A}, {KEY: 0}),
    "materials": Supplied((), ()),
    "decision": Decision("approve"),
    "appended": "APPENDED",
    "block": "HOLD",
}


def event(name: str, sender: str | None) -> Event:
    """An event; from the other side when it is a message."""
    number = "32-33-1-1" if sender else None
    plain = Event(name, CASE, AT, 7, body=BODIES.get(name), message_id=number, sender=sender)
    return replace(plain, bundle=BUNDLE) if name in {"offer", "reissue"} else plain


def every() -> Iterator[tuple[Side, str, str]]:
    """Every state of both sides, with every message and command."""
    for side in Side:
        for state, name in product(SIDES[side], (*MESSAGES, *COMMANDS)):
            yield side, state, name


def told(side: Side, name: str) -> Event:
    """The event as it comes to that side."""
    other = A if side is Side.DESTINATION else B
    return event(name, other if name in MESSAGES else None)


@pytest.mark.parametrize(("side", "state", "name"), list(every()))
def test_every_message_in_every_state_has_an_answer(side: Side, state: str, name: str) -> None:
    """No message in no state raises: it follows a line, is late, waits or is refused."""
    before = case(side, state)
    outcome = decide(before, told(side, name), MIGRATION, around())
    if state == NEW and outcome is None:
        return
    assert outcome is not None
    if outcome.fate is Fate.TAKEN:
        step = outcome.step
        assert step is not None
        assert (outcome.case.state, outcome.case.waits) == (step.next, step.waits)
        assert outcome.case.version == before.version + 1
    else:
        assert outcome.case == before


def test_every_line_of_the_table_is_a_fate() -> None:
    """The good event of each message follows a line in the state that waits for it."""
    waiting = {
        "facts": "CHECKING",
        "offer": "PERMITTED",
        "certificate": "PREPARED",
        "inquire": "PREPARED",
        "cancel": "PREPARED",
        "refusal": "PERMITTED",
        "precheck": "OPEN",
        "permit": "OPEN",
        "acceptance": "FROZEN",
        "settled": "RELEASED",
        "withdrawal": "FROZEN",
    }
    for name, state in waiting.items():
        side = next(step.side for step in STEPS if step.message == name and state in step.states())
        outcome = decide(case(side, state), told(side, name), MIGRATION, around())
        assert outcome is not None
        assert outcome.fate is Fate.TAKEN, name


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("side", list(Side))
def test_every_verdict_in_every_state_has_an_answer(side: Side, verdict: str) -> None:
    """Whatever the rules said, the fate is that of the table: (side, state, message, verdict) is total."""
    kind = with_verdict(verdict)
    for state, name in product(SIDES[side], (*MESSAGES, *COMMANDS)):
        outcome = decide(case(side, state), told(side, name), kind, around())
        wanted = fate_of((side, state, name, verdict), is_message=name in MESSAGES)
        assert (outcome.fate if outcome else None) == wanted, (side, state, name, verdict)


def with_verdict(verdict: str) -> Any:  # noqa: ANN401  # a case type whose rules always say this
    """The migration, with rules that say one thing."""
    from dataclasses import replace as changed  # noqa: PLC0415

    def judge(_case: Case, _event: Event, _around: Surroundings) -> Verdict:
        return Verdict(verdict, "HOLD")

    return changed(MIGRATION, judges=dict.fromkeys((*MESSAGES, *COMMANDS), judge))


def fate_of(key: tuple[Side, str, str, str], *, is_message: bool) -> Fate | None:
    """The rule, said once more and plainly."""
    side, state, name, verdict = key
    if verdict in CONTRADICTIONS:
        return Fate.REFUSED
    if key in MIGRATION.steps:
        return Fate.TAKEN
    if state == NEW:
        return None
    if state in TERMINAL or (side, state, name) in LATE:
        return Fate.LATE
    return Fate.PARKED if is_message else Fate.REFUSED


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_an_unknown_case(name: str) -> None:
    """Without a case a message begins one, or waits for its cause; it never raises."""
    sender = B if name in {"precheck", "permit", "acceptance", "withdrawal"} else A
    outcome = decide(None, event(name, sender), MIGRATION, around())
    if name == "precheck":
        assert outcome is not None
        assert outcome.case.state == "OPEN"
    elif name in {"cancel", "refusal"}:
        # A destination that was put back has lost the application, and the origin's last word: it takes that.
        assert outcome is not None
        assert (outcome.draft, outcome.code) == (None, "APPLICATION_LOST")
        assert outcome.case.state in TERMINAL
    elif outcome is not None:
        assert outcome.draft is not None
        assert outcome.draft.body is not None
        ended = (outcome.case.side, str(outcome.case.state), outcome.draft.body.name)
        assert (
            ended
            == {
                "withdrawal": (Side.ORIGIN, "WITHDRAWN", "migration.cancel"),
                "permit": (Side.ORIGIN, "VOIDED", "migration.cancel"),
                "acceptance": (Side.ORIGIN, "VOIDED", "migration.cancel"),
                # A destination that was put back has lost the application: it takes nobody on, and says so.
                "facts": (Side.DESTINATION, "WITHDRAWING", "migration.withdrawal"),
                "offer": (Side.DESTINATION, "WITHDRAWING", "migration.withdrawal"),
                # Only what the ledger has entered is issued again: it had accepted, and asks for the records.
                "reissue": (Side.DESTINATION, "RESTORING", "migration.recall"),
            }[name]
        )


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("side", list(Side))
def test_a_stranger_is_refused_in_every_state(side: Side, name: str) -> None:
    """A third province has no say in a case."""
    for state in SIDES[side]:
        outcome = decide(case(side, state), event(name, C), MIGRATION, around())
        assert outcome is not None
        assert (outcome.fate, outcome.code) == (Fate.REFUSED, "WRONG_SENDER")


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("state", ["LOCATING", "CORRECTION"])
def test_while_the_origin_is_not_known_a_message_waits(state: str, name: str) -> None:
    """It may be from the origin, to a destination that was put back and has forgotten who that is."""
    asked = replace(case(Side.DESTINATION, state), origin=None)
    outcome = decide(asked, event(name, A), MIGRATION, around())
    assert outcome is not None
    assert outcome.fate is Fate.PARKED
    ended = decide(replace(asked, state="WITHDRAWN"), event(name, A), MIGRATION, around())
    assert ended is not None
    assert ended.fate is Fate.REFUSED


def test_a_case_that_has_forgotten_its_persons_settles_all_the_same() -> None:
    """Put back, and ended as past: the origin issues again, and is told that nothing is left to do."""
    past = case(Side.DESTINATION, "COMPLETED")
    past = replace(past, data=replace(past.data, agreed=(), certificate_no="", effective_at=None))
    outcome = decide(past, event("reissue", A), MIGRATION, around())
    assert outcome is not None
    assert outcome.draft is not None
    assert outcome.draft.body is not None
    assert outcome.draft.body.name == "migration.settled"


def test_facts_of_others_change_nothing() -> None:
    """A number was given twice, by a destination that was put back: the origin tells of whom had it first."""
    asked = replace(case(Side.DESTINATION, "CHECKING"), persons=("e" * 32,))
    outcome = decide(asked, event("facts", A), MIGRATION, around())
    assert outcome is not None
    assert (outcome.fate, outcome.case) == (Fate.REFUSED, asked)


def test_provinces_that_send_each_other_the_question_are_not_followed_for_ever() -> None:
    """Two put-back registers each say that the other has the person: the case ends (seed 90715)."""
    asked, answered, hops = case(Side.DESTINATION, "CHECKING"), A, 0
    while asked.state == "CHECKING":
        onward = C if answered == A else A
        fact = m.PersonFacts(person=KEY, status="MOVED", moved_to=Province(onward))
        moved = replace(event("facts", answered), body=m.Facts(persons=(fact,), contact="x"))
        outcome = decide(asked, moved, MIGRATION, around())
        assert outcome is not None
        assert hops <= HOPS_MAX
        asked, answered, hops = outcome.case, onward, hops + 1
    assert (asked.state, asked.refusal, hops) == ("REFUSED", "NOT_REGISTERED", HOPS_MAX + 1)


@pytest.mark.parametrize("name", ["certificate", "inquire"])
@pytest.mark.parametrize("origin", [None, C])
@pytest.mark.parametrize("state", ["LOCATING", "REFUSED", "CHECKING", "CORRECTION"])
def test_an_acceptance_binds_whoever_was_the_origin(state: str, origin: str | None, name: str) -> None:
    """Put back to before it knew the origin, then refused: the ledger had them here by then (G1)."""
    asked = replace(case(Side.DESTINATION, state), origin=origin)
    outcome = decide(asked, replace(event(name, A), bound=True), MIGRATION, around())
    assert outcome is not None
    assert outcome.draft is not None
    assert (outcome.case.state, outcome.case.origin, outcome.draft.to) == ("RESTORING", A, A)


@given(st.sampled_from(list(every())))
def test_the_same_input_gives_the_same_outcome(where: tuple[Side, str, str]) -> None:
    """Pure: deciding twice gives the same case and the same draft, and the inputs stay as they were."""
    side, state, name = where
    before, happened = case(side, state), told(side, name)
    raw = msgspec.json.encode(before)
    one, two = (decide(before, happened, MIGRATION, around()) for _ in range(2))
    assert one == two
    assert msgspec.json.encode(before) == raw


@pytest.mark.parametrize(
    "person",
    [
        None,
        replace(PERSON, hold=True),
        replace(PERSON, name_check="1" * 16),
        replace(PERSON, case_id=CaseId("44012026030200000001T")),
        replace(PERSON, state=Registration.CONFIRMED, moved_to=C),
        replace(PERSON, state=Registration.PREPARED),
        replace(PERSON, state=Registration.CANCELLED_DEATH),
        replace(PERSON, state=Registration.DROPPED),
    ],
)
@pytest.mark.parametrize("name", ["precheck", "permit"])
def test_nobody_is_frozen_who_may_not_move(person: Person | None, name: str) -> None:
    """Unknown, held, misnamed, in another transfer, moved, dead: no precheck opens, no permit freezes."""
    outcome = decide(case(Side.ORIGIN, "OPEN"), event(name, B), MIGRATION, around(person))
    assert outcome is not None
    assert outcome.step is not None
    assert outcome.step.writes is None
    assert outcome.case.state == "REFUSED"


@pytest.mark.parametrize("side", list(Side))
def test_an_ended_case_never_changes_its_end(side: Side) -> None:
    """After an end every message is late, or answered without leaving the end.

    Two exceptions: what the origin refused is not the case's end; the destination has it and may ask again.
    And the end may have been put back with the database: the ledger knows what came after it, and an origin
    that was told by the ledger and issues again (G1).
    """
    for state in set(SIDES[side]) & {str(end) for end in TERMINAL}:
        for name in (*MESSAGES, *COMMANDS):
            if (side, state) == (Side.ORIGIN, "REFUSED") and name in {"precheck", "withdrawal"}:
                continue
            if name == "recovered" or (
                name == "reissue" and (side, state) != (Side.DESTINATION, "COMPLETED")
            ):
                continue
            outcome = decide(case(side, state), told(side, name), MIGRATION, around())
            assert outcome is not None
            assert outcome.case.state == state
            assert outcome.step is None or outcome.step.writes is None
