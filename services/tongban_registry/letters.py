"""A change of a case in words: the template's, in the applicant's language, with names and numbers masked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_registry.channels import Letter
from tongban_registry.contact import Contact, open_contact
from tongban_registry.views import local
from tongban_shared.clock import BEIJING
from tongban_shared.errors import UnknownItemError
from tongban_shared.notifications import Change, load_templates
from tongban_shared.web.problems import PROBLEMS
from tongban_shared.working_days import deadline

if TYPE_CHECKING:
    from tongban_registry.office import Office
    from tongban_registry.storage.notifications import Claimed
    from tongban_shared.catalogue import Item

_change = msgspec.json.Decoder(Change)


def letter_of(claimed: Claimed, office: Office) -> Letter:
    """Write one. Raises WireError: the address can't be opened."""
    contact = open_contact(claimed.sealed, office)
    change = _change.decode(claimed.change)
    language = claimed.language
    templates = load_templates()
    words = templates.of(change.told, change.variant).words(language)
    until = _until(change, office)
    slots = _slots(claimed, change, until, (contact, office))
    return Letter(
        id=claimed.id,
        province=office.province,
        case_id=claimed.case_id,
        told=change.told,
        language=language,
        address=contact.address,
        subject=words.subject.format_map(slots),
        text=words.text.format_map(slots),
        footer=templates.below(language).format_map(slots),
        facts=_facts(claimed, change, until),
        made_at=claimed.made_at,
        now=office.clock.now(),
    )


def _slots(
    claimed: Claimed, change: Change, until: datetime | None, around: tuple[Contact, Office]
) -> dict[str, str]:
    contact, office = around
    chinese = claimed.language != "en"
    item = _item(change, office)
    titles = office.catalogue.material_titles
    plain = [kind.replace("_", " ").lower() for kind in change.missing]
    return {
        "person": contact.person,
        "number": contact.number,
        "case_id": claimed.case_id,
        "item": change.item if item is None else item.title_zh if chinese else item.title_en,
        "deadline": _day(until, chinese=chinese),
        "materials": "、".join(titles.get(kind, kind) for kind in change.missing)
        if chinese
        else ", ".join(plain),
        "reason": _reason(change, chinese=chinese),
        "contact": office.profile.contact,
    }


def _facts(claimed: Claimed, change: Change, until: datetime | None) -> dict[str, Any]:
    """For a program: codes and times, nobody's name."""
    return {
        "case_id": claimed.case_id,
        "case_type": change.kind,
        "item": change.item,
        "version": int(claimed.id.rpartition("-")[2]),
        "state": change.told,
        "deadline": local(until),
        "missing_materials": list(change.missing),
        "refusal": change.refusal,
    }


def _item(change: Change, office: Office) -> Item | None:
    """The item, unless a newer catalogue has it no more."""
    try:
        return office.catalogue.item(change.item)
    except UnknownItemError:
        return None


def _until(change: Change, office: Office) -> datetime | None:
    """The applicant's own limit, or what was promised to them; None when there is nothing to wait for."""
    if change.until is not None or change.told != "ACCEPTED":
        return change.until
    item = _item(change, office)
    if item is None:
        return None
    return deadline(change.opened_at, item.time_limit.promised_working_days, office.profile.calendar)


def _reason(change: Change, *, chinese: bool) -> str:
    code = change.refusal or "NOT_ELIGIBLE"
    kind = PROBLEMS.get(code, PROBLEMS["NOT_ELIGIBLE"])
    return f"{kind.title}（{code}）" if chinese else f"{kind.detail} ({code})"


def _day(moment: datetime | None, *, chinese: bool) -> str:
    if moment is None:
        return "期限" if chinese else "the deadline"
    day = moment.astimezone(BEIJING)
    return f"{day.year}年{day.month}月{day.day}日" if chinese else day.date().isoformat()
