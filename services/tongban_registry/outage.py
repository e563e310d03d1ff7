"""What is away is said once when it goes and once when it is back; a line a second would hide all others."""

from __future__ import annotations

import structlog

log = structlog.get_logger()


class Outage:
    """One thing that a registry needs, and whether it is away just now."""

    def __init__(self, what: str, province: str) -> None:
        self._what = what
        self._province = province
        self._away = False

    def began(self, error: Exception) -> None:
        """It did not answer. The kind of the error alone: its text could hold what was sent."""
        if not self._away:
            kind = type(error).__name__
            log.warning("not reached, trying on", reason=self._what, province=self._province, error_type=kind)
        self._away = True

    def ended(self) -> None:
        """It answered."""
        if self._away:
            log.info("reached again", reason=self._what, province=self._province)
        self._away = False
