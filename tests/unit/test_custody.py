"""The pure judgement of the custody ledger, and the chain over its log."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from tongban_shared.custody import GENESIS, NOBODY, Entry, Hop, Place, chain, first, judge
from tongban_shared.ids import Province
from tongban_shared.ports import Custody, Verdict

A, B, C = Province("43"), Province("44"), Province("11")
ENTRY = Entry("p", 1, B, "c1", "case")

places = st.tuples(st.sampled_from("xyz"), st.integers(NOBODY, 3))
provinces = st.sampled_from([A, B, C])
hops = st.builds(
    Hop,
    origin=st.none() | provinces,
    destination=provinces,
    persons=st.lists(places, max_size=3).map(tuple),
    certificate_digest=st.sampled_from(["", "c1", "c2", "c3"]),
    case_id=st.just("case"),
)


def replay(batches: list[list[Hop]]) -> tuple[list[Verdict], list[Entry], dict[str, Custody]]:
    """Judge batch after batch, each on what the ones before it left."""
    verdicts: list[Verdict] = []
    entries: list[Entry] = []
    newest: dict[str, Custody] = {}
    past: dict[Place, Custody] = {}
    for batch in batches:
        judgement = judge(batch, newest, past)
        verdicts += judgement.verdicts
        entries += judgement.entries
        newest |= judgement.newest
        for entry in judgement.entries:
            past[entry.person, entry.epoch] = Custody(entry.holder, entry.epoch, entry.certificate_digest)
    return verdicts, entries, newest


@given(st.lists(hops, max_size=30))
def test_a_place_is_taken_once_and_the_chain_of_holders_has_no_gap(given_hops: list[Hop]) -> None:
    """I1 for any hops in any order: epochs count up by one, and each hand-over starts at the holder."""
    _, entries, newest = replay([given_hops])
    taken: dict[str, list[int]] = {}
    for entry in entries:
        taken.setdefault(entry.person, []).append(entry.epoch)
    assert all(epochs == list(range(len(epochs))) for epochs in taken.values())
    assert {person: custody.epoch for person, custody in newest.items()} == {
        person: epochs[-1] for person, epochs in taken.items()
    }


@given(st.lists(hops, max_size=20), st.integers(1, 5))
def test_batches_change_nothing(given_hops: list[Hop], size: int) -> None:
    """Whether hops come one by one or together, verdicts and entries are the same."""
    batches = [given_hops[begin : begin + size] for begin in range(0, len(given_hops), size)]
    assert replay(batches) == replay([given_hops])


@given(st.lists(hops, max_size=20))
def test_what_was_appended_stays_appended(given_hops: list[Hop]) -> None:
    """Any hop that got through gets the same answer for ever, and enters nothing a second time."""
    verdicts, entries, _ = replay([given_hops])
    good = [hop for hop, verdict in zip(given_hops, verdicts, strict=True) if verdict is Verdict.APPENDED]
    again, entries_after, _ = replay([given_hops, good])
    assert set(again[len(given_hops) :]) <= {Verdict.APPENDED}
    assert entries_after == entries


def test_a_chain_of_hops_may_stand_in_one_batch() -> None:
    """Arrival and onward move in one transaction, then the repeat of the arrival."""
    there = Hop(A, B, (("p", 0),), "c1")
    onward = Hop(B, C, (("p", 1),), "c2")
    judgement = judge([first("p", A), there, onward, there], {}, {})
    assert judgement.verdicts == [Verdict.APPENDED] * 4
    assert judgement.newest == {"p": Custody(C, 2, "c2")}


@pytest.mark.parametrize(
    "changed",
    [
        replace(ENTRY, person="q"),
        replace(ENTRY, epoch=2),
        replace(ENTRY, holder=C),
        replace(ENTRY, certificate_digest="c2"),
        replace(ENTRY, case_id="other"),
    ],
)
def test_every_field_of_a_line_is_in_the_chain(changed: Entry) -> None:
    """Whoever changes one field breaks the hash."""
    assert chain(GENESIS, changed, 5) != chain(GENESIS, ENTRY, 5)


def test_the_line_before_and_the_time_are_in_the_chain() -> None:
    """Neither moving a line nor dating it back goes unnoticed."""
    assert len({chain(GENESIS, ENTRY, 5), chain(GENESIS, ENTRY, 6), chain("1" * 64, ENTRY, 5)}) == 3
