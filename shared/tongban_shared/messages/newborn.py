"""Messages of a newborn's first registration (新生儿入户). Source: services.md S6, codes NB1 to NB9.

The child's name, birth date and sex travel sealed, the birth certificate (出生医学证明) as a keyed digest.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import (
    Correcting,
    Granting,
    IssuedCard,
    OfCertificates,
    Referring,
    RefusingSecond,
    Requesting,
    Withdrawing,
)
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.messages.types import (
    Moment,
    PersonDigest,
    ProvinceCode,
    ReasonCode,
    Sealed,
    Sha256,
    ShortText,
)


class BirthRequested(OfCertificates, Requesting):
    """NB1 · A window asks the registry of the parent whose household the child is to join. That parent comes
    first, the other one second.
    """

    name: ClassVar[str] = "newborn.requested"
    basis: ClassVar[str] = "NB1"
    follows: Literal["FATHER", "MOTHER"] = Field(description="which parent's household (随父, 随母)")
    married: bool
    proven: bool = Field(description="proof of kinship is handed in (亲子鉴定)")
    birthplace: ProvinceCode
    certificates: tuple[PersonDigest, ...] = Field(description="keys of the birth certificates, 1 to 4")
    absent: ReasonCode | None = Field(default=None, description="why no other parent is named")
    digest: Sha256 = Field(description="of the children's details before sealing")
    sealed: Sealed


class BirthRegistered(OfCertificates, Granting):
    """NB2 · The children are registered here, at epoch 0; the page of the household register is issued."""

    name: ClassVar[str] = "newborn.registered"
    basis: ClassVar[str] = "NB2"
    document: IssuedCard


class BirthReferral(OfCertificates, Referring):
    """NB3 · The parent has moved on; the province that holds them answers."""

    name: ClassVar[str] = "newborn.referral"
    basis: ClassVar[str] = "NB3"


class BirthRefusal(OfCertificates, RefusingSecond):
    """NB4 · Refused: code, contact; where another case has the birth certificate, which one and whose."""

    name: ClassVar[str] = "newborn.refusal"
    basis: ClassVar[str] = "NB4"
    held_by: ProvinceCode | None = None


class BirthWithdrawal(OfCertificates, Withdrawing):
    """NB5 · The applicant withdrew: the claim is given back."""

    name: ClassVar[str] = "newborn.withdrawal"
    basis: ClassVar[str] = "NB5"


class BirthCorrection(OfCertificates, Correcting):
    """NB6 · The home registry's officer needs more, such as proof of kinship."""

    name: ClassVar[str] = "newborn.correction"
    basis: ClassVar[str] = "NB6"


class ConsentAsked(OfCertificates, Body):
    """NB7 · The home registry asks the other parent's: is this person yours, and do they agree?"""

    name: ClassVar[str] = "newborn.consent_asked"
    basis: ClassVar[str] = "NB7"
    v: Literal[1] = 1
    follows: Literal["FATHER", "MOTHER"]
    married: bool
    persons: tuple[PersonAsked, ...]


class Consent(OfCertificates, Body):
    """NB8 · Its answer: they agree; they are elsewhere; or no, with a code and whom to call."""

    name: ClassVar[str] = "newborn.consent"
    basis: ClassVar[str] = "NB8"
    v: Literal[1] = 1
    answer: Literal["AGREES", "MOVED", "NO"]
    contact: ShortText
    code: ReasonCode | None = None
    moved_to: ProvinceCode | None = None
    retry_at: Moment | None = None


BODIES: tuple[type[Body], ...] = (
    BirthRequested,
    BirthRegistered,
    BirthReferral,
    BirthRefusal,
    BirthWithdrawal,
    BirthCorrection,
    ConsentAsked,
    Consent,
)
