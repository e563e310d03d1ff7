"""A reading of all registers as data, as plain lines and as a table."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tongban_sandbox.registers import Figures, Reading
    from tongban_sandbox.world import World

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
COLUMNS = ("province", "people", "open", "completed", "refused", "in transfer", "oldest waiting")


def as_json(reading: Reading, world: World) -> dict[str, Any]:
    """The reading for programs. oldest_waiting_s: age of the oldest open case, None if none is open."""
    now = world.clock.now()
    rows = []
    for code, figures in reading.provinces.items():
        row = {key: value for key, value in asdict(figures).items() if key != "oldest"}
        host = world.hosts[code]
        about = {"province": code, "name": host.profile.name}
        state = {"running": host.running, "failure": host.failure}
        rows.append({**about, **state, **row, "oldest_waiting_s": _age(figures, now)})
    return {
        "now": now.isoformat(timespec="seconds"),
        "homes": {**asdict(reading.homes), "good": reading.homes.good},
        "provinces": rows,
        "read_in_ms": round(reading.took_s * 1000, 1),
    }


def as_line(reading: Reading) -> str:
    """One line for logs: totals and the homes."""
    figures = reading.provinces.values()
    totals = {name: sum(getattr(row, name) for row in figures) for name in ("open", "completed", "refused")}
    return " ".join([f"{reading.homes};", *(f"{name} {count}" for name, count in totals.items())])


def as_table(reading: Reading, world: World, heading: str) -> Table:
    """The live table."""
    now = world.clock.now()
    style = "green" if reading.homes.good else "bold red"
    # Above the rows, so that a small terminal cuts off provinces and never this line.
    title = Text(f"{heading}\n").append(str(reading.homes), style=style)
    table = Table(title=title, box=SIMPLE_HEAD, expand=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "province" else "right", no_wrap=True)
    for code, figures in reading.provinces.items():
        host = world.hosts[code]
        mark = f" ({host.failure})" if host.failure else "" if host.running else " (down)"
        age_s = _age(figures, now)
        table.add_row(
            f"{code} {host.profile.name}{mark}",
            *(str(count) for count in _counts(figures)),
            "" if age_s is None else duration(age_s),
            style="red" if mark else "",
        )
    return table


def _counts(figures: Figures) -> tuple[int, ...]:
    return (figures.people, figures.open, figures.completed, figures.refused, figures.in_transfer)


def _age(figures: Figures, now: datetime) -> int | None:
    return None if figures.oldest is None else max(0, int((now - figures.oldest).total_seconds()))


def duration(seconds: int) -> str:
    """Two units at most, such as 3 h 07 min."""
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S:02d} s"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S:02d} min"
    return f"{seconds // DAY_S} d {seconds % DAY_S // HOUR_S:02d} h"
