"""A run that can't be played again proves nothing twice."""

from __future__ import annotations

import pytest

from tests.simulation.apart import play, play_all

CASES = 60
SEED = 4


def test_a_seed_plays_the_same_run_again() -> None:
    """Event for event, byte for byte on the wire, whatever was played before; another seed, another run."""
    first, again, other, once_more = play_all([SEED, SEED, SEED + 1, SEED], CASES)
    assert again.digest == once_more.digest == first.digest
    assert other.digest != first.digest


def test_a_seed_plays_the_same_run_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Python draws for its own hashes."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = play(SEED, CASES).digest
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert play(SEED, CASES).digest == first
