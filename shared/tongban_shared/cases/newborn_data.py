"""What the case of a newborn (新生儿) remembers beside the common record of home_data.py, and what the ledger says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from tongban_shared.cases.common import Frozen
from tongban_shared.cases.home_data import Asked


class N(StrEnum):
    """From the claim of the birth certificate to the child's row, and the other parent's registry.

    ASKED, ANSWERED: there. CONSENTING: the same, where the window's own province is the other parent's.
    """

    CLAIMING = "CLAIMING"
    CONSENT_WAIT = "CONSENT_WAIT"
    NUMBERING = "NUMBERING"
    ENTERING = "ENTERING"
    GIVING_BACK = "GIVING_BACK"
    ASKED = "ASKED"
    ANSWERED = "ANSWERED"
    CONSENTING = "CONSENTING"


class Child(Frozen, frozen=True):
    """One child. sex: GB/T 2261.1. id_number, key, check are empty until a number is chosen; personal."""

    name: str
    sex: str
    born: date
    id_number: str = ""
    key: str = ""
    check: str = ""

    def __repr__(self) -> str:
        """Without anything personal."""
        return "Child()"


class NewbornData(Asked, frozen=True):
    """follows: FATHER or MOTHER, the applicant. certificates, children: in the same order. proven: kinship is.

    absent: why no other parent is named. asked: the province asked for consent; asked_by: who asks this one;
    reply, moved_to: what it is told. held_by: who has the certificate, if that is another case. claim_case: the
    case under whose number the claim stands, if this database has lost that one. digests: the ledger's names of
    the children, from when they are to be entered. unsure: this registry may have forgotten how the case went.
    """

    follows: str = ""
    married: bool = False
    proven: bool = False
    birthplace: str = ""
    certificates: tuple[str, ...] = ()
    absent: str | None = None
    children: tuple[Child, ...] = ()
    asked: str = ""
    asked_by: str = ""
    reply: str = ""
    moved_to: str | None = None
    held_by: str = ""
    claim_case: str = ""
    digests: tuple[str, ...] = ()
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class ClaimSaid:
    """Who has the certificates, by the ledger. entered: with children. parent_at: the other parent's holder."""

    mine: bool
    held_by: str
    case_id: str
    entered: bool = False
    parent_at: str | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """Numbers chosen, or those that the children have already. said: as of a claim; no children: none fit."""

    said: ClaimSaid
    children: tuple[Child, ...] = field(default=(), repr=False)
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnteredSaid:
    """The ledger's verdict on the children, and whom of them it has here at epoch 0."""

    verdict: str
    here: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Released:
    """The claim is given back; or it stays, for children have been entered under it."""

    entered: bool = False
