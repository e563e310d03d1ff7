"""Rules of a consultation (远程帮办): who answers, until when, and what is kept of it. Pure.

Source: services.md S9, domain.md §3.11. Where they differ in the time an expert has, S9's five minutes hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tongban_shared.cases.common import remember
from tongban_shared.cases.consultation_data import Advice, C, ConsultationData, Screen
from tongban_shared.cases.kind import LIMIT, NEW, OK, Case, Event, Judge, Side, Verdict
from tongban_shared.registration import Surroundings
from tongban_shared.working_days import ClockDays

if TYPE_CHECKING:
    from tongban_shared.provinces import WorkingCalendar

KIND = "consultation"
HERE, BOOKED, AGAIN, OVER = Verdict("here"), Verdict("booked"), Verdict("again"), Verdict("over")
# No line has these: what is known already is late, what is for somebody else to do is refused.
KNOWN, ELSEWHERE = Verdict("known"), Verdict("elsewhere")
OUTCOMES: Mapping[str, Advice] = {
    "approve": Advice.CAN_ACCEPT,
    "return": Advice.NEED_MATERIAL,
    "refuse": Advice.REFUSE,
    "escalate": Advice.ESCALATE,
}
UNANSWERED = frozenset({C.ASKED, C.OPEN, C.APPOINTED})


def judge_here(case: Case, _event: Event, around: Surroundings) -> Verdict:
    """Whether the window's own registry answers, so that there is nobody to be told."""
    return HERE if case.side is Side.DESTINATION and case.origin == around.province else Verdict(OK)


def judge_asked(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """Of several questions the one with the latest appointment counts, whatever order they come in.

    Both times are the window's own, so no two clocks are compared (C4).
    """
    if case.state in {C.ANSWERED, C.COMPLETED}:
        return AGAIN
    if case.state == C.WITHDRAWN:
        return OVER
    wanted, agreed = event.body.appointment, case.data.appointment
    if case.state != NEW and (wanted is None or (agreed is not None and wanted <= agreed)):
        return KNOWN
    return Verdict(OK) if wanted is None else BOOKED


def judge_decision(case: Case, _event: Event, around: Surroundings) -> Verdict:
    """The expert answers where the expert is."""
    expert_here = case.side is Side.ORIGIN or case.origin == around.province
    return Verdict(OK) if expert_here else ELSEWHERE


JUDGES: Mapping[str, Judge] = {
    "apply": judge_here,
    "asked": judge_asked,
    "decision": judge_decision,
    "withdraw": judge_here,
    "advice_read": judge_here,
    LIMIT: judge_here,
}


def next_day(at: datetime, calendars: Sequence[WorkingCalendar]) -> datetime:
    """Close of office, aware UTC, on the next day on which offices of all these provinces open.

    calendars: the expert's first, by which that day closes.
    """
    days = [ClockDays(calendar) for calendar in calendars]
    day = days[0].after(days[0].day_of(at))
    while not all(one.counts(day) for one in days):
        day = days[0].after(day)
    return days[0].close_of(day).astimezone(UTC)


def appointment(case: Case, event: Event, around: Surroundings) -> datetime:
    """The next working day of the expert's province on which the window is open too."""
    provinces = dict.fromkeys((case.origin or around.province, case.destination))
    return next_day(event.at, [around.calendars[code] for code in provinces])


def until_appointment(case: Case, _event: Event, _around: Surroundings) -> datetime:
    """Close of office on the day agreed on."""
    agreed: datetime | None = case.data.appointment
    assert agreed is not None, "whoever waits for an appointment has one"
    return agreed


def _begin(event: Event, around: Surroundings, side: Side, data: ConsultationData, **more: Any) -> Case:  # noqa: ANN401
    here = side is Side.DESTINATION
    other = event.sender or ""
    return Case(
        id=event.case_id,
        kind=KIND,
        side=side,
        state=NEW,
        version=0,
        item=more.get("item", ""),
        origin=more.get("origin", other) if here else around.province,
        destination=around.province if here else other,
        persons=(),
        data=data,
        opened_at=event.at,
    )


def open_application(event: Event, around: Surroundings) -> Case:
    """At the window, from its door."""
    body = event.body
    return _begin(event, around, Side.DESTINATION, body.data, origin=body.origin, item=body.item)


def open_mirror(event: Event, around: Surroundings) -> Case:
    """At the expert's registry: a question, or the end of one that is not known any more (G1)."""
    data = ConsultationData(about=event.body.about, answering_org=around.org)
    return _begin(event, around, Side.ORIGIN, data)


def open_forgotten(event: Event, around: Surroundings) -> Case:
    """At a window whose database was put back: the answer tells what had been asked about (G1)."""
    return _begin(event, around, Side.DESTINATION, ConsultationData(about=event.body.about))


def after_asked(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """The question with the masked screen, at the expert's side."""
    if verdict.name not in {OK, BOOKED.name}:
        return case
    body = event.body
    return remember(
        case,
        screen=Screen(item=body.item or "", state=body.state, handed_in=body.handed_in, missing=body.missing),
        question=words(event),
        accepting_org=body.asked_by,
        appointment=body.appointment,
    )


def after_decision(case: Case, event: Event, around: Surroundings, _verdict: Verdict) -> Case:
    """What the expert said."""
    told = event.body
    return remember(
        case,
        outcome=OUTCOMES[told.outcome],
        reason=told.reason_code or "",
        advice=told.note or "",
        missing=told.materials,
        officer=event.officer,
        answering_org=case.data.answering_org or around.org,
        answered_at=event.at,
    )


def after_answered(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The same at the window; what came after the end changes nothing."""
    if case.state in {C.COMPLETED, C.WITHDRAWN}:
        return case
    told = event.body
    case = remember(case, reason=told.reason or "", advice=words(event), missing=told.materials)
    return _as_told(case, told)


def after_closed(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The window has read it: what it read is what holds, also where the expert's side has forgotten it."""
    return without_words(_as_told(case, event.body))


def _as_told(case: Case, told: Any) -> Case:  # noqa: ANN401
    return remember(
        case,
        outcome=told.outcome,
        officer=told.officer,
        answering_org=told.answered_by,
        answered_at=told.answered_at,
    )


def after_limit(case: Case, event: Event, around: Surroundings, _verdict: Verdict) -> Case:
    """Nobody came in time: the window makes an appointment. Advice that nobody says they read is closed."""
    if case.side is Side.ORIGIN:
        return case
    if case.state in UNANSWERED:
        return remember(case, appointment=appointment(case, event, around))
    return without_words(case)


def after_end(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The session is over."""
    return without_words(case)


def without_words(case: Case) -> Case:
    """What is kept: about which case, who, when, and the outcome as codes (decision 0013)."""
    return replace(case, data=replace(case.data, question="", advice="", screen=None))


def words(event: Event) -> str:
    """What was sealed in a message."""
    return (event.bundle or b"").decode("utf-8", "replace")


def logs(case: Case, event: Event) -> str:
    """The outcome goes into the timeline of the case that was asked about, on either side, as a code alone."""
    fresh = event.name in {"decision", "answered"} and case.state == C.ANSWERED
    return f"{KIND}.{case.data.outcome.lower()}" if fresh else ""
