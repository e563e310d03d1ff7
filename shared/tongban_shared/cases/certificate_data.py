"""What a certificate case remembers beside the common record of home_data.py."""

from __future__ import annotations

from enum import StrEnum

from tongban_shared.cases.home_data import Asked


class Kind(StrEnum):
    """Kinds of certificate. Source: domain.md §3.2."""

    CHANGE_CORRECTION = "CHANGE_CORRECTION"
    CANCELLATION = "CANCELLATION"
    KINSHIP = "KINSHIP"
    REGISTRATION_STATUS = "REGISTRATION_STATUS"
    MIGRATION_HISTORY = "MIGRATION_HISTORY"
    ID_UNIQUENESS = "ID_UNIQUENESS"


class CertificateData(Asked, frozen=True):
    """certificate: its kind. booklet_at_hand: the applicant has a valid booklet."""

    certificate: str = ""
    booklet_at_hand: bool = False
