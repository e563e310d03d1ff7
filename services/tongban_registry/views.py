"""What people see of a case: public states, whose move it is and until when. Source: api.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from tongban_registry.storage.rows import from_us
from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.kinds import KINDS
from tongban_shared.catalogue import load_catalogue
from tongban_shared.clock import BEIJING
from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces
from tongban_shared.web.problems import refusal_record
from tongban_shared.working_days import deadline, is_provisional

if TYPE_CHECKING:
    from tongban_shared.provinces import ProvinceProfile

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


def case_view(case: Case, timeline: Iterable[Sequence[Any]], profile: ProvinceProfile) -> dict[str, Any]:
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
        "deadlines": _deadlines(case, profile),
        "waiting_for": waiting_for(case),
        "missing_materials": list(case.data.missing),
        **_own(case),
        "timeline": [_entry(row) for row in timeline],
        "version": case.version,
    }
    if case.refusal is not None and case.closed_at is not None:
        view["refusal"] = refusal_record(case.refusal, profile.contact)
        view["refusal"]["retry_at"] = local(case.retry_at)
    if case.closed_at is not None:
        view["closed_at"] = local(case.closed_at)
    return view


def waiting_for(case: Case) -> dict[str, Any] | None:
    """Whose move it is: province, office, action and until when; None when the case has ended.

    organisation: the county bureau that answers for it; an applicant's is where the case was accepted.
    """
    if case.waits is Waits.NOBODY:
        return None
    here = case.destination if case.side is Side.DESTINATION else case.origin
    owners = {Waits.ORIGIN: case.origin, Waits.DESTINATION: case.destination}
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


def _deadlines(case: Case, profile: ProvinceProfile) -> dict[str, Any]:
    """Promised and statutory, in working days of the handling province; the origin's mirror has no item."""
    if not case.item:
        return {"promised_at": None, "statutory_at": None, "provisional": False}
    limit = load_catalogue().item(case.item).time_limit
    promised = deadline(case.opened_at, limit.promised_working_days, profile.calendar)
    statutory = deadline(case.opened_at, limit.statutory_working_days, profile.calendar)
    provisional = is_provisional(case.opened_at, statutory, profile.calendar)
    return {"promised_at": local(promised), "statutory_at": local(statutory), "provisional": provisional}


def _own(case: Case) -> dict[str, Any]:
    """What the case type itself shows."""
    shown = KINDS[case.kind].shows(case)
    return {name: local(value) if isinstance(value, datetime) else value for name, value in shown.items()}


def _entry(row: Sequence[Any]) -> dict[str, Any]:
    _, at, province, event, actor, state, sent = row
    return {
        "at": local(from_us(at)),
        "province": province,
        "event": event,
        "actor": actor,
        "state": state,
        "sent": sent,
    }
