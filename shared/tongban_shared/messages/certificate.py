"""Messages of a household certificate (户籍类证明). Source: services.md S3, codes CT1 to CT5."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tongban_shared.messages.envelope import Body, Contract
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.messages.types import (
    Moment,
    ProvinceCode,
    ReasonCode,
    ShortText,
)
from tongban_shared.ports import Family


class CertificateBody(Body):
    """Common to all messages of a certificate; safe to repeat per message id."""

    family: ClassVar[Family] = Family.CERTIFICATE
    v: Literal[1] = 1


class Requested(CertificateBody):
    """CT1 · The accepting province asks the home registry for a certificate. The applicant comes first."""

    name: ClassVar[str] = "certificate.requested"
    basis: ClassVar[str] = "CT1"
    certificate: ReasonCode = Field(description="kind of certificate, e.g. KINSHIP")
    use: ReasonCode = Field(description="what it is for, as the applicant chose")
    trusted: bool = Field(description="all materials are issued by an authority (grade A)")
    booklet_at_hand: bool = Field(default=False, description="the applicant has a valid booklet")
    persons: tuple[PersonAsked, ...]


class IssuedDocument(Contract):
    """A signed document, kept by its issuer under its e-licence identifier."""

    licence_id: ShortText
    kind: ReasonCode
    valid_until: Moment


class Issued(CertificateBody):
    """CT2 · The home registry has issued: what, and under which e-licence identifier it is fetched."""

    name: ClassVar[str] = "certificate.issued"
    basis: ClassVar[str] = "CT2"
    persons: tuple[PersonAsked, ...]
    document: IssuedDocument


class Referral(CertificateBody):
    """CT3 · The persons have moved on; the province that holds them answers."""

    name: ClassVar[str] = "certificate.referral"
    basis: ClassVar[str] = "CT3"
    moved_to: ProvinceCode


class CertificateRefusal(CertificateBody):
    """CT4 · The home registry refuses, or has ended the case: code, contact, when to retry."""

    name: ClassVar[str] = "certificate.refusal"
    basis: ClassVar[str] = "CT4"
    persons: tuple[PersonAsked, ...]
    code: ReasonCode
    contact: ShortText
    retry_at: Moment | None = None


class CertificateWithdrawal(CertificateBody):
    """CT5 · The applicant withdrew before it was issued."""

    name: ClassVar[str] = "certificate.withdrawal"
    basis: ClassVar[str] = "CT5"


BODIES: tuple[type[Body], ...] = (Requested, Issued, Referral, CertificateRefusal, CertificateWithdrawal)
