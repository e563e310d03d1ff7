"""Messages of a change of the register (登记事项变更). Source: services.md S7, S9, codes CH1 to CH8.

They travel only where a joint window (两市一窗) serves a city of another province; inside one province there
is one registry. New values are personal: they travel sealed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from pydantic import Field, StringConstraints

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import (
    Correcting,
    Granting,
    IssuedCard,
    Referring,
    RefusingSecond,
    Requesting,
    Withdrawing,
)
from tongban_shared.messages.types import OrgNumber, ReasonCode, Sealed, Sha256
from tongban_shared.ports import Family

CityCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$"), Meta(pattern=r"^[0-9]{4}\Z")]


class ChangeRequested(Requesting):
    """CH1 · A joint window has taken an application in for an authority of another province."""

    name: ClassVar[str] = "register_change.requested"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH1"
    effect: ReasonCode = Field(description="what is to happen to the register, e.g. CHANGE_FIELDS")
    ending: ReasonCode | None = Field(default=None, description="with END how, with RESTORE after what")
    lost: bool = Field(default=False, description="the old booklet is reported lost: it is revoked")
    cities: tuple[CityCode, ...] = Field(description="cities that the window serves; others are refused")
    on_paper: bool = Field(description="paper has been sent; nothing is decided before it is there")
    digest: Sha256 = Field(description="SHA-256 of the new values before sealing")
    sealed: Sealed


class Registered(Granting):
    """CH2 · The home registry has made the entry; who answered, and a document if one was issued."""

    name: ClassVar[str] = "register_change.registered"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH2"
    answered_by: OrgNumber
    document: IssuedCard | None = None


class ChangeReferral(Referring):
    """CH3 · The person has moved on; the province that holds them answers, if the window serves it."""

    name: ClassVar[str] = "register_change.referral"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH3"


class ChangeRefusal(RefusingSecond):
    """CH4 · Refused, with reason and contact; or another change of the same person is under way."""

    name: ClassVar[str] = "register_change.refusal"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH4"


class ChangeWithdrawal(Withdrawing):
    """CH5 · The applicant withdrew before the entry was made."""

    name: ClassVar[str] = "register_change.withdrawal"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH5"


class ChangeCorrection(Correcting):
    """CH6 · The home station's officer needs more."""

    name: ClassVar[str] = "register_change.correction"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH6"


class PaperReceived(Body):
    """CH7 · The paper that the window sent is at the station that decides."""

    name: ClassVar[str] = "register_change.paper_received"
    family: ClassVar[Family] = Family.CERTIFICATE
    basis: ClassVar[str] = "CH7"
    v: Literal[1] = 1


BODIES: tuple[type[Body], ...] = (
    ChangeRequested,
    Registered,
    ChangeReferral,
    ChangeRefusal,
    ChangeWithdrawal,
    ChangeCorrection,
    PaperReceived,
)
