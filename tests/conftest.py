"""What every test gets: the servers' fixtures; and under CI no test may be skipped in silence."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
pytest_plugins = [f"tests.{path.stem}" for path in sorted(_HERE.glob("fixtures_*.py"))]


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A skip is a failure where CI=true: there everything a test needs is there, or something is broken."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although CI=true: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A skipped module."""
    report = yield
    _refuse_skip(report)
    return report
