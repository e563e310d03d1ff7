"""Messages of every case that the home registry answers; each case type has them under its own name."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tongban_shared.messages.envelope import ABSENT, Body, Contract, without_default
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.messages.types import (
    CaseNumber,
    Moment,
    ProvinceCode,
    ReasonCode,
    Sealed,
    Sha256,
    ShortText,
)
from tongban_shared.ports import Family


class OfCertificates:
    """Travels with certificates."""

    family: ClassVar[Family] = Family.CERTIFICATE


class OfIdentity:
    """Travels ahead of everything else: somebody waits for a card."""

    family: ClassVar[Family] = Family.IDENTITY


class Telling(Body):
    """Says nothing but its name."""

    v: Literal[1] = 1


class Requesting(Body):
    """1 · The accepting province asks the home registry. The applicant comes first."""

    v: Literal[1] = 1
    use: ReasonCode = Field(description="what it is for, as the applicant chose")
    trusted: bool = Field(description="all materials are issued by an authority (grade A)")
    persons: tuple[PersonAsked, ...]


class IssuedDocument(Contract):
    """A signed document, kept by its issuer under its e-licence identifier."""

    licence_id: ShortText
    kind: ReasonCode
    valid_until: Moment


class IssuedCard(Contract):
    """The same of a card, which may be valid without end (长期)."""

    licence_id: ShortText
    kind: ReasonCode
    valid_until: Moment | None = None


class EnclosedDocument(Contract):
    """EN1 · The signed document, sealed for the accepting province: it can print while the issuer is away."""

    digest: Sha256 = Field(description="SHA-256 of the document's canonical bytes before sealing")
    sealed: Sealed


class Granting(Body):
    """2 · The home registry says yes: what it issued, and under which e-licence identifier it is fetched."""

    added: ClassVar[frozenset[str]] = frozenset({"enclosed"})
    v: Literal[1] = 1
    persons: tuple[PersonAsked, ...]
    enclosed: EnclosedDocument = Field(
        default=ABSENT,
        description="left out by a registry of before, and of what holds no more",
        json_schema_extra=without_default,
    )


class Referring(Body):
    """3 · The persons have moved on; the province that holds them answers."""

    v: Literal[1] = 1
    moved_to: ProvinceCode


class Refusing(Body):
    """4 · The home registry refuses, or has ended the case: code, contact, when to retry."""

    v: Literal[1] = 1
    persons: tuple[PersonAsked, ...]
    code: ReasonCode
    contact: ShortText
    retry_at: Moment | None = None


class RefusingSecond(Refusing):
    """4 · The same; other_case: the person has this one already."""

    other_case: CaseNumber | None = None


class Withdrawing(Telling):
    """5 · The applicant withdrew, or let the time for a correction pass, before it was granted."""


class Correcting(Body):
    """6 · The home registry's officer needs more: all of it, in one notice (补正)."""

    v: Literal[1] = 1
    materials: tuple[ReasonCode, ...]
    contact: ShortText
