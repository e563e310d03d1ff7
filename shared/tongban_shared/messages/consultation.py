"""Messages of a consultation (远程帮办). Source: services.md S9, codes CO1 to CO5.

They travel ahead of everything else: somebody stands at the window. What officers write to each other may be
personal and travels sealed; of the case itself the expert is shown what names nobody.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from pydantic import Field, StringConstraints

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import OfIdentity
from tongban_shared.messages.types import (
    CaseNumber,
    Moment,
    OrgNumber,
    ReasonCode,
    Sealed,
    Sha256,
    ShortText,
)

ItemNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$"), Meta(pattern=r"^[0-9]{4}\Z")]


class _About(OfIdentity, Body):
    """A session's message. about: the case that is asked about; it is neither changed nor held up."""

    v: Literal[1] = 1
    about: CaseNumber


class ConsultationAsked(_About):
    """CO1 · A window asks an expert of the home registry, and with an appointment (预约) when nobody came."""

    name: ClassVar[str] = "consultation.asked"
    basis: ClassVar[str] = "CO1"
    item: ItemNumber | None = Field(description="none where the window's own case has forgotten it")
    state: ReasonCode = Field(description="public state of the case")
    handed_in: tuple[ReasonCode, ...] = Field(description="kinds of material that the window has")
    missing: tuple[ReasonCode, ...] = Field(description="kinds of material that are still owed")
    asked_by: OrgNumber = Field(description="the window")
    appointment: Moment | None = Field(default=None, description="close of office on the day agreed on")
    digest: Sha256 = Field(description="SHA-256 of the question before sealing")
    sealed: Sealed


class ConsultationAnswered(_About):
    """CO2 · The expert's advice: an outcome, what else is needed, and words, which are sealed."""

    name: ClassVar[str] = "consultation.answered"
    basis: ClassVar[str] = "CO2"
    outcome: ReasonCode = Field(description="CAN_ACCEPT, NEED_MATERIAL, REFUSE or ESCALATE")
    reason: ReasonCode | None = Field(default=None, description="with REFUSE: the refusal to expect")
    materials: tuple[ReasonCode, ...] = Field(description="with NEED_MATERIAL: kinds of material")
    answered_by: OrgNumber
    officer: ShortText = Field(description="the expert's reference")
    answered_at: Moment = Field(description="the expert's clock; shown to people, never compared")
    digest: Sha256 = Field(description="SHA-256 of the advice before sealing")
    sealed: Sealed


class ConsultationClosed(_About):
    """CO3 · The window has read the advice: both sides drop its words, and keep who, when and the outcome."""

    name: ClassVar[str] = "consultation.closed"
    basis: ClassVar[str] = "CO3"
    outcome: ReasonCode
    answered_by: OrgNumber
    officer: ShortText
    answered_at: Moment


class ConsultationWithdrawal(_About):
    """CO4 · The window does not ask any more; advice that crossed this was not read."""

    name: ClassVar[str] = "consultation.withdrawal"
    basis: ClassVar[str] = "CO4"


class ConsultationEnded(_About):
    """CO5 · To a window that asks once more after its own withdrawal: nothing is open here, ask anew."""

    name: ClassVar[str] = "consultation.ended"
    basis: ClassVar[str] = "CO5"


BODIES: tuple[type[Body], ...] = (
    ConsultationAsked,
    ConsultationAnswered,
    ConsultationClosed,
    ConsultationWithdrawal,
    ConsultationEnded,
)
