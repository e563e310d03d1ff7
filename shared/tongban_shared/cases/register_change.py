"""Changes of the register (登记事项变更): the table. Source: services.md S7, S9, codes CH1 to CH8 of docs/rules.md.

Any window of a province accepts, the home station answers: one registry, one case (全省通办). A joint window
(两市一窗) takes in for its neighbour too, and its paper is in somebody's hands at every moment. What an item does
is data (effects.py); what is entered is not taken back, only changed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from tongban_shared.cases import register_change_rules as rules
from tongban_shared.cases.common import remember
from tongban_shared.cases.home import (
    ANSWERED_FROM,
    AT_D,
    AT_O,
    COLLECTED,
    ENDS,
    LATE,
    NOBODY,
    OFFICER,
    PUBLIC,
    D,
    Desk,
    O,
    front_desk,
)
from tongban_shared.cases.home_compose import Words, named, retired_by, shows as shows_common, tells
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_memory import Memory
from tongban_shared.cases.home_rules import LIMITS, judge_at_window
from tongban_shared.cases.kind import (
    LIMIT,
    NEW,
    OK,
    Case,
    CaseKind,
    Draft,
    Event,
    Reads,
    Step,
    Verdict,
    check_table,
    h,
    index_steps,
)
from tongban_shared.cases.register_change_data import ChangeData, P, Paper
from tongban_shared.messages import register_change as m
from tongban_shared.messages.home import IssuedCard
from tongban_shared.registration import Surroundings

GRANTS = rules.ANSWERING.grants
REVIEW, ANSWER = h(24 * 3), h(24 * 5)
DESK = Desk(prefix="CH", grants=GRANTS, writes="change", answer=ANSWER, review=REVIEW, revocable=False)
# Within a day the paper leaves the window; three days later it has come, or is looked for each day.
SENT_WITHIN, COMES_WITHIN, LOOKED_FOR = h(24), h(24 * 3), h(24)
AT, WAY = P.PAPER_AT_WINDOW, P.PAPER_UNDER_WAY
ASKED = (NEW, H.REFUSED, H.RETURNED)

# fmt: off
STEPS = (
    *front_desk(DESK),
    # side state          on message        verdict  writes  sends             goes to        waits      limit         source
    # another authority decides, on paper: the window has it (代收)
    Step(D, (H.CORRECTION, H.DEFERRED, H.RETURNED),
                          "materials",      "paper", None,   None,             AT,            AT_D,      SENT_WITHIN,  "CH7"),
    Step(D, NEW,          "apply",          "paper", None,   None,             AT,            AT_D,      SENT_WITHIN,  "CH7"),
    Step(D, H.LOCATING,   "located",        "paper", None,   None,             AT,            AT_D,      SENT_WITHIN,  "CH7"),
    Step(D, AT,           LIMIT,            OK,      None,   None,             AT,            AT_D,      LOOKED_FOR,   "CH8"),
    Step(D, AT,           "paper_sent",     "here",  None,   None,             WAY,           AT_D,      COMES_WITHIN, "CH7"),
    Step(D, AT,           "paper_sent",     OK,      None,   "requested",      H.REQUESTED,   AT_O,      ANSWER,       "CH1"),
    # it is on its way; lost paper is a task of the window that sent it
    Step(O, ASKED,        "requested",      "paper", None,   None,             WAY,           AT_D,      COMES_WITHIN, "CH7"),
    Step(D, WAY,          LIMIT,            OK,      None,   None,             WAY,           AT_D,      LOOKED_FOR,   "CH8"),
    Step(O, WAY,          LIMIT,            OK,      None,   None,             WAY,           AT_D,      LOOKED_FOR,   "CH8"),
    # the station that decides has it
    Step(D, WAY,          "paper_received", OK,      None,   None,             H.CHECKING,    OFFICER,   REVIEW,       "CH7"),
    Step(O, WAY,          "paper_received", OK,      None,   "paper_received", H.CHECKING,    OFFICER,   REVIEW,       "CH7"),
    Step(D, H.REQUESTED,  "paper_received", OK,      None,   None,             H.REQUESTED,   AT_O,      ANSWER,       "CH7"),
    # lost, and sent once more
    Step(D, WAY,          "paper_sent",     "here",  None,   None,             WAY,           AT_D,      COMES_WITHIN, "CH8"),
    # withdrawn meanwhile: the paper goes back to whoever brought it
    Step(D, (AT, WAY),    "withdraw",       OK,      None,   None,             H.WITHDRAWN,   NOBODY,    None,         "CH5"),
    Step(D, (AT, WAY),    "withdraw",       "here",  None,   None,             H.WITHDRAWN,   NOBODY,    None,         "CH5"),
    Step(O, WAY,          "withdrawal",     OK,      None,   "refusal",        H.WITHDRAWN,   NOBODY,    None,         "CH5"),
)
# fmt: on

WORDS = Words.of(rules.ANSWERING, m.BODIES)

MEMORY = Memory(rules.ANSWERING)


def compose_requested(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CH1: the new values sealed for the home registry, all else in the open."""
    data: ChangeData = case.data
    values = msgspec.json.encode(rules.Asking(data.changes, data.new_name_check), order="sorted")
    body = m.ChangeRequested(
        use=data.use,
        trusted=data.trusted,
        persons=named(case),
        effect=data.effect,
        ending=data.ending or None,
        lost=data.lost,
        cities=tuple(sorted(data.cities)),
        on_paper=data.on_paper,
        digest=sha256(values).hexdigest(),
        sealed="",
    )
    assert case.origin is not None, "asked of a province that is known"
    return case, Draft(case.origin, body, values)


def compose_registered(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CH2."""
    data: ChangeData = case.data
    issued = IssuedCard(licence_id=data.licence_id, kind=data.document) if data.licence_id else None
    body = m.Registered(persons=named(case), answered_by=data.answering_org, document=issued)
    return case, Draft(case.destination, body, encloses=data.licence_id or None)


def after_door(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """Who answers, and for whom it was taken in."""
    case = MEMORY.after_door(case, event, around, verdict)
    on_paper = verdict.name == rules.BY_PAPER.name
    paper = Paper.AT_WINDOW if on_paper else case.data.paper
    behalf = rules.authority(case, around) or case.data.on_behalf_of
    return remember(case, on_behalf_of=behalf, on_paper=on_paper or case.data.on_paper, paper=paper)


def after_paper(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Where the paper is now."""
    return remember(case, paper=Paper.SENT if event.name == "paper_sent" else Paper.RECEIVED)


def after_registered(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Who answered, and what was issued."""
    paper = event.body.document
    case = remember(case, answering_org=event.body.answered_by)
    return case if paper is None else remember(case, licence_id=paper.licence_id, document=paper.kind)


def shows(case: Case) -> Mapping[str, Any]:
    """Which office answers, for whom it was taken in, and who has the paper."""
    data: ChangeData = case.data
    own = {"answering_org": data.answering_org, "on_behalf_of": data.on_behalf_of, "paper": data.paper}
    shown = {name: value or None for name, value in own.items()}
    return {**shows_common(case), "effect": data.effect or None, **shown}


check_table(STEPS, ENDS)

REGISTER_CHANGE = CaseKind(
    name=rules.KIND,
    data=ChangeData,
    reads=Reads(
        persons=ANSWERED_FROM,
        members=frozenset({"requested"}),
        records=ANSWERED_FROM,
        papers=ANSWERED_FROM,
        under_way=ANSWERED_FROM,
        transfers=frozenset({"apply", "materials", "located", "decision"}),
    ),
    steps=index_steps(STEPS),
    opens=MEMORY.opens(),
    judges=rules.ANSWERING.judges()
    | {"paper_sent": judge_at_window, "paper_received": rules.judge_paper_received},
    amends=MEMORY.amends()
    | {"apply": after_door, "materials": after_door, "located": after_door, GRANTS: after_registered}
    | {"paper_sent": after_paper, "paper_received": after_paper},
    composes=WORDS.composes()
    | {
        "requested": compose_requested,
        GRANTS: compose_registered,
        "paper_received": tells(m.PaperReceived),
    },
    limits=LIMITS,
    late=LATE
    | {(O, WAY, "requested"), (D, AT, "paper_received"), (D, H.RETURNED, "paper_received")}
    | {(D, H.WITHDRAWING, "paper_received")},
    terminal=ENDS,
    public=PUBLIC | {AT: "ACCEPTED", WAY: "ACCEPTED"},
    shows=shows,
    discloses=frozenset({GRANTS, "change"}),
    counted=frozenset({D, O}),
    paper=rules.booklet_paper,
    voids=rules.voids,
    reports=frozenset({"paper_sent", "paper_received", COLLECTED}),
    hears=rules.ANSWERING.hears_entries,
    retired=retired_by(WORDS, DESK),
)
