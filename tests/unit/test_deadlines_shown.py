"""What a case shows of its deadlines: the catalogue's days, counted in the handling province's calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tongban_registry.views import case_view
from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.migration import MIGRATION
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.ids import CaseId, Province
from tongban_shared.national_days import LAST_YEAR
from tongban_shared.provinces import load_provinces

HANDLING = load_provinces()[Province("44")]


def shown(opened_at: datetime, item: str = "0105") -> dict[str, Any]:
    """The deadlines of a migration received then."""
    case = Case(
        id=CaseId("440120260102000000010"),
        kind=MIGRATION.name,
        side=Side.DESTINATION,
        state="CHECKING",
        version=1,
        item=item,
        origin="62",
        destination="44",
        persons=(),
        data=MigrationData(migration_type="WORK"),
        opened_at=opened_at,
        waits=Waits.NOBODY,
    )
    deadlines: dict[str, Any] = case_view(case, (), HANDLING, opened_at)["deadlines"]
    return deadlines


def test_a_deadline_within_the_announced_years_is_firm() -> None:
    """Received before Spring Festival 2026: five working days are fourteen days of the calendar."""
    assert shown(datetime(2026, 2, 13, 2, tzinfo=UTC)) == {
        "promised_at": "2026-02-27T17:30:00+08:00",
        "statutory_at": "2026-04-10T17:30:00+08:00",
        "technical_at": None,
        "provisional": False,
        "light": "green",
        "escalation": None,
    }


def test_a_deadline_beyond_them_is_provisional() -> None:
    """One that the coming notice may move makes both provisional: people read them together."""
    assert shown(datetime(LAST_YEAR, 12, 1, 2, tzinfo=UTC))["provisional"] is True


def test_nothing_promised_is_nothing_provisional() -> None:
    """The origin's mirror of a case has no item, so no deadline of its own."""
    nothing = dict.fromkeys(("promised_at", "statutory_at", "technical_at", "light", "escalation"))
    assert shown(datetime(2026, 2, 13, tzinfo=UTC), item="") == {**nothing, "provisional": False}
