"""What every simulation begins with, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tongban_sandbox.simulation.command import folder
from tongban_sandbox.simulation.template import Template, make_template


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """Keys and a seeded file for each province."""
    with folder() as place:
        yield make_template(place)


@pytest.fixture
def files() -> Iterator[Path]:
    """An empty folder for the provinces' files, in memory where there is such a place."""
    with folder() as place:
        yield place
