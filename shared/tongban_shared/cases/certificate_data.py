"""What a certificate case remembers between its steps: states, and one frozen record for both sides."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tongban_shared.cases.common import Frozen, MaterialIn, PersonRef


class C(StrEnum):
    """Internal states of both sides."""

    LOCATING = "LOCATING"
    CORRECTION = "CORRECTION"
    REQUESTED = "REQUESTED"
    CHECKING = "CHECKING"
    WITHDRAWING = "WITHDRAWING"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class Kind(StrEnum):
    """Kinds of certificate. Source: domain.md §3.2."""

    CHANGE_CORRECTION = "CHANGE_CORRECTION"
    CANCELLATION = "CANCELLATION"
    KINSHIP = "KINSHIP"
    REGISTRATION_STATUS = "REGISTRATION_STATUS"
    MIGRATION_HISTORY = "MIGRATION_HISTORY"
    ID_UNIQUENESS = "ID_UNIQUENESS"


class CertificateData(Frozen, frozen=True):
    """The case's own record. persons: the applicant first, then whoever the certificate names with them.

    missing: material kinds still owed. automatic: need not
    wait for an officer. trusted: nor do its materials, all of grade A.
    booklet_at_hand: the applicant has a valid booklet. hops: how often the persons were said
    to have moved on. licence_id, document, valid_until: of what was issued; times are aware UTC.
    """

    certificate: str
    use: str = ""
    channel: str = "window"
    accepting_org: str = ""
    persons: tuple[PersonRef, ...] = ()
    materials: tuple[MaterialIn, ...] = ()
    missing: tuple[str, ...] = ()
    automatic: bool = False
    trusted: bool = False
    booklet_at_hand: bool = False
    licence_id: str = ""
    document: str = ""
    valid_until: datetime | None = None
    reason: str = ""
    officer: str | None = None
    hops: int = 0
