"""Messages of a change of the register (登记事项变更). Source: services.md S7, S9, codes CH1 to CH8.

They travel only where a joint window (两市一窗) serves a city of another province; inside one province there
is one registry. New values are personal: they travel sealed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from pydantic import Field, StringConstraints

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import (
    Correcting,
    Granting,
    IssuedCard,
    OfCertificates,
    Referring,
    RefusingSecond,
    Requesting,
    Telling,
    Withdrawing,
)
from tongban_shared.messages.types import OrgNumber, ReasonCode, Sealed, Sha256

CityCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$"), Meta(pattern=r"^[0-9]{4}\Z")]


class ChangeRequested(OfCertificates, Requesting):
    """CH1 · A joint window has taken an application in for an authority of another province."""

    name: ClassVar[str] = "register_change.requested"
    basis: ClassVar[str] = "CH1"
    effect: ReasonCode = Field(description="what is to happen to the register, e.g. CHANGE_FIELDS")
    ending: ReasonCode | None = Field(default=None, description="with END how, with RESTORE after what")
    lost: bool = Field(default=False, description="the old booklet is reported lost: it is revoked")
    cities: tuple[CityCode, ...] = Field(description="cities that the window serves; others are refused")
    on_paper: bool = Field(description="paper has been sent; nothing is decided before it is there")
    digest: Sha256 = Field(description="SHA-256 of the new values before sealing")
    sealed: Sealed


class Registered(OfCertificates, Granting):
    """CH2 · The home registry has made the entry; who answered, and a document if one was issued."""

    name: ClassVar[str] = "register_change.registered"
    basis: ClassVar[str] = "CH2"
    answered_by: OrgNumber
    document: IssuedCard | None = None


class ChangeReferral(OfCertificates, Referring):
    """CH3 · The person has moved on; the province that holds them answers, if the window serves it."""

    name: ClassVar[str] = "register_change.referral"
    basis: ClassVar[str] = "CH3"


class ChangeRefusal(OfCertificates, RefusingSecond):
    """CH4 · Refused, with reason and contact; or another change of the same person is under way."""

    name: ClassVar[str] = "register_change.refusal"
    basis: ClassVar[str] = "CH4"


class ChangeWithdrawal(OfCertificates, Withdrawing):
    """CH5 · The applicant withdrew before the entry was made."""

    name: ClassVar[str] = "register_change.withdrawal"
    basis: ClassVar[str] = "CH5"


class ChangeCorrection(OfCertificates, Correcting):
    """CH6 · The home station's officer needs more."""

    name: ClassVar[str] = "register_change.correction"
    basis: ClassVar[str] = "CH6"


class PaperReceived(OfCertificates, Telling):
    """CH7 · The paper that the window sent is at the station that decides."""

    name: ClassVar[str] = "register_change.paper_received"
    basis: ClassVar[str] = "CH7"


BODIES: tuple[type[Body], ...] = (
    ChangeRequested,
    Registered,
    ChangeReferral,
    ChangeRefusal,
    ChangeWithdrawal,
    ChangeCorrection,
    PaperReceived,
)
