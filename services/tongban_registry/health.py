"""What one registry says of itself: may it take work, which schema and which messages does it speak.

Broker and ledger are needed once, to start. Later they are advice: while one is away, work is accepted and
waits (guards.md A1, A4); a registry taken out of service for it would take its province with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tongban_shared.ids import PersonKey
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.web.health import Health

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tongban_shared.ports import Ledger
    from tongban_shared.web.health import Check

VERSION = "0.1.0"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"
NOBODY = PersonKey("0" * 32)


class Vitals:
    """Collects the checks of one registry."""

    def __init__(self, needed: dict[str, Check]) -> None:
        self._needed = needed
        self._advice: dict[str, Check] = {}

    def needed_once(self, name: str, check: Check) -> None:
        """Readiness waits for this part; from then on it is shown only."""

        async def until_seen() -> str | None:
            reason = await check()
            if reason is None and self._needed.pop(name, None) is not None:
                self._advice[name] = check
            return reason

        self._needed[name] = until_seen

    def health(self, meters: CollectorRegistry) -> Health:
        """All of it, with the versions of /version."""
        return Health(
            "registry", VERSION, self._needed, details=versions(), registry=meters, advisory=self._advice
        )


async def first_reason(health: Health) -> str | None:
    """None when all is well enough to take work, else the first reason why not."""
    ready, reasons = await health.readiness()
    if ready:
        return None
    return next((f"{name}: {why}" for name, why in reasons.items() if why is not None), "not ready")


def ledger_check(ledger: Ledger) -> Check:
    """Ask the custody ledger for nobody: one small call, which is answered from its index."""

    async def check() -> str | None:
        await ledger.locate((NOBODY,))
        return None

    return check


def versions() -> dict[str, str]:
    """The newest schema this program brings, and every message contract that it takes and sends."""
    scripts = (MIGRATIONS / "versions").glob("[0-9]*.py")
    spoken = [f"{c.name}/{get_args(c.model_fields['v'].annotation)[0]}" for c in CONTRACTS]
    return {
        "schema": max((path.stem.partition("_")[0] for path in scripts), default="none"),
        "messages": ", ".join(sorted(spoken)),
    }
