"""Household certificates (户籍类证明): the table. Source: services.md S3, codes CT1 to CT5 of docs/rules.md.

Accepted in one province (its side is called the destination, as of every case), answered by the home registry
(the origin), and by one registry alone where both are the same. Nobody's registration changes by it.
"""

from __future__ import annotations

from tongban_shared.cases import (
    certificate_compose as compose,
    certificate_memory as memory,
    certificate_rules as rules,
)
from tongban_shared.cases.certificate_data import C, CertificateData
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

D, O = Side.DESTINATION, Side.ORIGIN  # noqa: E741  # the two letters make the table readable


OFFICER, APPLICANT, LEDGER, NOBODY = Waits.OFFICER, Waits.APPLICANT, Waits.LEDGER, Waits.NOBODY
AT_O = Waits.ORIGIN
CORRECT = "correction"

# fmt: off
STEPS = (
    # side state         on message    verdict       writes   sends            goes to        waits for  limit    source
    # the door of the accepting province
    Step(D, NEW,           "apply",      OK,           None,    "requested",     C.REQUESTED,   AT_O,      h(24),   "CT1"),
    Step(D, NEW,           "apply",      "unlocated",  None,    "ledger.locate", C.LOCATING,    LEDGER,    h(1),    "CT1"),
    Step(D, NEW,           "apply",      "incomplete", None,    None,            C.CORRECTION,  APPLICANT, CORRECT, "S2"),
    Step(D, NEW,           "apply",      "here",       "issue", None,            C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(D, NEW,           "apply",      "review",     None,    None,            C.CHECKING,    OFFICER,   h(24),   "CT2"),
    Step(D, NEW,           "apply",      "refused",    None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.LOCATING,    "located",    OK,           None,    "requested",     C.REQUESTED,   AT_O,      h(24),   "CT1"),
    Step(D, C.LOCATING,    "located",    "refused",    None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.LOCATING,    "located",    "here",       "issue", None,            C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(D, C.LOCATING,    "located",    "review",     None,    None,            C.CHECKING,    OFFICER,   h(24),   "CT2"),
    Step(D, C.LOCATING,    LIMIT,        OK,           None,    "ledger.locate", C.LOCATING,    LEDGER,    h(1),    "CT1"),
    Step(D, C.CORRECTION,  "materials",  OK,           None,    "requested",     C.REQUESTED,   AT_O,      h(24),   "S2"),
    Step(D, C.CORRECTION,  "materials",  "unlocated",  None,    "ledger.locate", C.LOCATING,    LEDGER,    h(1),    "S2"),
    Step(D, C.CORRECTION,  "materials",  "incomplete", None,    None,            C.CORRECTION,  APPLICANT, CORRECT, "S2"),
    Step(D, C.CORRECTION,  "materials",  "here",       "issue", None,            C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(D, C.CORRECTION,  "materials",  "review",     None,    None,            C.CHECKING,    OFFICER,   h(24),   "CT2"),
    Step(D, C.CORRECTION,  "materials",  "refused",    None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.CORRECTION,  LIMIT,        OK,           None,    None,            C.EXPIRED,     NOBODY,    None,    "S2"),
    # the home registry: at once where the register shows it, else an officer searches the archive
    Step(O, NEW,           "requested",  "here",       "issue", "issued",        C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(O, NEW,           "requested",  "review",     None,    None,            C.CHECKING,    OFFICER,   h(24),   "CT2"),
    Step(O, NEW,           "requested",  "refused",    None,    "refusal",       C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(O, NEW,           "requested",  "moved",      None,    "referral",      C.REFUSED,     NOBODY,    None,    "CT3"),
    Step(O, C.REFUSED,     "requested",  "here",       "issue", "issued",        C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(O, C.REFUSED,     "requested",  "review",     None,    None,            C.CHECKING,    OFFICER,   h(24),   "CT2"),
    Step(O, C.REFUSED,     "requested",  "refused",    None,    "refusal",       C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(O, C.REFUSED,     "requested",  "moved",      None,    "referral",      C.REFUSED,     NOBODY,    None,    "CT3"),
    Step(O, C.CHECKING,    "decision",   "approve",    "issue", "issued",        C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(O, C.CHECKING,    "decision",   "refuse",     None,    "refusal",       C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(O, C.CHECKING,    "decision",   "moved",      None,    "referral",      C.REFUSED,     NOBODY,    None,    "CT3"),
    Step(O, C.CHECKING,    LIMIT,        OK,           None,    None,            C.CHECKING,    OFFICER,   h(24),   "S1"),
    Step(D, C.CHECKING,    "decision",   "approve",    "issue", None,            C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(D, C.CHECKING,    "decision",   "refuse",     None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.CHECKING,    "decision",   "moved",      None,    "requested",     C.REQUESTED,   AT_O,      h(24),   "CT3"),
    Step(D, C.CHECKING,    LIMIT,        OK,           None,    None,            C.CHECKING,    OFFICER,   h(24),   "S1"),
    # the answer
    Step(D, C.REQUESTED,   "issued",     OK,           None,    None,            C.COMPLETED,   NOBODY,    None,    "CT2"),
    Step(D, C.REQUESTED,   "refusal",    OK,           None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.REQUESTED,   "referral",   OK,           None,    "requested",     C.REQUESTED,   AT_O,      h(24),   "CT3"),
    Step(D, C.REQUESTED,   "referral",   "here",       None,    "ledger.locate", C.LOCATING,    LEDGER,    h(1),    "CT3"),
    Step(D, C.REQUESTED,   "referral",   "refused",    None,    None,            C.REFUSED,     NOBODY,    None,    "CT4"),
    Step(D, C.REQUESTED,   LIMIT,        OK,           None,    None,            C.REQUESTED,   AT_O,      h(24),   "S1"),
    # withdrawn before it was issued
    Step(D, C.LOCATING,    "withdraw",   OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(D, C.CORRECTION,  "withdraw",   OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(D, C.CHECKING,    "withdraw",   OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(D, C.REQUESTED,   "withdraw",   OK,           None,    "withdrawal",    C.WITHDRAWING, AT_O,      h(24),   "CT5"),
    Step(D, C.WITHDRAWING, LIMIT,        OK,           None,    "withdrawal",    C.WITHDRAWING, AT_O,      h(24),   "CT5"),
    Step(D, C.WITHDRAWING, "issued",     OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(D, C.WITHDRAWING, "refusal",    OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(D, C.WITHDRAWING, "referral",   OK,           None,    None,            C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(O, NEW,           "withdrawal", OK,           None,    "refusal",       C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(O, C.CHECKING,    "withdrawal", OK,           None,    "refusal",       C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(O, C.COMPLETED,   "withdrawal", OK,           "revoke", None,           C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    Step(O, C.REFUSED,     "withdrawal", OK,           None,    "refusal",       C.WITHDRAWN,   NOBODY,    None,    "CT5"),
    # an accepting province that was put back has the answer sent again, and knows its case by it
    Step(D, NEW,           "issued",     OK,           None,    None,            C.COMPLETED,   NOBODY,    None,    "G1"),
    Step(D, NEW,           "refusal",    OK,           None,    None,            C.REFUSED,     NOBODY,    None,    "G1"),
)
# fmt: on

TERMINAL = frozenset({C.COMPLETED, C.REFUSED, C.WITHDRAWN, C.EXPIRED})

LATE = frozenset({(O, C.CHECKING, "requested"), (D, C.LOCATING, "referral")})

PUBLIC = {
    C.LOCATING: "RECEIVED",
    C.CORRECTION: "CORRECTION",
    C.REQUESTED: "REVIEWING",
    C.CHECKING: "REVIEWING",
    C.WITHDRAWING: "REVIEWING",
    C.COMPLETED: "COMPLETED",
    C.REFUSED: "REFUSED",
    C.WITHDRAWN: "WITHDRAWN",
    C.EXPIRED: "EXPIRED",
}

check_table(STEPS, TERMINAL)

ANSWERED_FROM = frozenset({"apply", "located", "materials", "requested", "decision"})

CERTIFICATE = CaseKind(
    name="certificate",
    data=CertificateData,
    reads=Reads(persons=ANSWERED_FROM, members=frozenset(), records=ANSWERED_FROM, proofs=frozenset()),
    steps=index_steps(STEPS),
    opens=memory.OPENS,
    judges=rules.JUDGES,
    amends=memory.AMENDS,
    composes=compose.COMPOSES,
    limits=rules.LIMITS,
    late=LATE,
    terminal=frozenset(TERMINAL),
    public={str(state): public for state, public in PUBLIC.items()},
    shows=compose.shows,
    discloses=frozenset({"issued"}),
    one_at_a_time=False,
)
