"""Numbers that a registry gives: never twice, even where its database was put back and it does not know."""

from __future__ import annotations

import pytest

from tongban_registry.office import STAMPS_FOUND_MAX, STAMPS_LOST_MAX, Counters
from tongban_shared.ids import Province


@pytest.mark.parametrize(
    ("case_id", "stamp"),
    [
        pytest.param("33012026030200000059K", 59, id="given by this registry, which has forgotten it"),
        pytest.param("44012026030200000059K", 7, id="given by another registry"),
        pytest.param("33012026030200000003K", 7, id="one of those that it remembers"),
        pytest.param(
            f"330120260302{7 + 2 * STAMPS_LOST_MAX:08d}K",
            7 + 2 * STAMPS_LOST_MAX,
            id="given after numbers were left out, and forgotten",
        ),
        pytest.param(
            f"330120260302{7 + STAMPS_FOUND_MAX + 1:08d}K", 7, id="so far ahead that nobody gave it"
        ),
    ],
)
def test_a_forgotten_number_is_passed_over(case_id: str, stamp: int) -> None:
    """A message in a case that this registry must have numbered tells it how far it had come."""
    counters = Counters(stamp=7)
    counters.skip([case_id], Province("33"))
    assert counters.stamp == stamp
