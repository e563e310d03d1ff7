"""What people ask of their home registry from elsewhere, certificates and cards, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tongban_sandbox.plays import PLAYS
from tongban_shared.catalogue import load_catalogue

if TYPE_CHECKING:
    from tongban_sandbox.simulation.country import Country
    from tongban_shared.catalogue import Item
    from tongban_shared.ids import PersonKey, Province

MOVES, CERTIFICATES, CARDS, TEMPORARY, NEWBORNS, CHANGES = "01", "02", "03", "04", "05", "06"
COPIED, AT_HAND, ARCHIVE, STRANGER, UNLIKE, LOST = 0.3, 0.1, 0.1, 0.3, 0.2, 0.3
CARD, BIRTH, CHANGE, HURRY, BOTH = 0.4, 0.55, 0.7, 0.7, 0.5
# Born later: too young to come alone at the time at which all runs begin.
ALONE_AT_AGE, TODAY_YEAR = 16, 2026
DECIDED_BY_DESTINATION = frozenset({"REVIEWING", "CONFIRMING"})
ENTERED = frozenset({NEWBORNS, CHANGES})
DOCUMENTED = frozenset({CERTIFICATES, CARDS, TEMPORARY})
GRANTED = frozenset({"COMPLETED", "APPROVED", "AUTHORISED"})
# What an officer who wants more asks for; each item has it among its materials, or could have.
WANTED = {
    CERTIFICATES: ["BOOKLET"],
    CARDS: ["PHOTO", "BOOKLET"],
    TEMPORARY: ["PHOTO"],
    NEWBORNS: ["BOOKLET"],
    CHANGES: ["BOOKLET"],
}
ON_DESK = frozenset({"CHECKING", "CONSENTING", "ASKED"})
# A child is born in the month before all runs begin.
BORN = "2026-02-10"
# What a window reports next stands with how the sandbox plays the type.
PLAYED = {CARDS: PLAYS["id_card"], TEMPORARY: PLAYS["temporary_id"]}


def service_of(case_id: str) -> str:
    """The two digits of the service in a case's number."""
    return case_id[2:4]


def is_on_desk(case_id: str, side: str, state: str) -> bool:
    """Whether an officer of that side has the case: of a move the destination's, of a paper either's."""
    if service_of(case_id) != MOVES:
        return state in ON_DESK
    return side == "DESTINATION" and state in DECIDED_BY_DESTINATION


def is_owed(case_id: str, side: str, state: str) -> bool:
    """Whether the applicant owes what an officer of the home registry asked for."""
    return service_of(case_id) != MOVES and side == "DESTINATION" and state == "RETURNED"


def report_of(case_id: str, side: str, state: str) -> str | None:
    """What the window reports next, if it is its turn."""
    play = PLAYED.get(service_of(case_id)) if side == "DESTINATION" else None
    return None if play is None else play.reports.get(state)


def is_certified(case_id: str, state: str) -> bool:
    """Whether a paper was issued in this case, by the side that says so or by the other one."""
    return service_of(case_id) in DOCUMENTED and state in GRANTED


class PaperApplications:
    """What people want certified, or a card of."""

    def __init__(self, country: Country) -> None:
        self._country = country
        self._random = country.chance.source("papers")
        catalogue = load_catalogue()
        self._certificates = catalogue.items(scope="cross_province", case_type="certificate")
        self._cards = catalogue.items(case_type="id_card")
        self._temporary = catalogue.items(case_type="temporary_id")[0]
        self._newborn = catalogue.items(case_type="newborn")[0]
        self._change = catalogue.item("0620")
        self.born: set[str] = set()

    def application(
        self, person: PersonKey, window: Province, holder: Province
    ) -> tuple[dict[str, Any], Province]:
        """What is asked for, and where: at a window, perhaps of their own province."""
        drawn = self._random.random()
        grown = self._country.residents[person].born.year + ALONE_AT_AGE < TODAY_YEAR
        if grown and drawn > CHANGE:
            details = {"changes": {"marital_code": self._random.choice(("10", "20", "40"))}}
            return self._at_window(self._change, self._identity(person), holder, details), holder
        if grown and CARD < drawn < BIRTH:
            self.born.add(f"S{len(self.born):09d}")
            return self._birth(person, self._partner(person), max(self.born), window), window
        if grown and drawn < CARD:
            item = self._random.choice(self._cards)
            lost = item.variant == "REISSUE" and self._random.random() < LOST
            return self._at_window(item, self._identity(person), window, {"lost": lost}), window
        return self._certificate(person, window), window

    def _identity(self, person: PersonKey) -> dict[str, str]:
        return self._country.residents[person].identity

    def _partner(self, person: PersonKey) -> PersonKey:
        """Anybody grown of the other sex; they may live anywhere."""
        country = self._country
        return self._random.choice(
            [
                key
                for key, one in country.residents.items()
                if _is_man(one.identity) != _is_man(country.residents[person].identity)
                and one.born.year + ALONE_AT_AGE < TODAY_YEAR
            ]
        )

    def _birth(
        self, follows: PersonKey, other: PersonKey, certificate: str, window: Province
    ) -> dict[str, Any]:
        child = {"birth_certificate_no": certificate, "name": "示例新", "sex": "2", "birth_date": BORN}
        details = {
            "follows": "FATHER" if _is_man(self._identity(follows)) else "MOTHER",
            "married": self._random.random() > UNLIKE,
            "birthplace": window,
            "children": [child],
            "other_parent": self._identity(other),
        }
        return self._at_window(self._newborn, self._identity(follows), window, details)

    def from_both_parents(self, body: dict[str, Any], window: Province) -> dict[str, Any] | None:
        """The other parent applies for the same child, somewhere else, so that it follows them."""
        if not str(body["item"]).startswith(NEWBORNS) or self._random.random() > BOTH:
            return None
        told = body["details"]
        follows = "MOTHER" if told["follows"] == "FATHER" else "FATHER"
        details = told | {"follows": follows, "other_parent": body["applicant"]}
        return self._at_window(self._newborn, told["other_parent"], window, details)

    def is_in_a_hurry(self, body: dict[str, Any]) -> bool:
        """Whether somebody who applied for a card wants a temporary one, at two windows at once."""
        return str(body["item"]).startswith(CARDS) and self._random.random() < HURRY

    def temporary(self, applicant: dict[str, str], window: Province) -> dict[str, Any]:
        """Some faces do not look like the one on file; some had one and lost it."""
        match = 50 if self._random.random() < UNLIKE else 97
        details = {"match_percent": match, "lost": self._random.random() < LOST}
        return self._at_window(self._temporary, applicant, window, details)

    def _certificate(self, person: PersonKey, window: Province) -> dict[str, Any]:
        """Some with a relative, some at an archive elsewhere."""
        country, random = self._country, self._random
        item = random.choice(self._certificates)
        mates = [key for key in country.mates[person] if key != person]
        if not mates or random.random() < STRANGER:
            mates = [key for key in country.residents if key != person]
        details: dict[str, Any] = {"booklet_at_hand": random.random() < AT_HAND}
        if random.random() < ARCHIVE:
            details["archive_province"] = random.choice(list(country.sites))
        body = self._at_window(item, country.residents[person].identity, window, details)
        if item.admits_members:
            body["members"] = [country.residents[random.choice(mates)].identity]
        return body

    def _at_window(
        self, item: Item, applicant: dict[str, str], window: Province, details: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "item": item.code,
            "accepting_org": self._country.template.profiles[window].county_bureau,
            "applicant": applicant,
            "details": details,
            "materials": [
                {"kind": material.kind, "grade": "B" if self._random.random() < COPIED else "A"}
                for material in item.materials
            ],
            "purpose": "SCHOOL",
        }


def _is_man(identity: dict[str, str]) -> bool:
    return int(identity["id_number"][16]) % 2 == 1
