"""Temporary identity cards (临时居民身份证): the table. Source: services.md S4, codes TI1 to TI9 of docs/rules.md.

The child of an open case of an identity card: the home registry gives a right to print one, once; the window
prints, or the right lapses. The card ends when it expires, is handed back, or the real card is handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tongban_shared.cases import temporary_id_rules as rules
from tongban_shared.cases.home import (
    ANSWERED_FROM,
    AT_D,
    ENDS,
    LATE,
    NOBODY,
    OFFICER,
    PUBLIC,
    D,
    Desk,
    O,
    front_desk,
    of_a_card,
)
from tongban_shared.cases.home_compose import Words, retired_by, shows as shows_common, tells
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_memory import Memory
from tongban_shared.cases.home_rules import LIMITS, judge_at_window, judge_limit, judge_used
from tongban_shared.cases.kind import LIMIT, OK, Case, CaseKind, Reads, Step, check_table, h, index_steps
from tongban_shared.cases.temporary_id_data import T, TemporaryData
from tongban_shared.messages import temporary_id as m

GRANTS = rules.ANSWERING.grants
DESK = Desk(
    prefix="TI",
    grants=GRANTS,
    writes="issue",
    home=(T.AUTHORISED, AT_D, h(24)),
    window=(T.AUTHORISED, OFFICER, "print_right"),
    answer=rules.TOLD_AFTER,
    review="passed_up",
)

# fmt: off
STEPS = (
    *front_desk(DESK),
    # side state       on message    verdict writes    sends         goes to       waits   limit  source
    # the print right: used once, or gone
    Step(D, T.AUTHORISED, "printed",    OK,     None,     "printed",    H.COMPLETED,  NOBODY, None,  "TI7"),
    Step(D, T.AUTHORISED, "printed",    "here", None,     None,         H.COMPLETED,  NOBODY, None,  "TI7"),
    Step(O, T.AUTHORISED, "printed",    OK,     None,     None,         H.COMPLETED,  NOBODY, None,  "TI7"),
    Step(D, T.AUTHORISED, LIMIT,        OK,     None,     "lapsed",     H.EXPIRED,    NOBODY, None,  "TI8"),
    Step(D, T.AUTHORISED, LIMIT,        "here", "revoke", None,         H.EXPIRED,    NOBODY, None,  "TI8"),
    Step(D, T.AUTHORISED, "withdraw",   OK,     None,     "lapsed",     H.WITHDRAWN,  NOBODY, None,  "TI8"),
    Step(D, T.AUTHORISED, "withdraw",   "here", "revoke", None,         H.WITHDRAWN,  NOBODY, None,  "TI8"),
    Step(O, T.AUTHORISED, "lapsed",     OK,     "revoke", None,         H.VOIDED,     NOBODY, None,  "TI8"),
    *of_a_card(DESK, "printed", "TI8"),
    # handed back before it expired
    Step(D, H.COMPLETED,  "returned",   OK,     None,     "returned",   H.VOIDED,     NOBODY, None,  "TI9"),
    Step(D, H.COMPLETED,  "returned",   "here", "revoke", None,         H.VOIDED,     NOBODY, None,  "TI9"),
    Step(O, H.COMPLETED,  "returned",   OK,     "revoke", None,         H.VOIDED,     NOBODY, None,  "TI9"),
)
# fmt: on

WORDS = Words.of(rules.ANSWERING, m.BODIES)


def shows(case: Case) -> Mapping[str, Any]:
    """Also how far up the task has gone, and whether the promise is broken already."""
    data: TemporaryData = case.data
    shown = dict(shows_common(case))
    if data.level:
        shown["passed_up_to"] = rules.LEVELS[data.level - 1]
    return shown | {"late": True} if data.late else shown


MEMORY = Memory(rules.ANSWERING)

TERMINAL = ENDS | {H.VOIDED}

check_table(STEPS, TERMINAL)

TEMPORARY_ID = CaseKind(
    name=rules.KIND,
    data=TemporaryData,
    reads=Reads(persons=ANSWERED_FROM, records=ANSWERED_FROM, papers=ANSWERED_FROM, under_way=ANSWERED_FROM),
    steps=index_steps(STEPS),
    opens=MEMORY.opens(),
    judges=rules.ANSWERING.judges()
    | {"printed": judge_used, "returned": judge_at_window, LIMIT: judge_limit},
    amends=MEMORY.amends() | {LIMIT: rules.after_limit},
    composes=WORDS.composes()
    | {"printed": tells(m.Printed), "lapsed": tells(m.Lapsed), "returned": tells(m.HandedBack)},
    limits={**LIMITS, "passed_up": rules.passed_up, "print_right": rules.print_right},
    late=LATE | {(D, T.AUTHORISED, GRANTS)},
    terminal=TERMINAL,
    public=PUBLIC | {T.AUTHORISED: "ACCEPTED", H.VOIDED: "VOIDED"},
    shows=shows,
    discloses=frozenset({GRANTS}),
    counted=frozenset({D, O}),
    paper=rules.temporary_paper,
    voids=rules.voids,
    variant=lambda _: None,
    reports=frozenset({"printed", "returned"}),
    hears=rules.ANSWERING.hears,
    retired=retired_by(WORDS, DESK),
)
