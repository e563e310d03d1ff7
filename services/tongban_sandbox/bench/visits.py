"""Applications at a window far from home, complete and of grade A: a measurement's certificates and cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from tongban_sandbox.volumes import draw_certificate
from tongban_shared.catalogue import load_catalogue

if TYPE_CHECKING:
    from tongban_shared.catalogue import Item
    from tongban_shared.provinces import ProvinceProfile

CERTIFICATE = "certificate"
# With nobody in the household there is no kinship to certify.
ALONE_KIND = "REGISTRATION_STATUS"
FIRST = "FIRST"
PURPOSE = "BENCH"
FACE_FITS = 97


@dataclass(frozen=True, slots=True)
class Visit:
    """Who comes, as the public interface takes persons, with whom of the household, to which province."""

    applicant: Mapping[str, str]
    mates: Sequence[Mapping[str, str]]
    profile: ProvinceProfile

    def __repr__(self) -> str:
        """Without names and numbers."""
        return f"Visit({self.profile.code})"


def certificate_of(visit: Visit, random: Random) -> dict[str, Any]:
    """POST /v1/cases of a certificate of any kind."""
    item = _items(CERTIFICATE)[draw_certificate(random)]
    if item.admits_members and not visit.mates:
        item = _items(CERTIFICATE)[ALONE_KIND]
    return _body(visit, item)


def card_of(visit: Visit) -> dict[str, Any]:
    """POST /v1/cases of a first identity card."""
    return _body(visit, _items("id_card")[FIRST])


def temporary_of(visit: Visit) -> dict[str, Any]:
    """POST /v1/cases of a temporary card, whose face fits."""
    return _body(visit, _items("temporary_id")[None]) | {"details": {"match_percent": FACE_FITS}}


@cache
def _items(case_type: str) -> Mapping[str | None, Item]:
    """The items of a case type that any province accepts, by variant."""
    return {item.variant: item for item in load_catalogue().items("cross_province", case_type)}


def _body(visit: Visit, item: Item) -> dict[str, Any]:
    return {
        "item": item.code,
        "channel": "window",
        "accepting_org": visit.profile.county_bureau,
        "applicant": visit.applicant,
        "members": list(visit.mates) if item.admits_members else [],
        "materials": [{"kind": material.kind, "grade": "A"} for material in item.materials],
        "purpose": PURPOSE,
    }
