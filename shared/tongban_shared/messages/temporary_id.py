"""Messages of a temporary identity card (临时居民身份证). Source: services.md S4, codes TI1 to TI9.

A comparison score travels, never the portrait or a print (domain.md §4.6).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
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

Percent = Annotated[int, Field(ge=0, le=100), Meta(ge=0, le=100)]


class TemporaryRequested(OfIdentity, Requesting):
    """TI1 · The window asks for the right to print one, while a case of an identity card is open."""

    name: ClassVar[str] = "temporary_id.requested"
    basis: ClassVar[str] = "TI1"
    match_percent: Percent = Field(description="how well the face at the window fits the one on file")
    lost: bool = Field(default=False, description="the one before was lost; it ends with this one")


class Authorised(OfIdentity, Granting):
    """TI2 · The home registry has signed the card: the window may print it, once, within the hour."""

    name: ClassVar[str] = "temporary_id.authorised"
    basis: ClassVar[str] = "TI2"
    document: IssuedCard


class TemporaryReferral(OfIdentity, Referring):
    """TI3 · The person has moved on; the province that holds them answers."""

    name: ClassVar[str] = "temporary_id.referral"
    basis: ClassVar[str] = "TI3"


class TemporaryRefusal(OfIdentity, RefusingSecond):
    """TI4 · Refused: code, contact, and the case that has one already, if that is why."""

    name: ClassVar[str] = "temporary_id.refusal"
    basis: ClassVar[str] = "TI4"


class TemporaryWithdrawal(OfIdentity, Withdrawing):
    """TI5 · The applicant withdrew before the answer came."""

    name: ClassVar[str] = "temporary_id.withdrawal"
    basis: ClassVar[str] = "TI5"


class TemporaryCorrection(OfIdentity, Correcting):
    """TI6 · The duty officer needs more, such as another portrait."""

    name: ClassVar[str] = "temporary_id.correction"
    basis: ClassVar[str] = "TI6"


class Printed(OfIdentity, Telling):
    """TI7 · The print right was used: the card is in the applicant's hands."""

    name: ClassVar[str] = "temporary_id.printed"
    basis: ClassVar[str] = "TI7"


class Lapsed(OfIdentity, Telling):
    """TI8 · The print right was not used in its hour, or given up: the serial is void."""

    name: ClassVar[str] = "temporary_id.lapsed"
    basis: ClassVar[str] = "TI8"


class HandedBack(OfIdentity, Telling):
    """TI9 · The card was handed back before it expired."""

    name: ClassVar[str] = "temporary_id.returned"
    basis: ClassVar[str] = "TI9"


BODIES: tuple[type[Body], ...] = (
    TemporaryRequested,
    Authorised,
    TemporaryReferral,
    TemporaryRefusal,
    TemporaryWithdrawal,
    TemporaryCorrection,
    Printed,
    Lapsed,
    HandedBack,
)
