"""Identity cards (居民身份证): the table. Source: services.md S5, codes IC1 to IC9 of docs/rules.md.

Captured where people live, reviewed and signed by the home county bureau within five days, made and handed over
where people live.
"""

from __future__ import annotations

from tongban_shared.cases import id_card_rules as rules
from tongban_shared.cases.home import (
    ANSWERED_FROM,
    APPLICANT,
    AT_D,
    ENDS,
    LATE,
    NOBODY,
    PUBLIC,
    D,
    Desk,
    O,
    front_desk,
    of_a_card,
)
from tongban_shared.cases.home_compose import Words, retired_by, shows, tells
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_memory import Memory
from tongban_shared.cases.home_rules import LIMITS, judge_limit, judge_used
from tongban_shared.cases.id_card_data import IdCardData, K
from tongban_shared.cases.kind import LIMIT, OK, CaseKind, Reads, Step, check_table, h, index_steps
from tongban_shared.messages import id_card as m

GRANTS = rules.ANSWERING.grants
MADE_WITHIN = h(24 * 20)
DESK = Desk(
    prefix="IC",
    grants=GRANTS,
    writes="issue",
    reviewed="report_lost",
    home=(K.APPROVED, AT_D, h(24 * 60)),
    window=(K.IN_PRODUCTION, AT_D, MADE_WITHIN),
    later=(K.AT_COUNTER,),
    answer=h(24 * 5),
    review=h(24 * 5),
)

# fmt: off
STEPS = (
    *front_desk(DESK),
    # side state          on message     verdict writes       sends          goes to          waits      limit          source
    # made where the applicant lives (制证回馈)
    Step(D, K.IN_PRODUCTION, "made",        OK,     None,        None,          K.AT_COUNTER,    APPLICANT, "unclaimed",   "IC7"),
    Step(D, K.IN_PRODUCTION, LIMIT,         OK,     None,        None,          K.IN_PRODUCTION, AT_D,      h(24),         "IC7"),
    Step(D, K.IN_PRODUCTION, LIMIT,         "here", None,        None,          K.IN_PRODUCTION, AT_D,      h(24),         "IC7"),
    *of_a_card(DESK, "handed_over", "IC7"),
    # nobody came for it
    Step(D, K.AT_COUNTER,    LIMIT,         OK,     None,        "unclaimed",   H.EXPIRED,       NOBODY,    None,          "IC8"),
    Step(D, K.AT_COUNTER,    LIMIT,         "here", "revoke",    None,          H.EXPIRED,       NOBODY,    None,          "IC8"),
    Step(O, K.APPROVED,      "unclaimed",   OK,     "revoke",    None,          H.VOIDED,        NOBODY,    None,          "IC8"),
    # handed over (领取发放)
    Step(D, K.AT_COUNTER,    "handed_over", OK,     None,        "handed_over", H.COMPLETED,     NOBODY,    None,          "IC9"),
    Step(D, K.AT_COUNTER,    "handed_over", "here", "hand_over", None,          H.COMPLETED,     NOBODY,    None,          "IC9"),
    Step(O, K.APPROVED,      "handed_over", OK,     "hand_over", None,          H.COMPLETED,     NOBODY,    None,          "IC9"),
)
# fmt: on

WORDS = Words.of(rules.ANSWERING, m.BODIES)

MEMORY = Memory(rules.ANSWERING)

TERMINAL = ENDS | {H.VOIDED}

check_table(STEPS, TERMINAL)

DECIDED_WITH_PAPERS = ANSWERED_FROM | {"handed_over"}

ID_CARD = CaseKind(
    name=rules.KIND,
    data=IdCardData,
    reads=Reads(
        persons=ANSWERED_FROM,
        records=ANSWERED_FROM,
        papers=DECIDED_WITH_PAPERS,
        under_way=ANSWERED_FROM,
    ),
    steps=index_steps(STEPS),
    opens=MEMORY.opens(),
    judges=rules.ANSWERING.judges() | {"handed_over": judge_used, LIMIT: judge_limit},
    amends=MEMORY.amends(),
    composes=WORDS.composes() | {"unclaimed": tells(m.Unclaimed), "handed_over": tells(m.HandedOver)},
    limits={**LIMITS, "unclaimed": rules.unclaimed},
    late=LATE | {(D, K.IN_PRODUCTION, GRANTS), (D, K.AT_COUNTER, GRANTS)},
    terminal=TERMINAL,
    public=PUBLIC
    | {K.APPROVED: "ACCEPTED", K.IN_PRODUCTION: "ACCEPTED", K.AT_COUNTER: "ACCEPTED", H.VOIDED: "VOIDED"},
    shows=shows,
    discloses=frozenset({GRANTS}),
    counted=frozenset({D, O}),
    paper=rules.card_paper,
    voids=rules.voids,
    variant=lambda case: str(case.data.card),
    reports=frozenset({"made", "handed_over"}),
    hears=rules.ANSWERING.hears,
    retired=retired_by(WORDS, DESK),
)
