"""What a measurement leaves behind: a JSON file with dotted keys, and a table for people."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

CPU_INFO = Path("/proc/cpuinfo")
CALIBRATION_S = 0.3
GOALS = {
    "kafka_postgres.cases_per_s": 3_150,
    "kafka_postgres.http_cases_per_s": 1_050,
    "gateway.ratio_to_nginx": 0.9,
}
TITLES = {
    "embedded.cases_per_s": "cases/s, all registries in one process on SQLite",
    "kafka_postgres.cases_per_s": "cases/s through the topics, Kafka + PostgreSQL",
    "kafka_postgres.mixed_cases_per_s": "cases/s through the topics, all case types as in 2023",
    "kafka_postgres.mixed_ratio": "all case types against migrations alone",
    "kafka_postgres.http_cases_per_s": "cases/s, each taken in over HTTP at its registry",
    "kafka_postgres.gateway_cases_per_s": "cases/s, each taken in through one gateway process",
    "ceilings.kafka_records_per_s": "records/s through aiokafka alone",
    "ceilings.sql_rows_per_s": "rows/s through batched SQL alone",
    "ratio.kafka": "share of the broker's ceiling that the run used",
    "ratio.sql": "share of the database's ceiling that the run used",
    "gateway.ratio_to_nginx": "gateway against nginx in front of the same upstream",
    "gateway.ratio_to_direct": "gateway against no gateway",
}


def machine() -> dict[str, Any]:
    """What the figures depend on; no name of the machine."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "verifies_per_s": verifies_per_s(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def verifies_per_s() -> int:
    """Ed25519 verifications a second on one core, now; a crowded machine shows fewer than a quiet one."""
    key = Ed25519PrivateKey.generate()
    public, data = key.public_key(), b"tongban"
    signature = key.sign(data)
    started_s, count = time.perf_counter(), 0
    while time.perf_counter() < started_s + CALIBRATION_S:
        public.verify(signature, data)
        count += 1
    return round(count / CALIBRATION_S)


def _cpu_model() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys; lists stay."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Nested, as machines like it; the key `figures` has the same once more with dotted keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {**results, "figures": flat({k: v for k, v in results.items() if k != "profile"})}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")


def show(console: Console, results: Mapping[str, Any]) -> None:
    """The table, and where the time goes."""
    figures = flat(results)
    table = Table(title="tongban bench", title_justify="left")
    for column in ("what", "measured", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for key, title in TITLES.items():
        if key in figures:
            table.add_row(title, _number(figures[key]), _number(GOALS.get(key)))
    for rate, values in results.get("kafka_postgres", {}).get("latency_ms", {}).items():
        shown = " / ".join(_number(values.get(q)) for q in ("p50", "p95", "p99"))
        table.add_row(f"ms from 202 to completed, p50 / p95 / p99, {rate} (n={values['n']})", shown, "")
    for kind, values in (
        results.get("kafka_postgres", {}).get("mixed", {}).get("closed_ms_by_type", {}).items()
    ):
        shown = " / ".join(_number(values.get(q)) for q in ("p50", "p99"))
        table.add_row(f"ms to the end at full load, p50 / p99, {kind} (n={values['n']})", shown, "")
    console.print(table)
    for name, split in results.get("cpu_share", {}).items():
        console.print(
            f"CPU, {name}: " + "  ".join(f"{who} {percent:.0f} %" for who, percent in split.items())
        )
    for name, profile in results.get("profile", {}).items():
        _show_profile(console, name, profile)


def _show_profile(console: Console, name: str, profile: Mapping[str, Any]) -> None:
    table = Table(title=f"where a registry process spends its CPU: {name}", title_justify="left")
    table.add_column("group")
    table.add_column("%", justify="right")
    for group, percent in profile["groups"].items():
        table.add_row(group, f"{percent:.1f}")
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"  # noqa: PLR2004 (three digits tell enough)
