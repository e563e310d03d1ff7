"""Messages of an identity card (居民身份证). Source: services.md S5, GA/T 2000.6, codes IC1 to IC9."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import (
    Correcting,
    Granting,
    IssuedCard,
    OfIdentity,
    Referring,
    RefusingSecond,
    Requesting,
    Telling,
    Withdrawing,
)
from tongban_shared.messages.types import ReasonCode


class CardRequested(OfIdentity, Requesting):
    """IC1 · The accepting province has captured what a card needs, and asks its home registry to sign."""

    name: ClassVar[str] = "id_card.requested"
    basis: ClassVar[str] = "IC1"
    card: ReasonCode = Field(description="FIRST, REPLACE or REISSUE (首次申领, 换领, 补领)")
    lost: bool = Field(default=False, description="the old card is reported lost (挂失): it ends now")
    bilingual: bool = Field(default=False, description="in two scripts")


class Approved(OfIdentity, Granting):
    """IC2 · Reviewed and signed by the home county bureau (审核签发): the card may be made."""

    name: ClassVar[str] = "id_card.approved"
    basis: ClassVar[str] = "IC2"
    document: IssuedCard


class CardReferral(OfIdentity, Referring):
    """IC3 · The person has moved on; the province that holds them answers."""

    name: ClassVar[str] = "id_card.referral"
    basis: ClassVar[str] = "IC3"


class CardRefusal(OfIdentity, RefusingSecond):
    """IC4 · Refused within five days, with reason and contact; or another application is under way."""

    name: ClassVar[str] = "id_card.refusal"
    basis: ClassVar[str] = "IC4"


class CardWithdrawal(OfIdentity, Withdrawing):
    """IC5 · The applicant withdrew before the answer came."""

    name: ClassVar[str] = "id_card.withdrawal"
    basis: ClassVar[str] = "IC5"


class CardCorrection(OfIdentity, Correcting):
    """IC6 · The portrait is taken again, or a paper is missing (质量控制回馈); the clock stands still."""

    name: ClassVar[str] = "id_card.correction"
    basis: ClassVar[str] = "IC6"


class Unclaimed(OfIdentity, Telling):
    """IC8 · Nobody came for the card: it is destroyed, and recorded."""

    name: ClassVar[str] = "id_card.unclaimed"
    basis: ClassVar[str] = "IC8"


class HandedOver(OfIdentity, Telling):
    """IC9 · The card is in its owner's hands (领取发放); the old one and any temporary one end."""

    name: ClassVar[str] = "id_card.handed_over"
    basis: ClassVar[str] = "IC9"


BODIES: tuple[type[Body], ...] = (
    CardRequested,
    Approved,
    CardReferral,
    CardRefusal,
    CardWithdrawal,
    CardCorrection,
    Unclaimed,
    HandedOver,
)
