"""What every case that the home registry answers remembers: states of both sides, and the common record."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tongban_shared.cases.common import Commitment, Frozen, MaterialIn, PersonRef


class H(StrEnum):
    """States that all such case types have; each may add its own between the answer and the end."""

    LOCATING = "LOCATING"
    CORRECTION = "CORRECTION"
    DEFERRED = "DEFERRED"
    REQUESTED = "REQUESTED"
    CHECKING = "CHECKING"
    RETURNED = "RETURNED"
    WITHDRAWING = "WITHDRAWING"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


class Asked(Frozen, frozen=True):
    """The record's common part. persons: the applicant first, then whoever is named with them.

    missing: material kinds still owed; deferred_until: they may follow until then (容缺受理). commitment: the
    applicant's word for proofs. automatic: need not wait for an officer. trusted: nor do its materials, all of
    grade A. hops: how often the persons were said to have moved on. licence_id, document, valid_until: of what was
    issued; times are aware UTC, valid_until None is without end. other_case: the one that has the person already.
    level: how far up a task has been passed that nobody took. answering_org: the station whose officer decides,
    where this registry answers. left: the provinces that sent the question on.
    """

    use: str = ""
    channel: str = "window"
    accepting_org: str = ""
    answering_org: str = ""
    persons: tuple[PersonRef, ...] = ()
    materials: tuple[MaterialIn, ...] = ()
    missing: tuple[str, ...] = ()
    deferred_until: datetime | None = None
    commitment: Commitment | None = None
    automatic: bool = False
    trusted: bool = False
    licence_id: str = ""
    document: str = ""
    valid_until: datetime | None = None
    reason: str = ""
    officer: str | None = None
    hops: int = 0
    other_case: str = ""
    level: int = 0
    left: tuple[str, ...] = ()
