"""What the case of a temporary identity card remembers beside the common record of home_data.py."""

from __future__ import annotations

from enum import StrEnum

from tongban_shared.cases.home_data import Asked


class T(StrEnum):
    """The print right is given and not used yet."""

    AUTHORISED = "AUTHORISED"


class TemporaryData(Asked, frozen=True):
    """match_percent: how well the face at the window fits the one on file, 0 to 100, as the window measured it.

    lost: the applicant had one and has lost it. late: the home registry has not answered in time.
    """

    match_percent: int = 0
    lost: bool = False
    late: bool = False
