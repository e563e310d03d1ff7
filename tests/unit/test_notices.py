"""What befalls a person: where it goes, and that of two from one door the one that was said last counts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st

from tongban_registry.loaded import Loaded
from tongban_registry.notices import take_notice
from tongban_registry.office import Counters, Office
from tongban_registry.unit import ABOUT_A_PERSON, Arrival, Unit
from tongban_shared.cases.kind import Event
from tongban_shared.decide import Fate
from tongban_shared.ids import CaseId, Province
from tongban_shared.messages.registration import Notice
from tongban_shared.provinces import load_provinces
from tongban_shared.registration import Person, Registration

A, B = "32", "33"
KEY = "0" * 32
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class Desk:
    """As much of an office as a unit looks at."""

    profile = load_provinces()[Province(B)]
    province = Province(B)
    org = profile.county_bureau
    calendars = {province: profile.calendar}  # noqa: RUF012  # read alone


def unit_with(state: Registration, moved_to: str | None = None) -> Unit:
    """A unit of B's, with one person at epoch 1."""
    person = Person(KEY, 1, state, 1, "0" * 16, date(1990, 1, 1), "home", head=True, moved_to=moved_to)
    return Unit(cast("Office", Desk()), Counters(), Loaded(people={KEY: person}), NOW)


def arrival(kind: str, order: tuple[int, int], **details: Any) -> Arrival:  # noqa: ANN401  # fields of a notice
    """A notice on its way to B."""
    incarnation, number = order
    fields = {"person": KEY, "epoch": 1, "entered_by": A, "entered_at": NOW, **details}
    body = Notice(kind=cast("Any", kind), incarnation=incarnation, number=number, **fields)
    event = Event("event", CaseId(KEY), NOW, 1, body=body, sender=A, message_id=f"{A}-{B}-1-{number}")
    return Arrival(event, ABOUT_A_PERSON, cast("Any", None))


orders = st.tuples(st.integers(1, 3), st.integers(1, 20))
said = st.dictionaries(orders, st.sampled_from(["HOLD", "LIFT_HOLD"]), min_size=1, max_size=6)


@settings(max_examples=200)
@given(said, st.data())
def test_what_was_said_last_counts(told: dict[tuple[int, int], str], data: st.DataObject) -> None:
    """Any order of arrival, any repeats, over several incarnations of the door's registry."""
    unit = unit_with(Registration.HELD)
    arriving = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(sorted(told))))]))
    for order in arriving:
        take_notice(unit, arrival(told[order], order))
    assert unit.people[KEY].hold == (told[max(told)] == "HOLD")


HERE, THERE = None, A
PLACES = [
    (Registration.HELD, HERE, 1, Fate.TAKEN),
    (Registration.PREPARED, THERE, 1, Fate.PARKED),
    (Registration.RELEASED, THERE, 1, Fate.TAKEN),
    (Registration.CONFIRMED, THERE, 1, Fate.TAKEN),
    # The sender knows of a later holder than this register, which was put back: it is about to learn.
    (Registration.CONFIRMED, THERE, 2, Fate.PARKED),
    (Registration.DROPPED, THERE, 1, Fate.TAKEN),
    (Registration.DROPPED, THERE, 2, Fate.PARKED),
    (Registration.CANCELLED_DEATH, HERE, 1, Fate.LATE),
]


@pytest.mark.parametrize("kind", ["HOLD", "LIFT_HOLD", "DEATH"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]} {place[2]} {place[3]}")
def test_where_it_goes(
    place: tuple[Registration, str | None, int, Fate], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entered where the person is held; waits where they are to be; from elsewhere it goes only onwards."""
    state, moved_to, epoch, fate = place
    sent: list[tuple[str, int]] = []

    def to_peer(to: str, body: Notice, *_: object, **__: object) -> None:
        sent.append((to, body.epoch))

    monkeypatch.setattr("tongban_registry.notices.Outgoing.to_peer", to_peer)
    unit = unit_with(state, moved_to)
    assert take_notice(unit, arrival(kind, (1, 1), epoch=epoch)) is fate
    assert sent == ([(A, 2)] if fate is Fate.TAKEN and moved_to is not None else [])
    assert len(unit.changes.history) == (1 if fate is Fate.TAKEN else 0)


def test_a_person_not_known_here_is_waited_for() -> None:
    """A register that has no row yet keeps it until there is one."""
    unit = Unit(cast("Office", Desk()), Counters(), Loaded(), NOW)
    assert take_notice(unit, arrival("DEATH", (1, 1))) is Fate.PARKED
