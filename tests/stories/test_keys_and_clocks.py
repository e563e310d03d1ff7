"""The failure table of protocol.md §7: keys that change, and clocks that are wrong, during a case."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.stories.forging import stopped_at
from tests.stories.world import Country
from tongban_shared.keys import rotate_keys

A, B, C = "32", "33", "44"
MESSAGES = ["precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"]


async def ends_well(country: Country, person: str, case: str) -> None:
    """The case comes to its end on both sides; nothing was refused, nothing is owed."""
    await country.resend()
    await country.until(B, case, "COMPLETED")
    await country.until(A, case, "CONFIRMED")
    await country.calm()
    assert country.registers.holder(person) == (B, 1)
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("quarantine") + country.registers.count("parked") == 0


@pytest.mark.parametrize(
    ("name", "owners"), [*((name, (A, B)) for name in MESSAGES), ("offer", (A,)), ("offer", (B,))]
)
async def test_keys_are_rotated_with_a_message_under_way(
    country: Country, name: str, owners: tuple[str, ...]
) -> None:
    """An old signature is good for its time, an old seal still opens, and all go on with the new keys."""
    person = country.person(A)
    case = await stopped_at(country, person, name)
    for owner in owners:
        rotate_keys(country.keys, owner)
    await country.wire.let_go(name)
    await ends_well(country, person.key, case)
    await country.move(country.person(A), B)
    for owner in owners:
        assert country.sites[owner].live.office.signer.key_id == f"{owner}-2"


async def test_a_key_that_has_not_come_round_yet_costs_time_only(country: Country) -> None:
    """B's copy of the list is late: it refuses what it can't verify, is sent it again, and takes it then."""
    person = country.person(A)
    case = await stopped_at(country, person, "offer")
    country.wire.held.clear()
    country.wire.holding.clear()
    listed = (country.keys / "directory.json").read_bytes()
    rotate_keys(country.keys, A)
    fresh = (country.keys / "directory.json").read_bytes()
    another = await country.apply(country.person(A), C)
    await country.until(A, another, "CONFIRMED")
    (country.keys / "directory.json").write_bytes(listed)
    await country.crash(B)
    await country.start(B)
    third = country.person(A)
    late = await country.apply(third, B)
    await country.wait(lambda: "UNKNOWN_KEY" in country.registers.quarantine(B), "a refusal")
    assert country.registers.holder(third.key) == (A, 0)
    (country.keys / "directory.json").write_bytes(fresh)
    await country.resend()
    for number in (case, late):
        await country.until(B, number, "COMPLETED")
    assert country.registers.homeless_and_doubled() == []


async def test_a_proof_of_before_is_good_after_a_rotation(country: Country) -> None:
    """A certificate that was signed with the old key answers for the person, and goes into the next chain."""
    person = country.person(A)
    await country.move(person, B)
    rotate_keys(country.keys, A)
    rotate_keys(country.keys, B)
    await country.move(person, C)
    assert country.registers.holder(person.key) == (C, 2)
    assert country.registers.count("quarantine") == 0


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("days", [-400, 400])
async def test_a_clock_is_wrong(country: Country, name: str, days: int) -> None:
    """From any step on B's clock is off by days or a year: the case goes the same way, to the same home.

    Only where a limit in days is passed by it may the case lapse, and then the person stays where they were.
    """
    person = country.person(A)
    case = await stopped_at(country, person, name)
    country.offsets[B] = timedelta(days=days)
    await country.wire.let_go(name)
    await country.calm()
    await country.resend()
    await country.pass_time(days=1, step_hours=6)
    assert country.registers.homeless_and_doubled() == []
    ended = country.state(A, case)
    assert ended in {"CONFIRMED", "EXPIRED"}
    assert country.registers.holder(person.key) == ((B, 1) if ended == "CONFIRMED" else (A, 0))
    assert ended == "CONFIRMED" or abs(days) > country.sites[A].live.office.profile.limits.permit_valid_days
    assert country.registers.count("cases", "closed_at IS NULL") == 0


async def test_wrong_clocks_change_nothing_but_dates(country: Country) -> None:
    """A is two weeks behind, B two weeks ahead: the person moves there and back, epoch by epoch."""
    country.offsets[A], country.offsets[B] = timedelta(days=-14), timedelta(days=14)
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, A)
    await country.calm()
    assert country.registers.holder(person.key) == (A, 2)
    told = datetime.fromisoformat((await country.lookup(person, A)).json()["as_of"])
    assert told < country.clock.now() - timedelta(days=13)


async def test_a_clock_that_jumps_back_sends_again_all_the_same(country: Country) -> None:
    """What is due by the sender's clock goes out all the same when the sender starts with an earlier one."""
    person = country.person(A)
    country.wire.dropping.add("certificate")
    case = await country.apply(person, B)
    await country.until(A, case, "RELEASED")
    await country.calm()
    country.wire.dropping.clear()
    country.offsets[A] = timedelta(days=-30)
    await country.crash(A)
    await country.start(A)
    await ends_well(country, person.key, case)
