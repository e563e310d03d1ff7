"""Cases that any province accepts and the home registry (户籍地) answers: the lines that all of them share.

Accepted in one province (its side is called the destination, as of every case), answered by the home registry
(the origin), and by one registry alone where both are the same. Source: services.md S1, S3 to S6.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tongban_shared.cases.home_data import H
from tongban_shared.cases.kind import LIMIT, NEW, OK, Side, Step, Waits, h

D, O = Side.DESTINATION, Side.ORIGIN  # noqa: E741  # the two letters make the table readable
OFFICER, APPLICANT, LEDGER, NOBODY = Waits.OFFICER, Waits.APPLICANT, Waits.LEDGER, Waits.NOBODY
AT_O, AT_D = Waits.ORIGIN, Waits.DESTINATION
CORRECT = "correction"
ASK, A_DAY = h(1), h(24)

Limit = timedelta | str | None
Place = tuple[str, Waits, Limit]
DONE: Place = (H.COMPLETED, NOBODY, None)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a case type puts into the common lines.

    prefix: of its rules: 1 request, 2 grant, 3 referral, 4 refusal, 5 withdrawal, 6 correction. grants: the
    message that says yes. writes: the register's verb with it; reviewed: the verb when an officer is to look.
    home, window: where either side stands after the grant. answer: how long the home registry may take.
    review: how long its officer may. first: what is asked of the ledger before the grant, and where either side
    waits for it; then the type has the lines from there on. lasting: no withdrawal undoes the grant.
    """

    prefix: str
    grants: str
    writes: str
    home: Place = DONE
    window: Place = DONE
    answer: timedelta = A_DAY
    review: Limit = A_DAY
    reviewed: str | None = None
    first: tuple[str, Place] | None = None
    lasting: bool = False

    def yes(self, side: Side) -> tuple[str | None, str | None, str, Waits, Limit]:
        """What is written and sent when the answer is yes, and where that side stands then."""
        if self.first is not None:
            sends, place = self.first
            return (None, sends, *place)
        return (self.writes, self.grants, *self.home) if side is O else (self.writes, None, *self.window)


def front_desk(desk: Desk) -> tuple[Step, ...]:
    """The lines of both sides up to the grant, and every way out before it."""
    return (
        *_arrivals(desk, NEW, "apply"),
        *_arrivals(desk, H.CORRECTION, "materials"),
        *_located(desk),
        *_answers(desk),
        *_heard(desk),
        *_sent_back(desk),
        *_withdrawn(desk),
    )


# fmt: off
def _arrivals(desk: Desk, state: str, message: str) -> tuple[Step, ...]:
    """The door of the accepting province: an application, or what was missing of it."""
    p, asked = desk.prefix, desk.answer
    lines = (
        Step(D, state, message, OK,           None,          "requested",     H.REQUESTED,  AT_O,      asked,       f"{p}1"),
        Step(D, state, message, "unlocated",  None,          "ledger.locate", H.LOCATING,   LEDGER,    ASK,         f"{p}1"),
        Step(D, state, message, "incomplete", None,          None,            H.CORRECTION, APPLICANT, CORRECT,     "S2"),
        Step(D, state, message, "here",       *desk.yes(D),                                                         f"{p}2"),
        Step(D, state, message, "review",     desk.reviewed, None,            H.CHECKING,   OFFICER,   desk.review, f"{p}2"),
        Step(D, state, message, "refused",    None,          None,            H.REFUSED,    NOBODY,    None,        f"{p}4"),
    )
    if state == NEW:
        return lines
    return (*lines, Step(D, state, LIMIT, OK, None,          None,            H.EXPIRED,    NOBODY,    None,        "S2"))


def _located(desk: Desk) -> tuple[Step, ...]:
    """The ledger says who holds the applicant; until then it is asked again."""
    p, at = desk.prefix, H.LOCATING
    return (
        Step(D, at, "located",  OK,        None,          "requested",     H.REQUESTED, AT_O,    desk.answer, f"{p}1"),
        Step(D, at, "located",  "refused", None,          None,            H.REFUSED,   NOBODY,  None,        f"{p}4"),
        Step(D, at, "located",  "here",    *desk.yes(D),                                                       f"{p}2"),
        Step(D, at, "located",  "review",  desk.reviewed, None,            H.CHECKING,  OFFICER, desk.review, f"{p}2"),
        Step(D, at, LIMIT,      OK,        None,          "ledger.locate", H.LOCATING,  LEDGER,  ASK,         f"{p}1"),
    )


def _answers(desk: Desk) -> tuple[Step, ...]:
    """The home registry: at once where the register shows enough, else its officer; the same at its own window."""
    p, asked = desk.prefix, (NEW, H.REFUSED, H.RETURNED)
    at = H.CHECKING
    return (
        Step(O, asked, "requested", "here",    *desk.yes(O),                                                f"{p}2"),
        Step(O, asked, "requested", "review",  desk.reviewed, None,        H.CHECKING,  OFFICER, desk.review, f"{p}2"),
        Step(O, asked, "requested", "refused", None,          "refusal",   H.REFUSED,   NOBODY,  None,        f"{p}4"),
        Step(O, asked, "requested", "moved",   None,          "referral",  H.REFUSED,   NOBODY,  None,        f"{p}3"),
        Step(O, at,    "decision",  "approve", *desk.yes(O),                                                f"{p}2"),
        Step(O, at,    "decision",  "refuse",  None,          "refusal",   H.REFUSED,   NOBODY,  None,        f"{p}4"),
        Step(O, at,    "decision",  "moved",   None,          "referral",  H.REFUSED,   NOBODY,  None,        f"{p}3"),
        Step(O, at,    LIMIT,       OK,        None,          None,        H.CHECKING,  OFFICER, desk.review, "S1"),
        Step(D, at,    "decision",  "approve", *desk.yes(D),                                                f"{p}2"),
        Step(D, at,    "decision",  "refuse",  None,          None,        H.REFUSED,   NOBODY,  None,        f"{p}4"),
        Step(D, at,    "decision",  "moved",   None,          "requested", H.REQUESTED, AT_O,    desk.answer, f"{p}3"),
        Step(D, at,    LIMIT,       OK,        None,          None,        H.CHECKING,  OFFICER, desk.review, "S1"),
    )


def _heard(desk: Desk) -> tuple[Step, ...]:
    """The accepting province hears the answer; one that was put back knows its case by it (G1)."""
    p, at = desk.prefix, H.REQUESTED
    window, waits, limit = desk.window
    return (
        Step(D, at,  desk.grants, OK,        None, None,            window,      waits,  limit,       f"{p}2"),
        Step(D, at,  "refusal",   OK,        None, None,            H.REFUSED,   NOBODY, None,        f"{p}4"),
        Step(D, at,  "referral",  OK,        None, "requested",     H.REQUESTED, AT_O,   desk.answer, f"{p}3"),
        Step(D, at,  "referral",  "here",    None, "ledger.locate", H.LOCATING,  LEDGER, ASK,         f"{p}3"),
        Step(D, at,  "referral",  "refused", None, None,            H.REFUSED,   NOBODY, None,        f"{p}4"),
        Step(D, at,  LIMIT,       OK,        None, None,            H.REQUESTED, AT_O,   h(24),       "S1"),
        Step(D, NEW, desk.grants, OK,        None, None,            window,      waits,  limit,       "G1"),
        Step(D, NEW, "refusal",   OK,        None, None,            H.REFUSED,   NOBODY, None,        "G1"),
    )


def _sent_back(desk: Desk) -> tuple[Step, ...]:
    """The officer needs more: one notice names all of it (补正); the home registry's clock stands still."""
    p, back = desk.prefix, H.RETURNED
    days = h(24 * 60)
    return (
        Step(O, H.CHECKING,  "decision",   "return",     None, "correction", back,         AT_D,      days,        f"{p}6"),
        Step(D, H.CHECKING,  "decision",   "return",     None, None,         H.CORRECTION, APPLICANT, CORRECT,     f"{p}6"),
        Step(O, back,        LIMIT,        OK,           None, None,         back,         AT_D,      days,        f"{p}6"),
        Step(D, H.REQUESTED, "correction", OK,           None, None,         back,         APPLICANT, CORRECT,     f"{p}6"),
        Step(D, back,        "materials",  OK,           None, "requested",  H.REQUESTED,  AT_O,      desk.answer, f"{p}6"),
        Step(D, back,        "materials",  "incomplete", None, None,         back,         APPLICANT, CORRECT,     f"{p}6"),
        Step(D, back,        LIMIT,        OK,           None, "withdrawal", H.EXPIRED,    NOBODY,    None,        f"{p}6"),
    )


def _withdrawn(desk: Desk) -> tuple[Step, ...]:
    """Withdrawn before the grant was heard; what was issued while it was on its way is revoked, or lasts."""
    p = f"{desk.prefix}5"
    here, going, again = (H.LOCATING, H.CORRECTION, H.CHECKING), H.WITHDRAWING, h(24)
    asked = (H.REQUESTED, H.RETURNED)
    crossed = ("refusal", "referral")
    return (
        Step(D, here,  "withdraw", OK, None, None,         H.WITHDRAWN, NOBODY, None,  p),
        Step(D, asked, "withdraw", OK, None, "withdrawal", going,       AT_O,   again, p),
        Step(D, going, LIMIT,      OK, None, "withdrawal", going,       AT_O,   again, p),
        *(Step(D, going, message,  OK, None, None,         H.WITHDRAWN, NOBODY, None,  p) for message in crossed),
        Step(O, (NEW, H.CHECKING, H.REFUSED, H.RETURNED),
                       "withdrawal", OK, None,     "refusal", H.WITHDRAWN, NOBODY, None, p),
        *_crossing(desk, p),
    )


def _crossing(desk: Desk, p: str) -> tuple[Step, ...]:
    """The grant and the withdrawal meet on their way."""
    window, waits, limit = desk.window
    if desk.lasting:
        return (Step(D, H.WITHDRAWING, desk.grants, OK, None, None, window, waits, limit, p),)
    return (
        Step(D, H.WITHDRAWING, desk.grants,  OK, None,     None, H.WITHDRAWN, NOBODY, None, p),
        Step(O, desk.home[0],  "withdrawal", OK, "revoke", None, H.WITHDRAWN, NOBODY, None, p),
    )
# fmt: on

ENDS = frozenset({H.COMPLETED, H.REFUSED, H.WITHDRAWN, H.EXPIRED})

LATE = frozenset(
    {(O, H.CHECKING, "requested"), (D, H.LOCATING, "referral"), (D, H.WITHDRAWING, "correction")}
)

PUBLIC = {
    H.LOCATING: "RECEIVED",
    H.CORRECTION: "CORRECTION",
    H.RETURNED: "CORRECTION",
    H.REQUESTED: "REVIEWING",
    H.CHECKING: "REVIEWING",
    H.WITHDRAWING: "REVIEWING",
    H.COMPLETED: "COMPLETED",
    H.REFUSED: "REFUSED",
    H.WITHDRAWN: "WITHDRAWN",
    H.EXPIRED: "EXPIRED",
}

ANSWERED_FROM = frozenset({"apply", "located", "materials", "requested", "decision"})
