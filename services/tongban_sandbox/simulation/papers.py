"""Applications for certificates, and which cases wait on an officer's desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tongban_shared.catalogue import load_catalogue

if TYPE_CHECKING:
    from tongban_sandbox.simulation.country import Country
    from tongban_shared.ids import PersonKey, Province

CERTIFICATES = "02"
COPIED, AT_HAND, ARCHIVE, STRANGER = 0.3, 0.1, 0.1, 0.3
DECIDED_BY_DESTINATION = frozenset({"REVIEWING", "CONFIRMING"})


def is_on_desk(case_id: str, side: str, state: str) -> bool:
    """Whether an officer of that side has the case: of a move the destination's, of a paper either's."""
    if case_id[2:4] == CERTIFICATES:
        return state == "CHECKING"
    return side == "DESTINATION" and state in DECIDED_BY_DESTINATION


def is_certified(case_id: str, state: str) -> bool:
    """Whether a certificate was issued in this case, by the side that says so or by the other one."""
    return case_id[2:4] == CERTIFICATES and state == "COMPLETED"


class PaperApplications:
    """What people want certified."""

    def __init__(self, country: Country) -> None:
        self._country = country
        self._random = country.chance.source("papers")
        self._items = load_catalogue().items(scope="cross_province", case_type="certificate")

    def application(self, person: PersonKey, window: Province) -> dict[str, Any]:
        """At a window, perhaps of their own province: some with a relative, some at an archive elsewhere."""
        country, random = self._country, self._random
        item = random.choice(self._items)
        mates = [key for key in country.mates[person] if key != person]
        if not mates or random.random() < STRANGER:
            mates = [key for key in country.residents if key != person]
        details: dict[str, Any] = {"booklet_at_hand": random.random() < AT_HAND}
        if random.random() < ARCHIVE:
            details["archive_province"] = random.choice(list(country.sites))
        named = [country.residents[random.choice(mates)].identity] if item.admits_members else []
        return {
            "item": item.code,
            "accepting_org": country.template.profiles[window].county_bureau,
            "applicant": country.residents[person].identity,
            "members": named,
            "details": details,
            "materials": [
                {"kind": material.kind, "grade": "B" if random.random() < COPIED else "A"}
                for material in item.materials
            ],
            "purpose": "SCHOOL",
        }
