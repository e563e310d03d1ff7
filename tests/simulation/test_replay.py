"""A run that can't be played again proves nothing twice."""

from __future__ import annotations

import pytest

from tests.simulation.apart import play

CASES = 60
SEED = 4


def test_a_seed_plays_the_same_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Event for event, byte for byte, whatever Python draws for its hashes; another seed, another run."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = play(SEED, CASES).digest
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert play(SEED, CASES).digest == first
    assert play(SEED + 1, CASES).digest != first
