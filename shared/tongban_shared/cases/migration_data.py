"""What a migration case remembers between its steps: states, and one frozen record per side."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tongban_shared.cases.common import Commitment, Frozen, MaterialIn, PersonRef


class S(StrEnum):
    """Internal states of both sides."""

    LOCATING = "LOCATING"
    CORRECTION = "CORRECTION"
    DEFERRED = "DEFERRED"
    CHECKING = "CHECKING"
    REVIEWING = "REVIEWING"
    PERMITTED = "PERMITTED"
    CONFIRMING = "CONFIRMING"
    PREPARED = "PREPARED"
    WITHDRAWING = "WITHDRAWING"
    OPEN = "OPEN"
    FROZEN = "FROZEN"
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"
    RESTORING = "RESTORING"
    VERIFYING = "VERIFYING"
    CONFIRMED = "CONFIRMED"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


class PersonState(Frozen, frozen=True):
    """What the sides agreed on for one person: epoch at the origin, record version relied on."""

    person: str
    epoch: int = 0
    record_version: int = 0
    previous: str = ""


class MigrationData(Frozen, frozen=True):
    """The case's own record. `missing` are material kinds still owed; times are aware UTC.

    deferred_until: what is missing may follow until then (容缺受理).

    household_no: the one to join; new_household_no: the one that they will be in, theirs alone or joined.
    certificate_digest, digests, epochs: of a hand-over learned from the ledger alone: its certificate, its
    persons as the ledger knows them, the epoch that each got. past: they have all left again since.
    hops: how often the persons were said to have moved on (domain.md §1.1).
    """

    migration_type: str
    automatic: bool = False
    restores: bool = False
    channel: str = "window"
    accepting_org: str = ""
    purpose: str = ""
    persons: tuple[PersonRef, ...] = ()
    destination_org: str = ""
    address: str = ""
    household_no: str | None = None
    new_household_no: str = ""
    materials: tuple[MaterialIn, ...] = ()
    missing: tuple[str, ...] = ()
    deferred_until: datetime | None = None
    commitment: Commitment | None = None
    agreed: tuple[PersonState, ...] = ()
    permit_no: str = ""
    permit_until: datetime | None = None
    digest: str = ""
    acceptance: str = ""
    certificate_no: str = ""
    released_at: datetime | None = None
    effective_at: datetime | None = None
    reason: str = ""
    officer: str | None = None
    offer_proof: str = ""
    certificate_digest: str = ""
    digests: tuple[str, ...] = ()
    epochs: tuple[int, ...] = ()
    past: bool = False
    hops: int = 0
