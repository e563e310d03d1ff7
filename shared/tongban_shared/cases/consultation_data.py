"""What a consultation (远程帮办) remembers. Its words are there while the session lasts, and no longer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tongban_shared.cases.common import Frozen, MaterialIn, PersonRef


class C(StrEnum):
    """States of both sides; ASKED is the window's alone, where another province answers."""

    ASKED = "ASKED"
    OPEN = "OPEN"
    APPOINTED = "APPOINTED"
    ANSWERED = "ANSWERED"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"


class Advice(StrEnum):
    """What an expert may say. Source: domain.md §3.11."""

    CAN_ACCEPT = "CAN_ACCEPT"
    NEED_MATERIAL = "NEED_MATERIAL"
    REFUSE = "REFUSE"
    ESCALATE = "ESCALATE"


class Screen(Frozen, frozen=True):
    """The masked screen: of the case that is asked about what names nobody. Kinds of material are codes."""

    item: str
    state: str
    handed_in: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class ConsultationData(Frozen, frozen=True):
    """about: the case that is asked about. appointment: close of office on the day agreed on, aware UTC.

    question, advice: words, dropped with `screen` at the end. outcome, reason, missing: what the expert said,
    as codes. officer, answering_org, answered_at: who said it, when. persons, materials, commitment: none; the expert
    needs nobody's name, and the record has the shape of every other case's.
    """

    about: str = ""
    accepting_org: str = ""
    answering_org: str = ""
    persons: tuple[PersonRef, ...] = ()
    materials: tuple[MaterialIn, ...] = ()
    missing: tuple[str, ...] = ()
    commitment: None = None
    screen: Screen | None = None
    question: str = ""
    advice: str = ""
    outcome: str = ""
    reason: str = ""
    officer: str | None = None
    answered_at: datetime | None = None
    appointment: datetime | None = None

    def __repr__(self) -> str:
        """Without anything that officers wrote."""
        return f"ConsultationData(about {self.about})"
