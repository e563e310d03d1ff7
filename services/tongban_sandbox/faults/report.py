"""The table that a campaign ends with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tongban_sandbox.faults.figures import seconds

if TYPE_CHECKING:
    from rich.console import Console

    from tongban_sandbox.faults.campaign import Row

TITLE = "faults: what is in flight, what became of it, and the time from a fault's end until all is well"
COLUMNS = (
    *("fault", "times", "in flight", "lost", "doubled", "wrong", "503", "no answer"),
    *("p50", "p99", "bound", "all ended", ""),
)


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print it. An empty cell: checked not for this fault alone, but together with the next one that is."""
    table = Table(title=TITLE, title_justify="left", expand=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "fault" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)


def _cells(row: Row) -> Sequence[str]:
    found = row.found
    checked = ("", "", "") if found is None else (str(found.lost), str(found.doubled), str(len(found.wrong)))
    flight = f"{sum(row.in_flight) / max(1, len(row.in_flight)):.0f}"
    bound = f"{row.bound_s:.0f} s"
    took = (seconds(row.took_s, 50), seconds(row.took_s, 99), bound)
    words = "ok" if row.good else "FAILED"
    return (
        *(row.fault.name, str(len(row.took_s)), flight, *checked),
        *(str(row.turned_away), str(row.unanswered), *took, _drained(row), words),
    )


def _drained(row: Row) -> str:
    return "" if row.found is None else f"{row.drained_s:.0f} s"
