"""Consultations (远程帮办): the table. Source: services.md S9, codes CO1 to CO5 of docs/rules.md.

A window asks an expert of the registry that answers its case, while the applicant stands there. A session is a
case of its own about another one, which goes on meanwhile as if nobody had asked. One clock counts, the window's:
it makes the appointment, and with each it asks again in full, so an expert's side that has forgotten the session
knows it again. What is said is there to be read until the window has read it, and on neither side after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tongban_shared.cases import consultation_rules as rules
from tongban_shared.cases.common import to_other_side
from tongban_shared.cases.consultation_data import C, ConsultationData
from tongban_shared.cases.kind import (
    LIMIT,
    NEW,
    OK,
    Case,
    CaseKind,
    Draft,
    Event,
    Reads,
    Side,
    Step,
    Waits,
    check_table,
    h,
    index_steps,
)
from tongban_shared.messages import consultation as m
from tongban_shared.registration import Surroundings

D, O = Side.DESTINATION, Side.ORIGIN  # noqa: E741  # the two letters make the table readable
AT_O, AT_D, OFFICER, NOBODY = Waits.ORIGIN, Waits.DESTINATION, Waits.OFFICER, Waits.NOBODY
# How long an expert has while somebody waits (S9), the window to read, and the expert's side for it to say so.
SOON, DAY, READ = h(1) / 12, h(24), h(48)
AGREED = "appointment"
ENDS = frozenset({C.COMPLETED, C.WITHDRAWN})
WAITING = (C.OPEN, C.APPOINTED)

# fmt: off
STEPS = (
    #    side state                      on message     verdict   writes sends         goes to      waits    limit   source
    # the window asks: another registry, or an expert of its own
    Step(D, NEW,                         "apply",       OK,       None, "asked",       C.ASKED,     AT_O,    SOON,   "CO1"),
    Step(D, NEW,                         "apply",       "here",   None, None,          C.OPEN,      OFFICER, SOON,   "CO1"),
    # nobody came: the next working day, and so on
    Step(D, (C.ASKED, C.APPOINTED),      LIMIT,         OK,       None, "asked",       C.APPOINTED, AT_O,    AGREED, "CO1"),
    Step(D, WAITING,                     LIMIT,         "here",   None, None,          C.APPOINTED, OFFICER, AGREED, "CO1"),
    # the expert's side
    Step(O, NEW,                         "asked",       OK,       None, None,          C.OPEN,      OFFICER, SOON,   "CO1"),
    Step(O, (NEW, *WAITING),             "asked",       "booked", None, None,          C.APPOINTED, OFFICER, AGREED, "CO1"),
    Step(O, WAITING,                     LIMIT,         OK,       None, None,          C.OPEN,      OFFICER, DAY,    "S1"),
    Step(O, WAITING,                     "decision",    OK,       None, "answered",    C.ANSWERED,  AT_D,    READ,   "CO2"),
    Step(D, WAITING,                     "decision",    OK,       None, None,          C.ANSWERED,  AT_D,    DAY,    "CO2"),
    # the window hears it; one that was put back knows its session by it (G1)
    Step(D, (C.ASKED, C.APPOINTED),      "answered",    OK,       None, None,          C.ANSWERED,  AT_D,    DAY,    "CO2"),
    Step(D, NEW,                         "answered",    OK,       None, None,          C.ANSWERED,  AT_D,    DAY,    "G1"),
    # and has read it
    Step(D, C.ANSWERED,                  "advice_read", OK,       None, "closed",      C.COMPLETED, NOBODY,  None,   "CO3"),
    Step(D, C.ANSWERED,                  "advice_read", "here",   None, None,          C.COMPLETED, NOBODY,  None,   "CO3"),
    Step(D, C.ANSWERED,                  LIMIT,         OK,       None, "closed",      C.COMPLETED, NOBODY,  None,   "CO3"),
    Step(D, C.ANSWERED,                  LIMIT,         "here",   None, None,          C.COMPLETED, NOBODY,  None,   "CO3"),
    Step(O, (*WAITING, C.ANSWERED),      "closed",      OK,       None, None,          C.COMPLETED, NOBODY,  None,   "CO3"),
    Step(O, (NEW, C.WITHDRAWN),          "closed",      OK,       None, None,          C.COMPLETED, NOBODY,  None,   "G1"),
    # withdrawn before that: the window's word holds
    Step(D, (C.ASKED, C.APPOINTED),      "withdraw",    OK,       None, "withdrawal",  C.WITHDRAWN, NOBODY,  None,   "CO4"),
    Step(D, WAITING,                     "withdraw",    "here",   None, None,          C.WITHDRAWN, NOBODY,  None,   "CO4"),
    Step(O, (NEW, *WAITING, C.ANSWERED), "withdrawal",  OK,       None, None,          C.WITHDRAWN, NOBODY,  None,   "CO4"),
    # either side may have forgotten: the same is asked, and said, again
    Step(O, C.ANSWERED,                  LIMIT,         OK,       None, "answered",    C.ANSWERED,  AT_D,    READ,   "G1"),
    Step(O, C.ANSWERED,                  "asked",       "again",  None, "answered",    C.ANSWERED,  AT_D,    READ,   "G1"),
    Step(O, C.COMPLETED,                 "asked",       "again",  None, "answered",    C.COMPLETED, NOBODY,  None,   "G1"),
    Step(D, C.COMPLETED,                 "answered",    OK,       None, "closed",      C.COMPLETED, NOBODY,  None,   "G1"),
    Step(D, C.WITHDRAWN,                 "answered",    OK,       None, "withdrawal",  C.WITHDRAWN, NOBODY,  None,   "CO4"),
    Step(O, C.WITHDRAWN,                 "asked",       "over",   None, "ended",       C.WITHDRAWN, NOBODY,  None,   "CO5"),
    Step(D, (NEW, C.ASKED, C.APPOINTED), "ended",       OK,       None, None,          C.WITHDRAWN, NOBODY,  None,   "CO5"),
)
# fmt: on


def compose_asked(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CO1: the masked screen in the open, the question sealed."""
    data: ConsultationData = case.data
    screen, question = data.screen, data.question.encode()
    assert screen is not None, "a session that is open has its screen"
    body = m.ConsultationAsked(
        about=data.about,
        item=screen.item or None,
        state=screen.state,
        handed_in=screen.handed_in,
        missing=screen.missing,
        asked_by=data.accepting_org,
        appointment=data.appointment,
        digest=sha256(question).hexdigest(),
        sealed="",
    )
    return to_other_side(case, body, question)


def compose_answered(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CO2. Said again after the end it has no words any more."""
    data: ConsultationData = case.data
    advice = data.advice.encode()
    told = _told(data) | {"reason": data.reason or None, "materials": data.missing}
    digest = sha256(advice).hexdigest()
    return to_other_side(case, m.ConsultationAnswered(**told, digest=digest, sealed=""), advice)


def compose_closed(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CO3."""
    return to_other_side(case, m.ConsultationClosed(**_told(case.data)))


def compose_withdrawal(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CO4."""
    return to_other_side(case, m.ConsultationWithdrawal(about=case.data.about))


def compose_ended(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CO5."""
    return to_other_side(case, m.ConsultationEnded(about=case.data.about))


def _told(data: ConsultationData) -> dict[str, Any]:
    """About which case, what, who and when."""
    return {
        "about": data.about,
        "outcome": data.outcome,
        "answered_by": data.answering_org,
        "officer": data.officer or "officer",
        "answered_at": data.answered_at,
    }


def shows(case: Case) -> Mapping[str, Any]:
    """What was asked about, and what came of it; the words are shown apart, to those who read them now."""
    data: ConsultationData = case.data
    own = {"outcome": data.outcome, "reason": data.reason, "answered_by": data.answering_org}
    shown: dict[str, Any] = {name: value or None for name, value in own.items()}
    shown |= {"about": data.about, "officer": data.officer, "documents": []}
    return shown | {"answered_at": data.answered_at, "appointment": data.appointment}


check_table(STEPS, ENDS)

CONSULTATION = CaseKind(
    name=rules.KIND,
    data=ConsultationData,
    reads=Reads(persons=frozenset()),
    steps=index_steps(STEPS),
    opens={
        "apply": rules.open_application,
        "asked": rules.open_mirror,
        "closed": rules.open_mirror,
        "withdrawal": rules.open_mirror,
        "answered": rules.open_forgotten,
        "ended": rules.open_forgotten,
    },
    judges=rules.JUDGES,
    amends={
        "asked": rules.after_asked,
        "decision": rules.after_decision,
        "answered": rules.after_answered,
        "closed": rules.after_closed,
        LIMIT: rules.after_limit,
        "advice_read": rules.after_end,
        "withdraw": rules.after_end,
        "withdrawal": rules.after_end,
        "ended": rules.after_end,
    },
    composes={
        "asked": compose_asked,
        "answered": compose_answered,
        "closed": compose_closed,
        "withdrawal": compose_withdrawal,
        "ended": compose_ended,
    },
    limits={AGREED: rules.until_appointment},
    late=frozenset(
        {
            (O, C.OPEN, "asked"),
            (O, C.APPOINTED, "asked"),
            (D, C.ANSWERED, "answered"),
            (D, C.ANSWERED, "ended"),
        }
    ),
    terminal=ENDS,
    public={
        C.ASKED: "ACCEPTED",
        C.OPEN: "ACCEPTED",
        C.APPOINTED: "ACCEPTED",
        C.ANSWERED: "REVIEWING",
        C.COMPLETED: "COMPLETED",
        C.WITHDRAWN: "WITHDRAWN",
    },
    shows=shows,
    discloses=frozenset(),
    reports=frozenset({"advice_read"}),
    about=lambda case: str(case.data.about),
    logs=rules.logs,
)
