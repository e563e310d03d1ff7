"""What a registry concludes about its own past."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, strategies as st

from tongban_registry.gate_rules import catch_up, is_behind, prefixes
from tongban_shared.cases.migration_recovery import Recovered
from tongban_shared.ids import CaseId, Province
from tongban_shared.ports import Head, Passage
from tongban_shared.registration import Person, Registration

CHAIN, OTHER = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("head", "fence", "chain_at_fence", "behind"),
    [
        (Head(1, 7, CHAIN), None, None, False),  # no fence: nothing to compare
        (Head(1, 7, CHAIN), Head(1, 7, CHAIN), CHAIN, False),  # equal
        (Head(1, 8, OTHER), Head(1, 7, CHAIN), CHAIN, False),  # a crash between commit and fence
        (Head(1, 6, OTHER), Head(1, 7, CHAIN), None, True),  # put back
        (Head(1, 9, OTHER), Head(1, 7, CHAIN), OTHER, True),  # put back, and went on unnoticed
        (Head(1, 9, OTHER), Head(2, 3, CHAIN), OTHER, True),  # put back to before an earlier recovery
        (Head(2, 3, CHAIN), Head(1, 9, OTHER), None, False),  # a crash while the new incarnation was taken
        (Head(1, 0, ""), Head(1, 0, ""), None, False),  # nothing has happened yet
        (Head(1, 0, ""), Head(1, 4, CHAIN), None, True),  # an empty database in place of a full one
    ],
)
def test_a_database_that_was_put_back_is_behind_its_fence(
    head: Head, fence: Head | None, chain_at_fence: str | None, *, behind: bool
) -> None:
    """Shorter than the fence remembers, or of another past at the place that it remembers."""
    assert is_behind(head, fence, chain_at_fence) is behind


@given(st.sets(st.integers(1, 40)), st.randoms(use_true_random=False))
def test_a_row_of_messages_is_known_up_to_its_first_gap(seqs: set[int], random: object) -> None:
    """Whatever the order in which they came; what lies beyond a gap is asked for again."""
    ids = [f"32-33-1-{seq}" for seq in seqs]
    random.shuffle(ids)  # type: ignore[attr-defined]  # a seeded random.Random
    reached = prefixes(ids).get("32", {}).get(1, 0)
    assert all(seq in seqs for seq in range(1, reached + 1))
    assert reached + 1 not in seqs


def test_rows_of_several_senders_and_incarnations_are_apart() -> None:
    """A new incarnation begins at one."""
    ids = ["32-33-1-1", "32-33-1-2", "32-33-2-1", "44-33-1-2"]
    assert prefixes(ids) == {"32": {1: 2, 2: 1}, "44": {1: 0}}


def line(seq: int, person: str, epoch: int, way: tuple[str, str, str]) -> Passage:
    """A line of the log. way: case, from, to."""
    case_id, origin, destination = way
    return Passage(seq, CaseId(case_id), person, epoch, Province(origin), Province(destination), CHAIN)


def test_a_hand_over_is_past_once_all_its_persons_were_handed_over_again() -> None:
    """Two came by one case; as long as one of them is here, the records are needed."""
    came = [line(1, "p", 1, ("1", "32", "33")), line(2, "q", 1, ("1", "32", "33"))]
    one_left = [*came, line(3, "p", 2, ("2", "33", "44"))]
    both_left = [*one_left, line(4, "q", 2, ("3", "33", "32"))]
    for passages, past in ((came, False), (one_left, False), (both_left, True)):
        body = catch_up(passages, {}, {}, "33")[0].body
        assert isinstance(body, Recovered)
        assert (body.digests, body.epochs, body.past) == (("p", "q"), (1, 1), past)


@pytest.mark.parametrize("state", ["HELD", "FROZEN", "CANCELLED_DEATH"])
def test_a_row_is_given_away_by_the_line_that_follows_it(state: str) -> None:
    """Away, back and away again since the backup: the row from before is the first line's alone."""
    row = Person(
        key="p",
        epoch=0,
        state=Registration(state),
        record_version=1,
        name_check="",
        birth_date=date(1990, 1, 1),
        household_id="h",
        head=True,
    )
    away = line(1, "d", 1, ("1", "33", "32"))
    back = line(2, "d", 2, ("2", "32", "33"))
    away_again = line(3, "d", 3, ("3", "33", "32"))
    told = catch_up([away, back, away_again], {}, {"d": row}, "33")
    assert [one.persons for one in told] == [("p",), (), ()]
