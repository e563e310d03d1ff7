"""Messages of a temporary identity card (临时居民身份证). Source: services.md S4, codes TI1 to TI9.

A comparison score travels, never the portrait or a print (domain.md §4.6).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from pydantic import Field

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
from tongban_shared.ports import Family

Percent = Annotated[int, Field(ge=0, le=100), Meta(ge=0, le=100)]


class TemporaryRequested(Requesting):
    """TI1 · The window asks for the right to print one, while a case of an identity card is open."""

    name: ClassVar[str] = "temporary_id.requested"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI1"
    match_percent: Percent = Field(description="how well the face at the window fits the one on file")
    lost: bool = Field(default=False, description="the one before was lost; it ends with this one")


class Authorised(Granting):
    """TI2 · The home registry has signed the card: the window may print it, once, within the hour."""

    name: ClassVar[str] = "temporary_id.authorised"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI2"
    document: IssuedCard


class TemporaryReferral(Referring):
    """TI3 · The person has moved on; the province that holds them answers."""

    name: ClassVar[str] = "temporary_id.referral"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI3"


class TemporaryRefusal(RefusingSecond):
    """TI4 · Refused: code, contact, and the case that has one already, if that is why."""

    name: ClassVar[str] = "temporary_id.refusal"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI4"


class TemporaryWithdrawal(Withdrawing):
    """TI5 · The applicant withdrew before the answer came."""

    name: ClassVar[str] = "temporary_id.withdrawal"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI5"


class TemporaryCorrection(Correcting):
    """TI6 · The duty officer needs more, such as another portrait."""

    name: ClassVar[str] = "temporary_id.correction"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI6"


class Printed(Body):
    """TI7 · The print right was used: the card is in the applicant's hands."""

    name: ClassVar[str] = "temporary_id.printed"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI7"
    v: Literal[1] = 1


class Lapsed(Body):
    """TI8 · The print right was not used in its hour, or given up: the serial is void."""

    name: ClassVar[str] = "temporary_id.lapsed"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI8"
    v: Literal[1] = 1


class HandedBack(Body):
    """TI9 · The card was handed back before it expired."""

    name: ClassVar[str] = "temporary_id.returned"
    family: ClassVar[Family] = Family.IDENTITY
    basis: ClassVar[str] = "TI9"
    v: Literal[1] = 1


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
