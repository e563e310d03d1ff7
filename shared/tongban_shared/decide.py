"""The only function that chooses a next state. Pure: no clock, no I/O, no log; same input, same outcome."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from tongban_shared.case_clock import keep_time
from tongban_shared.cases.kind import NEW, Case, CaseKind, Draft, Event, Step, Verdict, Waits
from tongban_shared.registration import Surroundings


class Fate(StrEnum):
    """What became of an event."""

    TAKEN = "TAKEN"
    LATE = "LATE"
    PARKED = "PARKED"
    REFUSED = "REFUSED"


class Outcome(msgspec.Struct, frozen=True):
    """The case after the event with what to write and send; or the case unchanged, and why.

    `code` with REFUSED is the reason; with TAKEN the refusal code that the case now carries, if any. `draft`
    with LATE is the answer to somebody who speaks too late.
    """

    fate: Fate
    case: Case
    step: Step | None = None
    draft: Draft | None = None
    code: str | None = None


# Verdicts on a message that no line may take: it contradicts what its own case agreed on.
CONTRADICTIONS = frozenset({"invalid", "stale"})


def decide(case: Case | None, event: Event, kind: CaseKind, around: Surroundings) -> Outcome | None:
    """Decide one event. None: a message whose case is not known here and does not begin one (park it).

    What encloses this side's own acceptance is from the other side, whoever was taken for it before.
    """
    if case is None:
        opening = kind.opens.get(event.name)
        if opening is None:
            return None
        case = replace(opening(event, around), accepted_by=event.officer)
    elif said := kind.retired(case, event):
        return Outcome(Fate.LATE, case, draft=said if isinstance(said, Draft) else None)
    elif event.sender is not None and not event.bound and (heard := kind.hears(case, event)) is not True:
        return _from_elsewhere(case, kind, may_be=heard is None)
    judge = kind.judges.get(event.name)
    verdict = judge(case, event, around) if judge else Verdict()
    if verdict.name in CONTRADICTIONS:
        return Outcome(Fate.REFUSED, case, code=verdict.code or "STEP_NOT_ALLOWED")
    step = kind.steps.get((case.side, case.state, event.name, verdict.name))
    if step is None:
        return _not_now(case, event, kind)
    return _take(case, event, kind, (step, verdict, around))


def _from_elsewhere(case: Case, kind: CaseKind, *, may_be: bool) -> Outcome:
    """Not from the other side. While that is not known, it may be from it: then the message waits."""
    waits = may_be and case.state not in kind.terminal
    return Outcome(Fate.PARKED if waits else Fate.REFUSED, case, code="WRONG_SENDER")


def _not_now(case: Case, event: Event, kind: CaseKind) -> Outcome | None:
    """No line for it: overtaken, too early, or not allowed."""
    if case.state == NEW:
        return None
    if case.state in kind.terminal or (case.side, case.state, event.name) in kind.late:
        return Outcome(Fate.LATE, case)
    return Outcome(Fate.PARKED if event.sender is not None else Fate.REFUSED, case, code="STEP_NOT_ALLOWED")


def _take(case: Case, event: Event, kind: CaseKind, ruling: tuple[Step, Verdict, Surroundings]) -> Outcome:
    """Follow the line: remember the event, compose what is sent, move on."""
    step, verdict, around = ruling
    amend = kind.amends.get(event.name)
    after = amend(case, event, around, verdict) if amend else case
    if verdict.code is not None:
        after = replace(after, refusal=verdict.code, retry_at=verdict.retry_at)
    draft = None
    if step.sends is not None:
        after, draft = kind.composes[step.sends](after, event, around)
    ended = step.next in kind.terminal
    due_at = _due(step, kind, (after, event, around))
    # Nobody waits without a limit and an owner (C3): the table says so, and so must what came of it.
    assert ended or (due_at is not None and step.waits is not Waits.NOBODY), f"{step.next} is owed by nobody"
    after = replace(
        after,
        state=step.next,
        version=case.version + 1,
        waits=step.waits,
        due_at=due_at,
        closed_at=_closed(case, step, event) if ended else None,
    )
    return Outcome(Fate.TAKEN, keep_time(after, event.at), step, draft, verdict.code)


def _closed(case: Case, step: Step, event: Event) -> datetime:
    """When it ended; what only is reported of an ended case moves that no more."""
    stays = step.next == case.state
    return case.closed_at if stays and case.closed_at is not None else event.at


def _due(step: Step, kind: CaseKind, at: tuple[Case, Event, Surroundings]) -> datetime | None:
    """When the limit of the next state passes."""
    case, event, around = at
    if isinstance(step.limit, str):
        return kind.limits[step.limit](case, event, around)
    return None if step.limit is None else event.at + step.limit
