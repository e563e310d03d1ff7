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
CORRECT, FOLLOWS, COLLECTED = "correction", "deferred", "collected"
ASK, A_DAY = h(1), h(24)

Limit = timedelta | str | None
Place = tuple[str, Waits, Limit]
BROKEN = "commitment_false"
ENDS = frozenset({H.COMPLETED, H.REFUSED, H.WITHDRAWN, H.EXPIRED})
DONE: Place = (H.COMPLETED, NOBODY, None)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a case type puts into the common lines.

    prefix: of its rules: 1 request, 2 grant, 3 referral, 4 refusal, 5 withdrawal, 6 correction. grants: the
    message that says yes. writes: the register's verb with it; reviewed: the verb when an officer is to look.
    home, window: where either side stands after the grant. answer: how long the home registry may take.
    review: how long its officer may. later: where the accepting province stands after `window`, before the end.
    revocable: what was granted can be taken back when the applicant had withdrawn meanwhile; else the grant
    stands, and they are told so. first: what is asked of the ledger before the grant, and where either side
    waits for it; then the type has the lines from there on. elsewhere: ends of another part in the same case
    that the home registry may have had before it was asked.
    """

    prefix: str
    grants: str
    writes: str
    home: Place = DONE
    window: Place = DONE
    answer: timedelta = A_DAY
    review: Limit = A_DAY
    reviewed: str | None = None
    revocable: bool = True
    later: tuple[str, ...] = ()
    first: tuple[str, Place] | None = None
    elsewhere: tuple[str, ...] = ()

    def open_after_grant(self) -> tuple[str, ...]:
        """States of the accepting province in which a home registry that was put back may decide otherwise (G1)."""
        return () if self.window == DONE else (self.window[0], *self.later)

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
        *_arrivals(desk, H.DEFERRED, "materials"),
        *_located(desk),
        *_answers(desk),
        *_heard(desk),
        *_asked_again(desk),
        *_sent_back(desk),
        *_withdrawn(desk),
        *_crossed(desk),
        *_collected(desk),
        *_broken(desk),
    )


# fmt: off
def _arrivals(desk: Desk, state: str, message: str) -> tuple[Step, ...]:
    """The door of the accepting province: an application, or what followed it or was asked for."""
    p, asked = desk.prefix, desk.answer
    lines = (
        Step(D, state, message, OK,           None,          "requested",     H.REQUESTED,  AT_O,      asked,       f"{p}1"),
        Step(D, state, message, "unlocated",  None,          "ledger.locate", H.LOCATING,   LEDGER,    ASK,         f"{p}1"),
        Step(D, state, message, "here",       *desk.yes(D),                                                         f"{p}2"),
        Step(D, state, message, "review",     desk.reviewed, None,            H.CHECKING,   OFFICER,   desk.review, f"{p}2"),
        Step(D, state, message, "refused",    None,          None,            H.REFUSED,    NOBODY,    None,        f"{p}4"),
    )
    now = Step(D, state, message, "incomplete", None,        None,            H.CORRECTION, APPLICANT, CORRECT,     "S2")
    later = Step(D, state, message, "deferred", None,        None,            H.DEFERRED,   APPLICANT, FOLLOWS,     "LA")
    if state == NEW:
        return (*lines, now, later)
    owed, source = (later, "LA") if state == H.DEFERRED else (now, "S2")
    return (*lines, owed, Step(D, state, LIMIT, OK, None,    None,            H.EXPIRED,    NOBODY,    None,        source))


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
    p, asked = desk.prefix, (NEW, H.REFUSED, H.RETURNED, *desk.elsewhere)
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
    p = desk.prefix
    window, waits, limit = desk.window
    asked = (H.REQUESTED, H.RETURNED)
    at = (*asked, *desk.open_after_grant())
    return (
        Step(D, asked, desk.grants, OK,      "keep", None,          window,      waits,  limit,       f"{p}2"),
        Step(D, at,  "refusal",   OK,        None, None,            H.REFUSED,   NOBODY, None,        f"{p}4"),
        Step(D, at,  "referral",  OK,        None, "requested",     H.REQUESTED, AT_O,   desk.answer, f"{p}3"),
        Step(D, at,  "referral",  "here",    None, "ledger.locate", H.LOCATING,  LEDGER, ASK,         f"{p}3"),
        Step(D, at,  "referral",  "refused", None, None,            H.REFUSED,   NOBODY, None,        f"{p}4"),
        Step(D, H.REQUESTED, LIMIT, OK,      None, None,            H.REQUESTED, AT_O,   h(24),       "S1"),
        Step(D, NEW, desk.grants, OK,        "keep", None,          window,      waits,  limit,       "G1"),
        Step(D, NEW, "refusal",   OK,        None, None,            H.REFUSED,   NOBODY, None,        "G1"),
    )


def _asked_again(desk: Desk) -> tuple[Step, ...]:
    """An accepting province that was put back asks once more what was answered: it gets the same answer (G1).

    A home registry that was put back and now grants what it had refused is told that the case has ended, and
    takes it back; what it has entered stands.
    """
    home, waits, limit = desk.home

    def after(end: str) -> tuple[str | None, str, Waits, Limit]:
        return ("withdrawal", end, NOBODY, None) if desk.revocable else (None, *desk.window)

    granted = () if home == H.COMPLETED else (
        Step(O, home, "requested", "again", None, desk.grants, home, waits, limit, "G1"),
    )
    return (
        *granted,
        Step(O, H.COMPLETED, "requested", "again", None, desk.grants, H.COMPLETED, NOBODY, None, "G1"),
        Step(O, H.WITHDRAWN, "requested", "again", None, "refusal",   H.WITHDRAWN, NOBODY, None, "G1"),
        *(Step(D, end, desk.grants, OK, None, *after(end), "G1") for end in sorted(ENDS - {H.COMPLETED})),
    )


def _sent_back(desk: Desk) -> tuple[Step, ...]:
    """The officer needs more: one notice names all of it (补正); the home registry's clock stands still."""
    p, back = desk.prefix, H.RETURNED
    days = h(24 * 60)
    return (
        Step(O, H.CHECKING,  "decision",   "return",     None, "correction", back,         APPLICANT, days,        f"{p}6"),
        Step(D, H.CHECKING,  "decision",   "return",     None, None,         H.CORRECTION, APPLICANT, CORRECT,     f"{p}6"),
        Step(O, back,        LIMIT,        OK,           None, "correction", back,         APPLICANT, days,        f"{p}6"),
        *(Step(D, end,       "correction", OK,           None, "withdrawal", end,          NOBODY,    None,        "G1") for end in sorted(ENDS)),
        Step(D, (H.REQUESTED, *desk.open_after_grant()),
                             "correction", OK,           None, None,         back,         APPLICANT, CORRECT,     f"{p}6"),
        Step(D, NEW,         "correction", OK,           None, "withdrawal", H.WITHDRAWN,  NOBODY,    None,        "G1"),
        *(Step(D, known,     "correction", "lost",       None, "withdrawal", H.WITHDRAWN,  NOBODY,    None,        "G1") for known in desk.open_after_grant()),
        Step(D, back,        "materials",  OK,           None, "requested",  H.REQUESTED,  AT_O,      desk.answer, f"{p}6"),
        Step(D, back,        "materials",  "incomplete", None, None,         back,         APPLICANT, CORRECT,     f"{p}6"),
        Step(D, back,        LIMIT,        OK,           None, "withdrawal", H.EXPIRED,    NOBODY,    None,        f"{p}6"),
    )


def _withdrawn(desk: Desk) -> tuple[Step, ...]:
    """Withdrawn before the grant was heard."""
    p = f"{desk.prefix}5"
    here, going, again = (H.LOCATING, H.CORRECTION, H.DEFERRED, H.CHECKING), H.WITHDRAWING, h(24)
    asked = (H.REQUESTED, H.RETURNED)
    return (
        Step(D, here,  "withdraw", OK, None, None,         H.WITHDRAWN, NOBODY, None,  p),
        Step(D, asked, "withdraw", OK, None, "withdrawal", going,       AT_O,   again, p),
        Step(D, going, LIMIT,      OK, None, "withdrawal", going,       AT_O,   again, p),
        *(Step(D, going, crossed,  OK, None, None,         H.WITHDRAWN, NOBODY, None,  p) for crossed in ("refusal", "referral")),
        Step(O, (NEW, H.CHECKING, H.REFUSED, H.RETURNED),
                       "withdrawal", OK, None,     "refusal", H.WITHDRAWN, NOBODY, None, p),
    )


def _crossed(desk: Desk) -> tuple[Step, ...]:
    """A grant that crossed the withdrawal: what was issued is revoked, or what was entered stays."""
    p, going = f"{desk.prefix}5", H.WITHDRAWING
    window, waits, limit = desk.window
    if not desk.revocable:
        return (Step(D, going, desk.grants, OK, "keep", None, window, waits, limit, p),)
    return (
        Step(D, going,        desk.grants,  OK, None,     None, H.WITHDRAWN, NOBODY, None, p),
        Step(O, desk.home[0], "withdrawal", OK, "revoke", None, H.WITHDRAWN, NOBODY, None, p),
    )


def _collected(desk: Desk) -> tuple[Step, ...]:
    """A paper whose case ends with the grant: the window reports that it was handed out (领取)."""
    if desk.window != DONE:
        return ()
    return (Step(D, H.COMPLETED, COLLECTED, OK, None, None, H.COMPLETED, NOBODY, None, "EN2"),)


def _broken(desk: Desk) -> tuple[Step, ...]:
    """A commitment was found false: what was granted by it is revoked, where it can be and is all there was."""
    if not desk.revocable or desk.window != DONE:
        return ()
    over, here = H.VOIDED, "here"
    return (
        Step(D, H.COMPLETED, BROKEN, OK,   None,     "withdrawal", over, NOBODY, None, "CM"),
        Step(D, H.COMPLETED, BROKEN, here, "revoke", None,         over, NOBODY, None, "CM"),
        *(Step(D, over, late, OK, None, "withdrawal", over, NOBODY, None, "G1") for late in (desk.grants, "correction")),
    )


def of_a_card(desk: Desk, used: str, source: str) -> tuple[Step, ...]:
    """What both sides of a card's case still say after the grant. used: the window's word that its owner has it.

    A window that is silent is asked: it is at work still, the card was used, or given up. When either side was
    put back, what was handed out without the home registry's right is void (G1).
    """
    home, waits, limit = desk.home
    over = H.VOIDED
    return (
        Step(O, home,        LIMIT,        OK,      None, desk.grants,  home,        waits,  limit, source),
        Step(D, H.COMPLETED, desk.grants,  OK,      None, used,         H.COMPLETED, NOBODY, None,  source),
        Step(D, over,        desk.grants,  OK,      None, "withdrawal", over,        NOBODY, None,  source),
        Step(O, over,        "requested",  "again", None, "refusal",    over,        NOBODY, None,  "G1"),
        Step(O, over,        used,         "void",  None, "refusal",    over,        NOBODY, None,  "G1"),
        Step(O, H.REFUSED,   used,         "void",  None, "refusal",    H.REFUSED,   NOBODY, None,  "G1"),
        Step(D, H.COMPLETED, "refusal",    OK,      None, None,         over,        NOBODY, None,  "G1"),
        Step(D, over,        "correction", OK,      None, "withdrawal", over,        NOBODY, None,  "G1"),
    )
# fmt: on

LATE = frozenset(
    {
        (O, H.CHECKING, "requested"),
        (D, H.LOCATING, "referral"),
        (D, H.WITHDRAWING, "correction"),
        (D, H.RETURNED, "correction"),
    }
)

PUBLIC: dict[str, str] = {
    H.LOCATING: "RECEIVED",
    H.CORRECTION: "CORRECTION",
    H.DEFERRED: "ACCEPTED",
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
