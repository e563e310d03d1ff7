"""Messages of a household migration (户口迁移). Source: protocol.md §3, codes P1 to MX."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tongban_shared.messages.envelope import Body, Contract
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.messages.types import (
    Count,
    DocumentNo,
    Epoch,
    Moment,
    OrgNumber,
    PersonDigest,
    ProvinceCode,
    ReasonCode,
    Sealed,
    Sha256,
    ShortText,
)
from tongban_shared.ports import Family

PersonStatus = Literal["OK", "UNKNOWN", "NAME_MISMATCH", "HOLD", "IN_TRANSFER", "MOVED", "CANCELLED"]


class MigrationBody(Body):
    """Common to all messages of a migration; safe to repeat per message id."""

    family: ClassVar[Family] = Family.MIGRATION
    v: Literal[1] = 1


class Precheck(MigrationBody):
    """P1 · Destination asks which facts and blocks stand on these persons; nothing is frozen."""

    name: ClassVar[str] = "migration.precheck"
    basis: ClassVar[str] = "P1"
    migration_type: ShortText
    restores: bool = Field(default=False, description="a cancelled registration may be restored (type 15)")
    persons: tuple[PersonAsked, ...]


class PersonFacts(Contract):
    """What the origin says of one person. `moved_to` with MOVED, `retry_at` with IN_TRANSFER."""

    person: PersonDigest
    status: PersonStatus
    epoch: Epoch = 0
    record_version: Count = 0
    head: bool = False
    moved_to: ProvinceCode | None = None
    retry_at: Moment | None = None


class Facts(MigrationBody):
    """P2 · Origin answers: record versions, household links, blocks; or unknown, or moved on."""

    name: ClassVar[str] = "migration.facts"
    basis: ClassVar[str] = "P2"
    persons: tuple[PersonFacts, ...]
    staying: Count = Field(default=0, description="members of the household who stay")
    minors_left_alone: bool = False
    contact: ShortText


class PermitPerson(Contract):
    """A person permitted to move in, and the record version the permit relied on."""

    person: PersonDigest
    record_version: Count


class Permit(MigrationBody):
    """M1 · The move-in permit (准迁证): the destination's county bureau approved. Valid 40 days."""

    name: ClassVar[str] = "migration.permit"
    basis: ClassVar[str] = "M1"
    permit_no: DocumentNo
    persons: tuple[PermitPerson, ...]
    issued_at: Moment
    valid_until: Moment
    approver: OrgNumber


class PersonEpoch(Contract):
    """A person at an ownership epoch."""

    person: PersonDigest
    epoch: Epoch


class Offer(MigrationBody):
    """M2 · Origin has frozen the persons at `epoch` and offers the record bundle, sealed for the receiver."""

    name: ClassVar[str] = "migration.offer"
    basis: ClassVar[str] = "M2"
    permit_no: DocumentNo
    persons: tuple[PersonEpoch, ...]
    digest: Sha256 = Field(description="SHA-256 of the bundle before sealing")
    sealed: Sealed


class Acceptance(MigrationBody):
    """M3 · Destination has stored the bundle and commits to hold the persons at `epoch`, for good."""

    name: ClassVar[str] = "migration.acceptance"
    basis: ClassVar[str] = "M3"
    digest: Sha256
    persons: tuple[PersonEpoch, ...]


class PersonReleased(Contract):
    """A person released from `epoch` to the next; `previous`: the certificate that made the origin holder."""

    person: PersonDigest
    epoch: Epoch
    previous: ShortText


class Certificate(MigrationBody):
    """M4 · The migration certificate (迁移证), the pivot: origin hands the registrations over."""

    name: ClassVar[str] = "migration.certificate"
    basis: ClassVar[str] = "M4"
    certificate_no: DocumentNo
    origin: ProvinceCode
    destination: ProvinceCode
    persons: tuple[PersonReleased, ...]
    digest: Sha256
    acceptance: Sealed = Field(
        description="the destination's signed acceptance, cut out with its path, base64"
    )
    released_at: Moment


class Settled(MigrationBody):
    """M5 · Destination holds the persons (落户) since `effective_at`; the origin's rows close then."""

    name: ClassVar[str] = "migration.settled"
    basis: ClassVar[str] = "M5"
    certificate_no: DocumentNo
    persons: tuple[PersonEpoch, ...]
    effective_at: Moment
    certificate: Sealed = Field(
        default="", description="to an origin that was put back: its own certificate, as it was sent, base64"
    )


class Refusal(MigrationBody):
    """MR · Origin refuses, before the certificate only: code, legal basis, contact."""

    name: ClassVar[str] = "migration.refusal"
    basis: ClassVar[str] = "MR"
    code: ReasonCode
    contact: ShortText
    retry_at: Moment | None = None


class Withdrawal(MigrationBody):
    """MW · The applicant withdrew, or the destination does not go on; before the acceptance only."""

    name: ClassVar[str] = "migration.withdrawal"
    basis: ClassVar[str] = "MW"
    reason: ReasonCode


class Cancel(MigrationBody):
    """MX · Origin ends the case before release: withdrawn, permit lapsed, death, court hold, unknown case."""

    name: ClassVar[str] = "migration.cancel"
    basis: ClassVar[str] = "MX"
    reason: ReasonCode


class Inquire(MigrationBody):
    """M-7 · Origin asks a silent destination, and encloses the certificate on which it can activate."""

    name: ClassVar[str] = "migration.inquire"
    basis: ClassVar[str] = "M-7"
    certificate: Sealed = Field(description="the certificate as sent, cut out with its path, base64")


class Recall(MigrationBody):
    """G1 · Destination was put back, and by ledger or certificate it holds these persons: send them again."""

    name: ClassVar[str] = "migration.recall"
    basis: ClassVar[str] = "G1"
    certificate_digest: Sha256 = Field(description="of the certificate that made the destination holder")


class Reissue(MigrationBody):
    """G1 · Origin sends a hand-over again that the ledger has entered, with the records, sealed anew.

    It makes nobody a holder by itself: the destination asks the ledger, whose entry it repeats.
    """

    name: ClassVar[str] = "migration.reissue"
    basis: ClassVar[str] = "G1"
    certificate_no: DocumentNo
    certificate_digest: Sha256 = Field(description="as the ledger has it")
    persons: tuple[PersonReleased, ...]
    digest: Sha256 = Field(description="SHA-256 of the bundle before sealing")
    sealed: Sealed


BODIES: tuple[type[Body], ...] = (
    Precheck,
    Facts,
    Permit,
    Offer,
    Acceptance,
    Certificate,
    Settled,
    Refusal,
    Withdrawal,
    Cancel,
    Inquire,
    Recall,
    Reissue,
)
