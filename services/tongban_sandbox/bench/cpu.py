"""CPU time of processes with all their children, from /proc. Linux only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class _Stat(NamedTuple):
    parent: int
    ticks: int


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds so far of each process, its living and its ended children included."""
    table = _table()
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    return {name: _sum(pid, table, children) / TICKS_PER_S for name, pid in pids.items()}


def _sum(pid: int, table: Mapping[int, _Stat], children: Mapping[int, list[int]]) -> int:
    stat = table.get(pid)
    if stat is None:
        return 0
    return stat.ticks + sum(_sum(child, table, children) for child in children.get(pid, ()))


def _table() -> dict[int, _Stat]:
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it has ended since
            found[int(folder.name)] = parse_stat(text)
    return found


def parse_stat(text: str) -> _Stat:
    """Parent, and ticks of the process with those of its ended children, from a line of /proc/PID/stat."""
    fields = text.rpartition(")")[2].split()
    return _Stat(int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))


def difference(before: Mapping[str, float], after: Mapping[str, float], wall_s: float) -> dict[str, float]:
    """Cores used by each: CPU seconds for a second on the wall."""
    return {name: round((after[name] - before[name]) / wall_s, 3) for name in after if name in before}
