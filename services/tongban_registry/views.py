"""What people see of a case: public states, whose move it is and until when. Source: api.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from tongban_registry.storage.rows import from_us
from tongban_shared.case_clock import deadlines, stops_until
from tongban_shared.cases.common import DEFERRED
from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.kinds import KINDS
from tongban_shared.catalogue import load_catalogue
from tongban_shared.clock import BEIJING
from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces
from tongban_shared.supervision import escalation, light
from tongban_shared.web.problems import refusal_record

if TYPE_CHECKING:
    from tongban_shared.provinces import ProvinceProfile, WorkingCalendar
    from tongban_shared.working_days import Stop

# What is known of other provinces is what their files say; read once, when first asked.
provinces = cache(load_provinces)

ACTIONS = {
    Waits.ORIGIN: "the origin's registry answers",
    Waits.DESTINATION: "the destination's registry answers",
    Waits.OFFICER: "an officer decides",
    Waits.APPLICANT: "the applicant hands in what was asked for",
    Waits.THIRD_PARTY: "another registry that was asked answers",
    Waits.LEDGER: "the custody ledger answers",
}


def local(moment: datetime | None) -> str | None:
    """RFC 3339 with +08:00, whole seconds."""
    return None if moment is None else moment.astimezone(BEIJING).isoformat(timespec="seconds")


def case_view(
    case: Case, timeline: Iterable[Sequence[Any]], profile: ProvinceProfile, now: datetime
) -> dict[str, Any]:
    """The case as api.md shows it. timeline: rows (case_id, at, province, event, actor, state, sent)."""
    view: dict[str, Any] = {
        "case_id": case.id,
        "item": case.item,
        "case_type": case.kind,
        "state": KINDS[case.kind].public[case.state],
        "side": case.side.value.lower(),
        "accepting_province": case.destination,
        "origin_province": case.origin,
        "destination_province": case.destination,
        "submitted_at": local(case.opened_at),
        "deadlines": _deadlines(case, profile, now),
        "waiting_for": waiting_for(case),
        "missing_materials": list(case.data.missing),
        **_own(case),
        "timeline": [timeline_entry(row) for row in timeline],
        "version": case.version,
    }
    if case.refusal is not None and case.closed_at is not None:
        view["refusal"] = refusal_record(case.refusal, profile.contact)
        view["refusal"]["retry_at"] = local(case.retry_at)
    if case.closed_at is not None:
        view["closed_at"] = local(case.closed_at)
    return view | _of_materials(case)


def _of_materials(case: Case) -> dict[str, Any]:
    """What was looked up instead of handed in, with its grade; and what follows, till when the case waits."""
    waived = [
        {"kind": material.kind, "licence_id": material.waived_by_licence, "grade": material.grade}
        for material in case.data.materials
        if material.waived_by_licence is not None
    ]
    follow = list(case.data.missing) if case.state == DEFERRED else []
    shown = {"waived_by_licence": waived, "deferred_materials": follow, "commitment": _commitment(case)}
    return {name: value for name, value in shown.items() if value}


def _commitment(case: Case) -> dict[str, Any] | None:
    """What the applicant gave their word for, and when."""
    word = case.data.commitment
    if word is None:
        return None
    kinds = [material.kind for material in case.data.materials if material.by_commitment]
    return {"materials": kinds, "version": word.version, "signed_at": local(word.signed_at)}


def waiting_for(case: Case) -> dict[str, Any] | None:
    """Whose move it is: province, office, action and until when; None when the case has ended.

    organisation: the county bureau that answers for it; an applicant's is where the case was accepted.
    """
    if case.waits is Waits.NOBODY:
        return None
    here = case.destination if case.side is Side.DESTINATION else case.origin
    owners = {
        Waits.ORIGIN: case.origin,
        Waits.DESTINATION: case.destination,
        Waits.APPLICANT: case.destination,
    }
    if case.waits is Waits.THIRD_PARTY:
        owners[case.waits] = case.data.asked
    province = owners.get(case.waits, here)
    profile = provinces().get(Province(province or ""))
    return {
        "province": province,
        "owner": case.waits.value.lower(),
        "organisation": profile.county_bureau if profile is not None else None,
        "action": ACTIONS[case.waits],
        "until": local(case.due_at),
    }


def holder_s_move(code: str, until: datetime | None) -> dict[str, Any]:
    """Whose move it is when something was passed on to the province that holds the person."""
    profile = provinces().get(Province(code))
    return {
        "province": code,
        "owner": "holder",
        "organisation": profile.county_bureau if profile is not None else None,
        "action": "the registry that holds the person enters it",
        "until": local(until),
    }


def _deadlines(case: Case, profile: ProvinceProfile, now: datetime) -> dict[str, Any]:
    """Promised and statutory, in working days of the handling province, and the limit of the step.

    The origin's mirror has no item, so nothing is promised there. What has ended has no light any more.
    """
    item = load_catalogue().by_code.get(case.item)
    if item is None:
        shown = {"promised_at": None, "statutory_at": None, "provisional": False}
        return shown | {"technical_at": local(case.due_at)} | supervised(None, now, profile.calendar)
    counted = deadlines(case, item.time_limit, profile.calendar, now)
    span = None
    if case.closed_at is None:
        span = Span(case.opened_at, counted.promised_at, stops_until(case, now))
    return {
        "promised_at": local(counted.promised_at),
        "statutory_at": local(counted.statutory_at),
        "technical_at": local(case.due_at),
        "provisional": counted.provisional,
        **supervised(span, now, profile.calendar),
    }


@dataclass(frozen=True, slots=True)
class Span:
    """Of a case or a call-back that is open: since when, promised for when, with which stops."""

    opened_at: datetime
    promised_at: datetime
    stops: Sequence[Stop] = ()


def supervised(span: Span | None, now: datetime, calendar: WorkingCalendar) -> dict[str, str | None]:
    """Light and level as people see them, in small letters; None where nothing is promised."""
    if span is None:
        return {"light": None, "escalation": None}
    shown = light(now, span.opened_at, span.promised_at, calendar, stops=span.stops)
    level = escalation(now, span.promised_at, calendar)
    return {"light": shown.lower(), "escalation": None if level is None else level.lower()}


def _own(case: Case) -> dict[str, Any]:
    """What the case type itself shows."""
    shown = KINDS[case.kind].shows(case)
    return {name: local(value) if isinstance(value, datetime) else value for name, value in shown.items()}


def timeline_entry(row: Sequence[Any]) -> dict[str, Any]:
    """One line of a timeline; row: see `case_view`."""
    _, at, province, event, actor, state, sent = row
    return {
        "at": local(from_us(at)),
        "province": province,
        "event": event,
        "actor": actor,
        "state": state,
        "sent": sent,
    }
