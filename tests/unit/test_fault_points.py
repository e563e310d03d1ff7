"""A fault point does nothing in service; armed, it kills at the pass that was named, and says so before."""

from __future__ import annotations

import os
import signal

import pytest
from structlog.testing import capture_logs

from tongban_shared import fault_points
from tongban_shared.errors import SettingsError
from tongban_shared.fault_points import POINTS, arm, fault_point


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Whom `os.kill` would have met, and with what; points are unarmed after the test."""
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, how: kills.append((pid, how)))
    monkeypatch.setattr(fault_points, "strike", None)
    return kills


@pytest.mark.parametrize("text", [None, ""])
def test_in_service_nothing_happens(killed: list[tuple[int, int]], text: str | None) -> None:
    """Without the setting no point does anything, and the log says nothing."""
    with capture_logs() as lines:
        arm(text)
    for name in POINTS:
        fault_point(name)
    assert (killed, lines) == ([], [])


def test_it_strikes_at_the_pass_that_was_named(killed: list[tuple[int, int]]) -> None:
    """The third pass of this point, and no other, is a SIGKILL to this process; the log warns of it."""
    with capture_logs() as lines:
        arm("hall.written:3")
    assert [(line["log_level"], line["at"], line["count"]) for line in lines] == [
        ("warning", "hall.written", 3)
    ]
    for name in ("hall.written", "hall.committed", "hall.written"):
        fault_point(name)
    assert killed == []
    fault_point("hall.written")
    fault_point("hall.written")
    assert killed == [(os.getpid(), signal.SIGKILL)]


@pytest.mark.parametrize(
    "text", ["hall", "hall.writen:1", "hall.written:0", "hall.written:-1", "hall.written:x"]
)
def test_a_wrong_setting_is_refused(text: str) -> None:
    """A program does not start in the belief that it will be struck."""
    with pytest.raises(SettingsError, match="TONGBAN_FAULT_POINT"):
        arm(text)
