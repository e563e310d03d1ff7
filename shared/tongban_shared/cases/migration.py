"""Household migration across provinces (跨省户口迁移): the table. Source column: rule codes of protocol.md.

Read a line as: on this side, in this state, when this message comes and the rules say this, write that to the
register, send that, go there; then it is their move, for so long at most.
"""

from __future__ import annotations

from datetime import timedelta

from tongban_shared.cases import (
    migration_compose as compose,
    migration_memory as memory,
    migration_recovery as recovery,
    migration_rules as rules,
)
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
from tongban_shared.cases.migration_data import MigrationData, S

D, O = Side.DESTINATION, Side.ORIGIN  # noqa: E741  # the two letters make the table readable


def d(days: int) -> timedelta:
    """Calendar days."""
    return timedelta(days=days)


# Any state of the destination before it accepted the bundle (M3); a withdrawal is possible only here.
ASKING = (S.CHECKING, S.REVIEWING, S.PERMITTED, S.CONFIRMING)
# Where a destination may find itself once its database was put back to before it accepted (G1).
OWED = (S.CORRECTION, S.DEFERRED)
UNBOUND = (NEW, S.LOCATING, *OWED, *ASKING, S.WITHDRAWING, S.REFUSED, S.WITHDRAWN, S.EXPIRED, S.VOIDED)
# And an origin, put back to before it released.
KEEPING = (NEW, S.OPEN, S.FROZEN, S.RELEASING, S.REFUSED, S.WITHDRAWN, S.EXPIRED, S.VOIDED)
OFFICER, APPLICANT, LEDGER, NOBODY = Waits.OFFICER, Waits.APPLICANT, Waits.LEDGER, Waits.NOBODY
AT_D, AT_O = Waits.DESTINATION, Waits.ORIGIN
# Limits that are rules: days of the province's file, the permit's own date, the days on which silence is asked.
PERMIT, CORRECT, FOLLOWS, REMIND = "permit", "correction", "deferred", "reminder"

# fmt: off
STEPS = (
    # side state         on message    verdict       writes     sends            goes to        waits for  limit   source
    # the door of the destination
    Step(D, NEW,           "apply",      OK,           None,      "precheck",      S.CHECKING,    AT_O,      h(48),  "P1"),
    Step(D, NEW,           "apply",      "unlocated",  None,      "ledger.locate", S.LOCATING,    LEDGER,    h(1),   "P1"),
    Step(D, NEW,           "apply",      "incomplete", None,      None,            S.CORRECTION,  APPLICANT, CORRECT, "S2"),
    Step(D, NEW,           "apply",      "deferred",   None,      None,            S.DEFERRED,    APPLICANT, FOLLOWS, "LA"),
    Step(D, S.LOCATING,    "located",    OK,           None,      "precheck",      S.CHECKING,    AT_O,      h(48),  "P1"),
    Step(D, S.LOCATING,    "located",    "refused",    None,      None,            S.REFUSED,     NOBODY,    None,   "S2"),
    Step(D, S.LOCATING,    LIMIT,        OK,           None,      "ledger.locate", S.LOCATING,    LEDGER,    h(1),   "P1"),
    Step(D, OWED,          "materials",  OK,           None,      "precheck",      S.CHECKING,    AT_O,      h(48),  "S2"),
    Step(D, OWED,          "materials",  "unlocated",  None,      "ledger.locate", S.LOCATING,    LEDGER,    h(1),   "S2"),
    Step(D, S.CORRECTION,  "materials",  "incomplete", None,      None,            S.CORRECTION,  APPLICANT, CORRECT, "S2"),
    Step(D, S.DEFERRED,    "materials",  "deferred",   None,      None,            S.DEFERRED,    APPLICANT, FOLLOWS, "LA"),
    Step(D, OWED,          LIMIT,        OK,           None,      None,            S.EXPIRED,     NOBODY,    None,   "S2"),
    Step(D, S.CORRECTION,  LIMIT,        "known",      None,      "withdrawal",    S.EXPIRED,     NOBODY,    None,   "S2"),
    # P1, P2: what the origin knows
    Step(O, NEW,           "precheck",   OK,           None,      "facts",         S.OPEN,        AT_D,      d(90),  "P2"),
    Step(O, NEW,           "precheck",   "closed",     None,      "facts",         S.REFUSED,     NOBODY,    None,   "P2"),
    Step(O, S.OPEN,        "precheck",   OK,           None,      "facts",         S.OPEN,        AT_D,      d(90),  "P2"),
    Step(O, S.OPEN,        "precheck",   "closed",     None,      "facts",         S.REFUSED,     NOBODY,    None,   "P2"),
    Step(O, S.REFUSED,     "precheck",   OK,           None,      "facts",         S.OPEN,        AT_D,      d(90),  "P2"),
    Step(O, S.REFUSED,     "precheck",   "closed",     None,      "facts",         S.REFUSED,     NOBODY,    None,   "P2"),
    Step(D, S.CHECKING,    "facts",      "clean",      None,      "permit",        S.PERMITTED,   AT_O,      PERMIT, "M1"),
    Step(D, S.CHECKING,    "facts",      "review",     None,      None,            S.REVIEWING,   OFFICER,   h(120), "P2"),
    Step(D, S.CHECKING,    "facts",      "refused",    None,      None,            S.REFUSED,     NOBODY,    None,   "P2"),
    Step(D, S.CHECKING,    "facts",      "moved",      None,      "precheck",      S.CHECKING,    AT_O,      h(48),  "P2"),
    Step(D, S.CHECKING,    LIMIT,        OK,           None,      None,            S.CHECKING,    AT_O,      h(24),  "S1"),
    # M1: the county bureau of the destination decides
    Step(D, S.REVIEWING,   "decision",   "approve",    None,      "permit",        S.PERMITTED,   AT_O,      PERMIT, "M1"),
    Step(D, S.REVIEWING,   "decision",   "refuse",     None,      "withdrawal",    S.REFUSED,     NOBODY,    None,   "M1"),
    Step(D, S.REVIEWING,   "decision",   "return",     None,      None,            S.CORRECTION,  APPLICANT, CORRECT, "S2"),
    Step(D, S.REVIEWING,   LIMIT,        OK,           None,      None,            S.REVIEWING,   OFFICER,   h(24),  "S1"),
    # M2: the origin validates again and freezes, or says why not
    Step(O, S.OPEN,        "permit",     OK,           "freeze",  "offer",         S.FROZEN,      AT_D,      PERMIT, "M2"),
    Step(O, S.OPEN,        "permit",     "changed",    None,      "facts",         S.OPEN,        AT_D,      d(90),  "M2"),
    Step(O, S.OPEN,        "permit",     "blocked",    None,      "refusal",       S.REFUSED,     NOBODY,    None,   "MR"),
    Step(O, S.OPEN,        "permit",     "lapsed",     None,      "cancel",        S.EXPIRED,     NOBODY,    None,   "M-1"),
    Step(O, S.OPEN,        LIMIT,        OK,           None,      "cancel",        S.EXPIRED,     NOBODY,    None,   "MX"),
    Step(D, S.PERMITTED,   "facts",      "known",      None,      None,            S.PERMITTED,   AT_O,      PERMIT, "G1"),
    Step(D, S.PERMITTED,   "facts",      "clean",      None,      "permit",        S.PERMITTED,   AT_O,      PERMIT, "M2"),
    Step(D, S.PERMITTED,   "facts",      "review",     None,      None,            S.REVIEWING,   OFFICER,   h(120), "M2"),
    Step(D, S.PERMITTED,   "facts",      "refused",    None,      "withdrawal",    S.REFUSED,     NOBODY,    None,   "M2"),
    Step(D, S.PERMITTED,   LIMIT,        OK,           None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "M-1"),
    # M3: the destination stores the bundle and commits itself; from here it only goes on, or is cancelled by MX
    Step(D, S.PERMITTED,   "offer",      OK,           "prepare", "acceptance",    S.PREPARED,    AT_O,      h(24),  "M3"),
    Step(D, S.PERMITTED,   "offer",      "differs",    None,      None,            S.CONFIRMING,  OFFICER,   h(24),  "M3"),
    Step(D, S.CONFIRMING,  "decision",   "approve",    "prepare", "acceptance",    S.PREPARED,    AT_O,      h(24),  "M3"),
    Step(D, S.CONFIRMING,  "decision",   "refuse",     None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "MW"),
    Step(D, S.CONFIRMING,  LIMIT,        OK,           None,      None,            S.CONFIRMING,  OFFICER,   h(24),  "S1"),
    Step(D, S.PREPARED,    LIMIT,        OK,           None,      None,            S.PREPARED,    AT_O,      h(24),  "S1"),
    # M4: the pivot, first at the ledger, then here in one transaction
    Step(O, S.FROZEN,      "acceptance", OK,           None,      "ledger.append", S.RELEASING,   LEDGER,    h(1),   "M4"),
    Step(O, S.RELEASING,   LIMIT,        OK,           None,      "ledger.append", S.RELEASING,   LEDGER,    h(1),   "M4"),
    Step(O, S.RELEASING,   "appended",   OK,           "release", "certificate",   S.RELEASED,    AT_D,      REMIND, "M4"),
    Step(O, S.RELEASING,   "appended",   "conflict",   None,      None,            S.RELEASING,   LEDGER,    h(24),  "I1"),
    Step(O, S.RELEASING,   "appended",   "overtaken",  None,      "cancel",        S.VOIDED,      NOBODY,    None,   "I1"),
    # M5: settled; the origin closes its row at the same instant
    Step(D, S.PREPARED,    "certificate", OK,          "hold",    "settled",       S.COMPLETED,   NOBODY,    None,   "M5"),
    Step(D, S.PREPARED,    "inquire",    OK,           "hold",    "settled",       S.COMPLETED,   NOBODY,    None,   "M-7"),
    Step(D, S.COMPLETED,   "inquire",    OK,           None,      "settled",       S.COMPLETED,   NOBODY,    None,   "M-7"),
    Step(O, S.RELEASED,    "settled",    OK,           "archive", None,            S.CONFIRMED,   NOBODY,    None,   "M5"),
    Step(O, S.RELEASED,    LIMIT,        OK,           None,      "inquire",       S.RELEASED,    AT_D,      REMIND, "M-7"),
    Step(O, S.RELEASED,    LIMIT,        "reissued",   None,      "reissue",       S.RELEASED,    AT_D,      REMIND, "M-7"),
    # G1 at the origin, put back: what the ledger has entered is yielded and issued again; a recall is answered
    Step(O, KEEPING,       "recovered",  OK,           "yield",   "reissue",       S.RELEASED,    AT_D,      REMIND, "G1"),
    Step(O, S.RELEASED,    "recall",     OK,           None,      "reissue",       S.RELEASED,    AT_D,      REMIND, "G1"),
    Step(O, S.CONFIRMED,   "settled",    "proof",      "prove",   None,            S.CONFIRMED,   NOBODY,    None,   "G1"),
    Step(O, S.CONFIRMED,   "recall",     OK,           None,      "reissue",       S.CONFIRMED,   NOBODY,    None,   "G1"),
    # Both put back, and the origin to before they came: it finds them once it has their records back itself
    Step(O, S.RELEASED,    "recall",     "nameless",   None,      "ledger.name",   S.RELEASED,    AT_D,      REMIND, "G1"),
    Step(O, S.CONFIRMED,   "recall",     "nameless",   None,      "ledger.name",   S.CONFIRMED,   NOBODY,    None,   "G1"),
    Step(O, S.RELEASED,    "named",      OK,           None,      "reissue",       S.RELEASED,    AT_D,      REMIND, "G1"),
    Step(O, S.CONFIRMED,   "named",      OK,           None,      "reissue",       S.CONFIRMED,   NOBODY,    None,   "G1"),
    # G1 at the destination, put back: recall, store, ask the ledger whether they are still here, then hold
    Step(D, UNBOUND,       "recovered",  OK,           None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, UNBOUND,       "certificate", "bound",     None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, UNBOUND,       "inquire",    "bound",      None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, UNBOUND,       "reissue",    "unasked",    None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, S.RESTORING,   LIMIT,        "past",       None,      None,            S.COMPLETED,   NOBODY,    None,   "G1"),
    Step(D, S.RESTORING,   LIMIT,        "stored",     None,      "ledger.locate", S.VERIFYING,   LEDGER,    h(1),   "G1"),
    Step(D, S.RESTORING,   LIMIT,        OK,           None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, S.RESTORING,   "reissue",    OK,           "restore", "ledger.locate", S.VERIFYING,   LEDGER,    h(1),   "G1"),
    Step(D, S.RESTORING,   "reissue",    "nameless",   None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, S.PREPARED,    "reissue",    OK,           "restore", "ledger.locate", S.VERIFYING,   LEDGER,    h(1),   "G1"),
    Step(D, S.PREPARED,    "recovered",  OK,           None,      "recall",        S.RESTORING,   AT_O,      h(24),  "G1"),
    Step(D, S.VERIFYING,   LIMIT,        OK,           None,      "ledger.locate", S.VERIFYING,   LEDGER,    h(1),   "G1"),
    Step(D, S.VERIFYING,   "located",    OK,           "resume",  "settled",       S.COMPLETED,   NOBODY,    None,   "G1"),
    Step(D, S.VERIFYING,   "located",    "past",       "resume",  None,            S.COMPLETED,   NOBODY,    None,   "G1"),
    Step(D, S.VERIFYING,   "located",    "unknown",    None,      None,            S.VERIFYING,   LEDGER,    h(24),  "I3"),
    Step(D, S.COMPLETED,   "reissue",    OK,           None,      "settled",       S.COMPLETED,   NOBODY,    None,   "G1"),
    Step(D, S.PERMITTED,   "offer",      "overtaken",  None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "G1"),
    Step(D, S.PREPARED,    "offer",      "again",      None,      None,            S.PREPARED,    AT_O,      h(24),  "G1"),
    Step(D, S.PREPARED,    "offer",      "another",    None,      "withdrawal",    S.PREPARED,    AT_O,      h(24),  "G1"),
    Step(O, S.FROZEN,      "acceptance", "another",    None,      None,            S.FROZEN,      AT_D,      PERMIT, "G1"),
    Step(D, NEW,           "facts",      "forgotten",  None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "G1"),
    Step(D, NEW,           "offer",      "forgotten",  None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "G1"),
    Step(D, NEW,           "cancel",     "forgotten",  None,      None,            S.VOIDED,      NOBODY,    None,   "G1"),
    Step(D, NEW,           "refusal",    "forgotten",  None,      None,            S.REFUSED,     NOBODY,    None,   "G1"),
    # MR, MW, MX: the ways back, all before the release
    Step(D, ASKING,        "refusal",    OK,           None,      None,            S.REFUSED,     NOBODY,    None,   "MR"),
    Step(D, S.CORRECTION,  "refusal",    OK,           None,      None,            S.REFUSED,     NOBODY,    None,   "MR"),
    Step(D, S.WITHDRAWING, "refusal",    OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MW"),
    Step(D, S.LOCATING,    "withdraw",   OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MW"),
    Step(D, OWED,          "withdraw",   OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MW"),
    Step(D, S.CORRECTION,  "withdraw",   "known",      None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "MW"),
    Step(D, ASKING,        "withdraw",   OK,           None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "MW"),
    Step(D, S.WITHDRAWING, LIMIT,        OK,           None,      "withdrawal",    S.WITHDRAWING, AT_O,      h(24),  "MW"),
    Step(O, S.OPEN,        "withdrawal", OK,           None,      "cancel",        S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(O, S.FROZEN,      "withdrawal", OK,           "thaw",    "cancel",        S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(O, S.OPEN,        "withdrawal", "lapsed",     None,      "cancel",        S.EXPIRED,     NOBODY,    None,   "M-1"),
    Step(O, S.FROZEN,      "withdrawal", "lapsed",     "thaw",    "cancel",        S.EXPIRED,     NOBODY,    None,   "M-1"),
    Step(O, S.FROZEN,      LIMIT,        OK,           "thaw",    "cancel",        S.EXPIRED,     NOBODY,    None,   "M-1"),
    Step(O, S.FROZEN,      "block",      OK,           "thaw",    "cancel",        S.VOIDED,      NOBODY,    None,   "MX"),
    Step(O, S.REFUSED,     "withdrawal", OK,           None,      "cancel",        S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(O, S.REFUSED,     "withdrawal", "lapsed",     None,      "cancel",        S.EXPIRED,     NOBODY,    None,   "M-1"),
    Step(O, S.WITHDRAWN,   "withdrawal", "again",      None,      "cancel",        S.WITHDRAWN,   NOBODY,    None,   "G1"),
    Step(O, S.EXPIRED,     "withdrawal", "again",      None,      "cancel",        S.EXPIRED,     NOBODY,    None,   "G1"),
    Step(O, S.VOIDED,      "withdrawal", "again",      None,      "cancel",        S.VOIDED,      NOBODY,    None,   "G1"),
    Step(O, NEW,           "withdrawal", "forgotten",  None,      "cancel",        S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(O, NEW,           "permit",     "forgotten",  None,      "cancel",        S.VOIDED,      NOBODY,    None,   "MX"),
    Step(O, NEW,           "acceptance", "forgotten",  None,      "cancel",        S.VOIDED,      NOBODY,    None,   "MX"),
    Step(O, S.REFUSED,     "acceptance", "forgotten",  None,      "cancel",        S.VOIDED,      NOBODY,    None,   "MX"),
    Step(D, S.WITHDRAWING, "cancel",     OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(D, S.WITHDRAWING, "cancel",     "refused",    None,      None,            S.REFUSED,     NOBODY,    None,   "MX"),
    Step(D, S.WITHDRAWING, "cancel",     "lapsed",     None,      None,            S.EXPIRED,     NOBODY,    None,   "MX"),
    Step(D, S.WITHDRAWING, "cancel",     "voided",     None,      None,            S.VOIDED,      NOBODY,    None,   "MX"),
    Step(D, ASKING,        "cancel",     OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(D, ASKING,        "cancel",     "lapsed",     None,      None,            S.EXPIRED,     NOBODY,    None,   "MX"),
    Step(D, ASKING,        "cancel",     "voided",     None,      None,            S.VOIDED,      NOBODY,    None,   "MX"),
    Step(D, S.CORRECTION,  "cancel",     OK,           None,      None,            S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(D, S.CORRECTION,  "cancel",     "lapsed",     None,      None,            S.EXPIRED,     NOBODY,    None,   "MX"),
    Step(D, S.CORRECTION,  "cancel",     "voided",     None,      None,            S.VOIDED,      NOBODY,    None,   "MX"),
    Step(D, S.PREPARED,    "cancel",     OK,           "drop",    None,            S.WITHDRAWN,   NOBODY,    None,   "MX"),
    Step(D, S.PREPARED,    "cancel",     "lapsed",     "drop",    None,            S.EXPIRED,     NOBODY,    None,   "MX"),
    Step(D, S.PREPARED,    "cancel",     "voided",     "drop",    None,            S.VOIDED,      NOBODY,    None,   "MX"),
)
# fmt: on

TERMINAL = frozenset({S.COMPLETED, S.CONFIRMED, S.REFUSED, S.WITHDRAWN, S.EXPIRED, S.VOIDED})

# Overtaken by events: the two sides' messages crossed. Taken and receipted, without effect.
LATE = frozenset(
    {
        (D, S.WITHDRAWING, "facts"),
        (D, S.WITHDRAWING, "offer"),
        (D, S.REVIEWING, "facts"),
        (D, S.CORRECTION, "facts"),
        (D, S.DEFERRED, "facts"),
        (O, S.FROZEN, "permit"),
        (O, S.FROZEN, "precheck"),
        (O, S.RELEASING, "withdrawal"),
        (O, S.RELEASED, "withdrawal"),
        (O, S.RELEASED, "acceptance"),
        (O, S.RELEASING, "acceptance"),
        # Sent again to one that was put back, or by one.
        (D, S.PREPARED, "facts"),
        (D, S.RESTORING, "facts"),
        (D, S.RESTORING, "offer"),
        (D, S.RESTORING, "certificate"),
        (D, S.RESTORING, "inquire"),
        (D, S.RESTORING, "refusal"),
        (D, S.RESTORING, "cancel"),
        (D, S.VERIFYING, "facts"),
        (D, S.VERIFYING, "offer"),
        (D, S.VERIFYING, "certificate"),
        (D, S.VERIFYING, "inquire"),
        (D, S.VERIFYING, "reissue"),
        (D, S.VERIFYING, "refusal"),
        (D, S.VERIFYING, "cancel"),
        (O, S.RELEASING, "permit"),
        (O, S.RELEASING, "precheck"),
        (O, S.RELEASED, "permit"),
        (O, S.RELEASED, "precheck"),
    }
)

# Public vocabulary of a case; internal states are shown in the timeline only. Source: api.md.
PUBLIC: dict[str, str] = {
    S.LOCATING: "RECEIVED",
    S.CORRECTION: "CORRECTION",
    S.DEFERRED: "ACCEPTED",
    S.CHECKING: "ACCEPTED",
    S.REVIEWING: "REVIEWING",
    S.PERMITTED: "REVIEWING",
    S.CONFIRMING: "IN_TRANSFER",
    S.PREPARED: "IN_TRANSFER",
    S.WITHDRAWING: "REVIEWING",
    S.COMPLETED: "COMPLETED",
    S.OPEN: "REVIEWING",
    S.FROZEN: "IN_TRANSFER",
    S.RELEASING: "IN_TRANSFER",
    S.RELEASED: "IN_TRANSFER",
    S.RESTORING: "IN_TRANSFER",
    S.VERIFYING: "IN_TRANSFER",
    S.CONFIRMED: "COMPLETED",
    S.REFUSED: "REFUSED",
    S.WITHDRAWN: "WITHDRAWN",
    S.EXPIRED: "EXPIRED",
    S.VOIDED: "VOIDED",
}

check_table(STEPS, TERMINAL)

FROM_RECORDS = frozenset({"permit", "recall"})
FROM_MEMBERS = frozenset({"permit", "precheck"})
FROM_PERSONS = (
    FROM_RECORDS
    | FROM_MEMBERS
    | {"offer", "certificate", "inquire", "settled", "cancel", "withdrawal", "reissue"}
)

MIGRATION = CaseKind(
    name="migration",
    data=MigrationData,
    reads=Reads(
        persons=FROM_PERSONS, members=FROM_MEMBERS, records=FROM_RECORDS, proofs=frozenset({"reissue"})
    ),
    steps=index_steps(STEPS),
    opens={**memory.OPENS, **recovery.OPENS},
    judges={**rules.JUDGES, **recovery.JUDGES},
    amends={**memory.AMENDS, **recovery.AMENDS},
    composes={**compose.COMPOSES, **recovery.COMPOSES},
    limits=rules.LIMITS,
    late=LATE,
    terminal=frozenset(TERMINAL),
    public=PUBLIC,
    shows=compose.shows,
    discloses=frozenset({"facts", "offer"}),
    counted=frozenset({D}),
)
