"""`tongban demo` is what a newcomer sees first."""

from __future__ import annotations

import subprocess
import sys

import pytest

TONGBAN = [sys.executable, "-m", "tongban_sandbox.cli"]


@pytest.mark.timeout(120)
def test_the_demo_completes_all_stories() -> None:
    """It exits with 0, says so, and everybody has exactly one home after each story."""
    done = subprocess.run([*TONGBAN, "demo"], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 stories completed" in done.stdout
    assert done.stdout.count("exactly one home: 14100 of 14100") == 8
    assert done.stdout.count("exactly one home: 14102 of 14102") == 1  # twins
    assert done.stdout.count("✓ completed on both sides") == 10
