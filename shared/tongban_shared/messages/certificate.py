"""Messages of a household certificate (户籍类证明). Source: services.md S3, codes CT1 to CT6."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tongban_shared.messages.envelope import Body
from tongban_shared.messages.home import (
    Correcting,
    Granting,
    IssuedDocument,
    OfCertificates,
    Referring,
    Refusing,
    Requesting,
    Withdrawing,
)
from tongban_shared.messages.types import ReasonCode


class Requested(OfCertificates, Requesting):
    """CT1 · The accepting province asks the home registry for a certificate. The applicant comes first."""

    name: ClassVar[str] = "certificate.requested"
    basis: ClassVar[str] = "CT1"
    certificate: ReasonCode = Field(description="kind of certificate, e.g. KINSHIP")
    booklet_at_hand: bool = Field(default=False, description="the applicant has a valid booklet")


class Issued(OfCertificates, Granting):
    """CT2 · The home registry has issued: what, and under which e-licence identifier it is fetched."""

    name: ClassVar[str] = "certificate.issued"
    basis: ClassVar[str] = "CT2"
    document: IssuedDocument


class Referral(OfCertificates, Referring):
    """CT3 · The persons have moved on; the province that holds them answers."""

    name: ClassVar[str] = "certificate.referral"
    basis: ClassVar[str] = "CT3"


class CertificateRefusal(OfCertificates, Refusing):
    """CT4 · The home registry refuses, or has ended the case: code, contact, when to retry."""

    name: ClassVar[str] = "certificate.refusal"
    basis: ClassVar[str] = "CT4"


class CertificateWithdrawal(OfCertificates, Withdrawing):
    """CT5 · The applicant withdrew before it was issued."""

    name: ClassVar[str] = "certificate.withdrawal"
    basis: ClassVar[str] = "CT5"


class CertificateCorrection(OfCertificates, Correcting):
    """CT6 · The home registry's officer needs more before the archive tells."""

    name: ClassVar[str] = "certificate.correction"
    basis: ClassVar[str] = "CT6"


BODIES: tuple[type[Body], ...] = (
    Requested,
    Issued,
    Referral,
    CertificateRefusal,
    CertificateWithdrawal,
    CertificateCorrection,
)
