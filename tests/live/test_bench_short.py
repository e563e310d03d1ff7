"""`tongban bench` measures real parts, checks what it did, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tongban_sandbox.bench.command import bench
from tongban_sandbox.plays import PLAYS

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


def test_a_short_run_on_real_parts(tmp_path: Path) -> None:
    """Every case ends at both ends with its receipts in, and the file has the figures."""
    app = typer.Typer()
    app.command()(bench)
    output = tmp_path / "bench.json"
    few = ["--quick", "--provinces", "3", "--cases", "90", "--only", "kafka_postgres", "--only", "ceilings"]
    result = CliRunner().invoke(app, [*few, "--output", str(output)])
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["check"]["kafka_postgres"]["faults"] == []
    assert found["figures"]["kafka_postgres.cases_per_s"] > 0
    assert found["figures"]["kafka_postgres.mixed_cases_per_s"] > 0
    assert found["figures"]["kafka_postgres.mixed_ratio"] > 0
    by_type = found["kafka_postgres"]["mixed"]["closed_ms_by_type"]
    assert set(by_type) == set(PLAYS)
    assert sum(values["n"] for values in by_type.values()) == found["kafka_postgres"]["mixed"]["cases"]
    assert found["figures"]["kafka_postgres.http_cases_per_s"] > 0
    assert found["figures"]["ceilings.sql_rows_per_s"] > 0
    assert not (tmp_path / "bench").exists()
