"""Runs in a process of their own each: what the dead of a run leave behind ends with it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation import broken
from tongban_sandbox.simulation.command import folder
from tongban_sandbox.simulation.run import Result, run
from tongban_sandbox.simulation.template import make_template


def play(seed: int, cases: int, build: str | None = None) -> Result:
    """One run on all faults, of the product or of a broken build of it."""
    return play_all([seed], cases, build)[0]


def play_all(seeds: Sequence[int], cases: int, build: str | None = None) -> list[Result]:
    """One run after another in one process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return [pool.submit(_play, seed, cases, build).result() for seed in seeds]


def _play(seed: int, cases: int, build: str | None) -> Result:
    with pytest.MonkeyPatch.context() as patch, folder() as place, folder() as files:
        if build is not None:
            getattr(broken, build)(patch)
        return run(seed, cases, make_template(place), folder=files)
