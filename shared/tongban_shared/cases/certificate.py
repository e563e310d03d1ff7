"""Household certificates (户籍类证明): the table. Source: services.md S3, codes CT1 to CT6 of docs/rules.md.

Nobody's registration changes by it. The lines are those of every case that the home registry answers.
"""

from __future__ import annotations

from tongban_shared.cases import certificate_rules as rules
from tongban_shared.cases.certificate_data import CertificateData
from tongban_shared.cases.certificate_paper import certificate_paper
from tongban_shared.cases.home import (
    ANSWERED_FROM,
    BROKEN,
    COLLECTED,
    ENDS,
    LATE,
    PUBLIC,
    Desk,
    front_desk,
)
from tongban_shared.cases.home_compose import Words, retired_by, shows
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_memory import Memory
from tongban_shared.cases.home_rules import LIMITS, judge_broken
from tongban_shared.cases.kind import CaseKind, Reads, check_table, index_steps
from tongban_shared.messages import certificate as m

GRANTS = rules.ANSWERING.grants
# Issued at once where the register shows the fact; else an officer searches the archive.
DESK = Desk(prefix="CT", grants=GRANTS, writes="issue")
STEPS = front_desk(DESK)

WORDS = Words.of(rules.ANSWERING, m.BODIES)

MEMORY = Memory(rules.ANSWERING)

OVER = ENDS | {H.VOIDED}

check_table(STEPS, OVER)

CERTIFICATE = CaseKind(
    name="certificate",
    data=CertificateData,
    reads=Reads(persons=ANSWERED_FROM, records=ANSWERED_FROM),
    steps=index_steps(STEPS),
    opens=MEMORY.opens(),
    judges=rules.ANSWERING.judges() | {BROKEN: judge_broken},
    amends=MEMORY.amends(),
    composes=WORDS.composes(),
    limits=LIMITS,
    late=LATE,
    terminal=OVER,
    public=PUBLIC | {H.VOIDED: "VOIDED"},
    shows=shows,
    discloses=frozenset({GRANTS}),
    paper=certificate_paper,
    reports=frozenset({COLLECTED, BROKEN}),
    variant=lambda case: str(case.data.certificate),
    hears=rules.ANSWERING.hears,
    retired=retired_by(WORDS, DESK),
)
