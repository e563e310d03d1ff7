"""The failure table of protocol.md §7: crashes, a bad wire, a ledger or a province that is away."""

from __future__ import annotations

import random

import pytest

from tests.stories.mischief import dies, has_died
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def finished(country: Country, person: str, case: str) -> None:
    """The case ends well on both sides and nothing is left over."""
    await country.resend()
    await country.until(B, case, "COMPLETED")
    await country.until(A, case, "CONFIRMED")
    await country.calm()
    await country.resend()
    assert country.registers.holder(person) == (B, 1)
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", ["OPEN", "FROZEN", "RELEASING", "RELEASED", "CONFIRMED"])
async def test_the_origin_crashes_at_a_commit(country: Country, state: str, moment: str) -> None:
    """The origin dies before or after the commit of any of its steps: one home, and it goes on."""
    person = country.person(A)
    await dies(country, A, state, moment)
    case = await country.apply(person, B)
    await has_died(country, A)
    assert country.registers.homeless_and_doubled() == []
    holder = country.registers.holder(person.key)
    released = state == "CONFIRMED" or (state == "RELEASED" and moment == "after")
    assert holder == ((B, 1) if released else (A, 0))
    await country.start(A)
    await finished(country, person.key, case)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", ["PERMITTED", "PREPARED", "COMPLETED"])
async def test_the_destination_crashes_at_a_commit(country: Country, state: str, moment: str) -> None:
    """The destination dies right before or right after the commit of any of its steps: one home, and on."""
    person = country.person(A)
    await dies(country, B, state, moment)
    case = await country.apply(person, B)
    await has_died(country, B)
    assert country.registers.homeless_and_doubled() == []
    assert country.registers.holder(person.key) == ((B, 1) if state == "COMPLETED" else (A, 0))
    await country.start(B)
    await finished(country, person.key, case)


async def test_an_application_that_died_was_never_made(country: Country) -> None:
    """A destination that dies before it commits an application has none; the citizen applies again."""
    person = country.person(A)
    await dies(country, B, "CHECKING", "before")
    with pytest.raises(TimeoutError):
        await country.apply(person, B, patience_s=0.5)
    await has_died(country, B)
    await country.start(B)
    await finished(country, person.key, await country.apply(person, B))


@pytest.mark.parametrize(
    "name",
    ["precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled", "receipt"],
)
async def test_a_message_is_lost(country: Country, name: str) -> None:
    """Any message that is lost goes out again, byte for byte the same, until its receipt arrives (C5)."""
    person = country.person(A)
    country.wire.dropping.add(name)
    case = await country.apply(person, B)
    await country.calm()
    assert country.registers.homeless_and_doubled() == []
    country.wire.dropping.clear()
    await finished(country, person.key, case)
    copies = {x.data for x in country.wire.sent if (x.name, x.label.case_id) == (name, case)}
    assert len(copies) == (0 if name == "receipt" else 1)


@pytest.mark.parametrize(
    "name", ["precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"]
)
async def test_a_message_comes_weeks_late(country: Country, name: str) -> None:
    """A copy that comes again weeks after the end changes nothing, and is receipted again (M-4)."""
    person = country.person(A)
    case = await country.move(person, B)
    await country.calm()
    late = country.wire.taken(name, case)
    await country.move(person, C)
    await country.pass_time(days=60)
    before = country.registers.everybody()
    for _ in range(3):
        await country.wire.deliver(late)
    await country.calm()
    assert country.registers.everybody() == before
    assert country.registers.count("quarantine") == 0
    assert country.wire.sent[-1].name == "receipt"


async def test_every_message_twice_and_in_any_order(country: Country) -> None:
    """Doubled and shuffled, the messages of several moves do what they do in order."""
    country.wire.copies, country.wire.random = 3, random.Random(5)
    people = [country.person(code) for code in (A, B, C, A)]
    ways = zip(people, (B, C, A, C), strict=True)
    cases = [(person, to, await country.apply(person, to)) for person, to in ways]
    for person, to, case in cases:
        await country.until(person.province, case, "CONFIRMED")
        assert country.registers.holder(person.key) == (to, 1)
    await country.calm()
    assert country.registers.count("quarantine") + country.registers.count("parked") == 0


@pytest.mark.parametrize(
    "name", ["precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"]
)
async def test_the_broker_is_wiped(country: Country, name: str) -> None:
    """A wiped broker costs time only: rows without receipt are sent again, positions start anew (C5)."""
    person = country.person(A)
    country.wire.hold(name)
    case = await country.apply(person, B)
    await country.wait(lambda: any(x.name == name for x in country.wire.held), name)
    country.wire.holding.clear()
    country.wire.wipe()
    await country.calm()
    await finished(country, person.key, case)


async def test_the_broker_is_wiped_while_all_are_down(country: Country) -> None:
    """All processes stop, the broker loses everything, all start: the case goes on from the databases."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    for code in (A, B, C):
        await country.crash(code)
    country.wire.holding.clear()
    country.wire.wipe()
    for code in (A, B, C):
        await country.start(code)
    await finished(country, person.key, case)


async def test_the_ledger_is_down(country: Country) -> None:
    """While the ledger is away hand-overs wait at RELEASING, the origin still serves; then they go on."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASING")
    await country.pass_time(hours=30, step_hours=1)
    assert country.state(A, case) == "RELEASING"
    assert (await country.lookup(person, A)).json()["state"] == "MOVE_OUT_LOCKED"
    assert country.registers.holder(person.key) == (A, 0)
    country.ledger.down = False
    await finished(country, person.key, case)
    assert len([entry for entry in country.ledger.entries if entry.case_id == case]) == 1


async def test_an_application_waits_for_the_ledger(country: Country) -> None:
    """Without the ledger an application is taken all the same, and located when the ledger is back."""
    person = country.person(A)
    country.ledger.down = True
    case = await country.apply(person, B)
    assert country.state(B, case) == "LOCATING"
    country.ledger.down = False
    await finished(country, person.key, case)


async def test_the_ledger_took_it_and_the_origin_died(country: Country) -> None:
    """In RELEASING the ledger decides: it has the entry, so the origin releases when it is back."""
    person = country.person(A)
    await dies(country, A, "RELEASED", "before")
    case = await country.apply(person, B)
    await has_died(country, A)
    assert (await country.ledger.locate([person.key]))[person.key].province == B
    assert country.state(A, case) == "RELEASING"
    await country.start(A)
    await finished(country, person.key, case)
    assert len([entry for entry in country.ledger.entries if entry.case_id == case]) == 1


async def test_the_destination_is_away_for_a_month(country: Country) -> None:
    """A destination that accepted and went away is holder by certificate, is asked, and settles when back."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    await country.stop(B)
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASED")
    await country.pass_time(days=30, step_hours=24)
    assert country.registers.holder(person.key) == (B, 1)
    answer = (await country.lookup(person, A)).json()
    assert (answer["province"], answer["epoch"], bool(answer["proof"])) == (B, 1, True)
    assert [x.name for x in country.wire.sent].count("inquire") >= 4
    await country.start(B)
    await finished(country, person.key, case)


async def test_the_inquiry_alone_settles(country: Country) -> None:
    """The question carries the certificate: a destination that never got M4 settles on it (M-7)."""
    person = country.person(A)
    country.wire.dropping.add("certificate")
    case = await country.apply(person, B)
    await country.until(A, case, "RELEASED")
    await country.pass_time(days=7, hours=1)
    await country.until(B, case, "COMPLETED")
    await country.until(A, case, "CONFIRMED")
    country.wire.dropping.clear()
    await finished(country, person.key, case)


async def test_a_silent_destination_is_asked_at_day_7_15_25_and_then_daily(country: Country) -> None:
    """The days on which a silent destination is asked are those of M-7."""
    person = country.person(A)
    country.wire.hold("certificate", "inquire")
    case = await country.apply(person, B)
    await country.until(A, case, "RELEASED")
    days = []
    for day in range(1, 29):
        before = len([x for x in country.wire.sent if x.name == "inquire"])
        asked = {x.label.id for x in country.wire.sent if x.name == "inquire"}
        await country.pass_time(hours=24)
        if {x.label.id for x in country.wire.sent[before:] if x.name == "inquire"} - asked:
            days.append(day)
    assert days == [7, 15, 25, 26, 27, 28]
