"""A run that can't be played again proves nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tongban_sandbox.simulation.run import run
from tongban_sandbox.simulation.template import Template

CASES = 60
SEED = 4
PLAY = """
from tongban_sandbox.simulation.command import folder
from tongban_sandbox.simulation.run import run
from tongban_sandbox.simulation.template import make_template
with folder() as place, folder() as files:
    print(run({seed}, {cases}, make_template(place), folder=files).digest)
"""


def _played(template: Template, folder: Path, seed: int) -> str:
    folder.mkdir()
    return run(seed, CASES, template, folder=folder).digest


def test_a_seed_plays_the_same_run_again(template: Template, files: Path) -> None:
    """Event for event, byte for byte on the wire; another seed plays another run."""
    first = _played(template, files / "1", SEED)
    assert _played(template, files / "2", SEED) == first
    assert _played(template, files / "3", SEED + 1) != first


def test_a_seed_plays_the_same_run_in_another_process(template: Template, files: Path) -> None:
    """Whatever Python draws for its own hashes."""
    script = PLAY.format(seed=SEED, cases=CASES)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    played = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert played.stdout.strip() == _played(template, files / "1", SEED)
