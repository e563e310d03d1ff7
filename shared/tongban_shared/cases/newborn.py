"""A newborn's first registration (新生儿入户): the table. Source: services.md S6, codes NB1 to NB9 of docs/rules.md.

The registry of the parent whom the child follows claims the birth certificate at the ledger, asks the other
parent's registry, lets the ledger enter the child at epoch 0, and only then writes it.
"""

from __future__ import annotations

from tongban_shared.cases import newborn_memory as memory, newborn_rules as rules
from tongban_shared.cases.home import (
    A_DAY,
    ANSWERED_FROM,
    ASK,
    AT_O,
    COLLECTED,
    ENDS,
    LATE,
    LEDGER,
    NOBODY,
    OFFICER,
    PUBLIC,
    D,
    Desk,
    O,
    Place,
    front_desk,
)
from tongban_shared.cases.home_compose import retired_by
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_rules import LIMITS
from tongban_shared.cases.kind import (
    LIMIT,
    NEW,
    OK,
    CaseKind,
    Reads,
    Side,
    Step,
    Waits,
    check_table,
    h,
    index_steps,
)
from tongban_shared.cases.newborn_data import N, NewbornData
from tongban_shared.cases.newborn_memory import GRANTS

THIRD = Waits.THIRD_PARTY
DESK = Desk(
    prefix="NB",
    grants=GRANTS,
    writes="enter",
    answer=h(24 * 3),
    review=h(24),
    first=("ledger.claim", (N.CLAIMING, LEDGER, ASK)),
    revocable=False,
    elsewhere=(N.ANSWERED,),
)


# fmt: off
def _home(side: Side) -> tuple[Step, ...]:
    """The home registry, for a window elsewhere, or at its own."""
    refusal, granted = ("refusal", GRANTS) if side is O else (None, None)
    claiming, waiting, numbering, entering, back = (
        N.CLAIMING, N.CONSENT_WAIT, N.NUMBERING, N.ENTERING, N.GIVING_BACK)
    number, release = "ledger.number", "ledger.release"
    return (
        # side  in state  on          verdict      writes   sends            goes to      waits   limit      source
        # the birth certificate is claimed: one case has it
        Step(side, claiming, "claimed",   OK,          None,    number,          numbering,   LEDGER, ASK,       "NB9"),
        Step(side, claiming, "claimed",   "ask",       None,    "consent_asked", waiting,     THIRD,  "consent", "NB7"),
        Step(side, claiming, "claimed",   "entered",   None,    number,          numbering,   LEDGER, ASK,       "G1"),
        Step(side, claiming, "claimed",   "no",        None,    release,         back,        LEDGER, ASK,       "NB4"),
        Step(side, claiming, "claimed",   "conflict",  None,    refusal,         H.REFUSED,   NOBODY, None,      "NB9"),
        Step(side, claiming, LIMIT,       OK,          None,    "ledger.claim",  claiming,    LEDGER, ASK,       "NB9"),
        # the other parent's registry is asked; silence undoes nothing, and takes no claim away
        Step(side, waiting,  "consent",   "agrees",    None,    number,          numbering,   LEDGER, ASK,       "NB8"),
        Step(side, waiting,  "consent",   "moved",     None,    "consent_asked", waiting,     THIRD,  "consent", "NB7"),
        Step(side, waiting,  "consent",   "no",        None,    release,         back,        LEDGER, ASK,       "NB8"),
        Step(side, waiting,  LIMIT,       OK,          None,    "consent_asked", waiting,     THIRD,  "consent", "NB7"),
        # the number, and the first registration: the ledger enters the child, and then it is written
        Step(side, numbering, "numbered", OK,          None,    "ledger.enter",  entering,    LEDGER, ASK,       "NB2"),
        Step(side, numbering, "numbered", "no",        None,    release,         back,        LEDGER, ASK,       "NB4"),
        Step(side, numbering, "numbered", "conflict",  None,    refusal,         H.REFUSED,   NOBODY, None,      "NB9"),
        Step(side, numbering, LIMIT,      OK,          None,    number,          numbering,   LEDGER, ASK,       "NB2"),
        Step(side, entering, "entered",   OK,          "enter", granted,         H.COMPLETED, NOBODY, None,      "NB2"),
        Step(side, entering, "entered",   "taken",     None,    number,          numbering,   LEDGER, ASK,       "NB2"),
        Step(side, entering, LIMIT,       OK,          None,    "ledger.enter",  entering,    LEDGER, ASK,       "NB2"),
        # the claim is given back before anybody is told that the case has ended
        Step(side, back,     "released",  OK,          None,    refusal,         H.REFUSED,   NOBODY, None,      "NB4"),
        Step(side, back,     "released",  "withdrawn", None,    refusal,         H.WITHDRAWN, NOBODY, None,      "NB5"),
        Step(side, back,     "released",  "entered",   None,    number,          numbering,   LEDGER, ASK,       "G1"),
        Step(side, back,     LIMIT,       OK,          None,    release,         back,        LEDGER, ASK,       "NB4"),
    )


def _asked(side: Side) -> tuple[Step, ...]:
    """The other parent's registry; where it is the window's own province, the window's case says it."""
    window = side is D
    at = (NEW, H.REQUESTED, H.RETURNED) if window else (NEW, H.REFUSED, N.ANSWERED)
    task, officer = (N.CONSENTING if window else N.ASKED), "decision"
    then: Place = (H.REQUESTED, AT_O, DESK.answer) if window else (N.ANSWERED, NOBODY, None)
    return (
        Step(side, at,   "consent_asked", "agrees",  None, "consent", *then,                "NB8"),
        Step(side, at,   "consent_asked", "moved",   None, "consent", *then,                "NB8"),
        Step(side, at,   "consent_asked", "no",      None, "consent", *then,                "NB8"),
        Step(side, at,   "consent_asked", "review",  None, None,      task, OFFICER, A_DAY, "NB7"),
        Step(side, task, officer,         "approve", None, "consent", *then,                "NB8"),
        Step(side, task, officer,         "refuse",  None, "consent", *then,                "NB8"),
        Step(side, task, officer,         "moved",   None, "consent", *then,                "NB8"),
        Step(side, task, LIMIT,           OK,        None, None,      task, OFFICER, A_DAY, "S1"),
    )


# A home registry that was put back first asks the ledger whether it has registered the child already.
_UNSURE = (
    Step(O, (NEW, N.ANSWERED), "requested", "unsure", None, "ledger.claim", N.CLAIMING,   LEDGER,  ASK,   "G1"),
    Step(O, N.CLAIMING,    "claimed",   "unsure",  None, "ledger.release", N.GIVING_BACK, LEDGER,  ASK,   "G1"),
    Step(O, N.GIVING_BACK, "released",  "here",    None, "ledger.claim",   N.CLAIMING,    LEDGER,  ASK,   "G1"),
    Step(O, N.GIVING_BACK, "released",  "review",  None, None,             H.CHECKING,    OFFICER, A_DAY, "G1"),
    Step(O, N.GIVING_BACK, "released",  "refused", None, "refusal",        H.REFUSED,     NOBODY,  None,  "G1"),
    Step(O, N.GIVING_BACK, "released",  "moved",   None, "referral",       H.REFUSED,     NOBODY,  None,  "NB3"),
    Step(D, N.GIVING_BACK, "released",  "here",    None, "ledger.claim",   N.CLAIMING,    LEDGER,  ASK,   "G1"),
    Step(D, N.GIVING_BACK, "released",  "review",  None, None,             H.CHECKING,    OFFICER, A_DAY, "G1"),
    Step(D, N.GIVING_BACK, "released",  "refused", None, None,             H.REFUSED,     NOBODY,  None,  "G1"),
    Step(D, N.GIVING_BACK, "released",  "moved",   None, "requested",      H.REQUESTED,   AT_O,    DESK.answer, "NB3"),
    # it may have claimed the certificate before; a claim that nobody remembers would stop every other case
    *(Step(side, H.CHECKING, "decision", "unsure", None, "ledger.release", N.GIVING_BACK, LEDGER,  ASK,   "G1") for side in (O, D)),
    Step(O, (H.CHECKING, H.RETURNED), "withdrawal", "unsure", None, "ledger.release", N.GIVING_BACK, LEDGER, ASK, "G1"),
    Step(D, (H.CHECKING, H.CORRECTION), "withdraw", "unsure", None, "ledger.release", N.GIVING_BACK, LEDGER, ASK, "G1"),
)
CLAIMED = (N.CLAIMING, N.CONSENT_WAIT, N.NUMBERING)
STEPS = (
    *front_desk(DESK),
    *_home(O),
    *_home(D),
    *_asked(O),
    *_asked(D),
    *_UNSURE,
    *(Step(D, end, "consent_asked", "ended", None, "consent", end, NOBODY, None, "G1") for end in sorted(rules.OVER)),
    *(Step(O, end, "consent_asked", "ended", None, "consent", end, NOBODY, None, "G1") for end in sorted(rules.DONE_HERE)),
    # withdrawn while it is claimed, or while the window's own province asks the other parent
    Step(O, CLAIMED,      "withdrawal", OK, None, "ledger.release", N.GIVING_BACK, LEDGER, ASK,   "NB5"),
    Step(D, CLAIMED,      "withdraw",   OK, None, "ledger.release", N.GIVING_BACK, LEDGER, ASK,   "NB5"),
    Step(D, N.CONSENTING, "withdraw",   OK, None, "withdrawal",     H.WITHDRAWING, AT_O,   h(24), "NB5"),
    Step(D, N.CONSENTING, GRANTS,       OK, "keep", None,           H.COMPLETED,   NOBODY, None,  "NB2"),
    Step(D, N.CONSENTING, "refusal",    OK, None, None,             H.REFUSED,     NOBODY, None,  "NB4"),
)
# fmt: on

check_table(STEPS, ENDS | {N.ANSWERED})

HOME_STATES = (*CLAIMED, N.ENTERING, N.GIVING_BACK)
OVERTAKEN = frozenset(
    {
        *((O, state, "requested") for state in HOME_STATES),
        *((side, state, "consent") for side in (O, D) for state in HOME_STATES if state != N.CONSENT_WAIT),
        *((O, state, "withdrawal") for state in (N.ENTERING, N.GIVING_BACK)),
        *((side, state, "consent_asked") for side, state in ((O, N.ASKED), (D, N.CONSENTING))),
        (D, H.WITHDRAWING, "consent_asked"),
    }
)

NEWBORN = CaseKind(
    name=rules.KIND,
    data=NewbornData,
    reads=Reads(
        persons=ANSWERED_FROM | {"consent_asked"},
        members=ANSWERED_FROM,
        records=ANSWERED_FROM | {"entered"},
    ),
    steps=index_steps(STEPS),
    opens=memory.OPENS,
    judges=rules.JUDGES,
    amends=memory.AMENDS,
    composes=memory.COMPOSES,
    limits={**LIMITS, "consent": rules.consent_limit},
    late=LATE | OVERTAKEN,
    terminal=frozenset(ENDS | {N.ANSWERED}),
    public=PUBLIC
    | dict.fromkeys(map(str, (*HOME_STATES, N.ASKED, N.CONSENTING)), "REVIEWING")
    | {str(N.ANSWERED): "COMPLETED"},
    shows=memory.shows,
    discloses=frozenset({GRANTS, "consent"}),
    paper=memory.newborn_paper,
    reports=frozenset({COLLECTED}),
    hears=rules.hears,
    retired=retired_by(memory.WORDS, DESK),
)
