"""What befalls a person follows the person (E1): a hold, its end or a death goes to whoever holds them."""

from __future__ import annotations

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.world import Country

A, B, C = "32", "33", "44"
KINDS = pytest.mark.parametrize("kind", ["DEATH", "HOLD"])


def befallen(country: Country, person: Resident, at: str, kind: str) -> bool:
    """Whether it is entered in a province's register, in the row that holds the person."""
    row = country.registers.person(at, person.key) or {}
    if kind == "DEATH":
        return row.get("state") == "CANCELLED_DEATH"
    return row.get("state") in {"HELD", "FROZEN"} and bool(row["hold"])


async def is_entered(country: Country, person: Resident, at: str, kind: str) -> None:
    """It takes effect there; and in the end the person has one home, and nothing is owed or waits."""
    await country.wait(lambda: befallen(country, person, at, kind), f"{kind} at {at}")
    await country.resend()
    await country.resend()
    assert [code for code in (A, B, C) if befallen(country, person, code, kind)] == [at]
    assert country.registers.holder(person.key)[0] == at
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


@KINDS
async def test_released_and_the_destination_is_silent(country: Country, kind: str) -> None:
    """A says 202 and whose move it is; B takes it when it is back, settles first, and then enters it."""
    person = country.person(A)
    case = await stopped_at(country, person, "acceptance")
    await country.stop(B)
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASED")
    answer = await country.hold(person, kind, A)
    told = answer.json()
    assert (answer.status_code, told["state"]) == (202, "PASSED_ON")
    assert (told["waiting_for"]["province"], told["waiting_for"]["owner"]) == (B, "holder")
    assert told["waiting_for"]["until"]
    await country.pass_time(days=3, step_hours=24)
    await country.start(B)
    await is_entered(country, person, B, kind)
    assert country.state(B, case) == "COMPLETED"
    assert country.state(A, case) == "CONFIRMED"


@KINDS
async def test_it_waits_with_the_person_however_long(country: Country, kind: str) -> None:
    """B has accepted and has no certificate for two weeks: the event lies in B's inbox all that time."""
    person = country.person(A)
    case = await stopped_at(country, person, "inquire", "certificate")
    assert (await country.hold(person, kind, A)).status_code == 202
    await country.pass_time(days=14, step_hours=12)
    assert country.registers.count("parked") == 1
    assert country.registers.count("quarantine") == 0
    assert not befallen(country, person, B, kind)
    await country.wire.let_go("inquire", "certificate")
    await is_entered(country, person, B, kind)
    assert country.state(B, case) == "COMPLETED"


@KINDS
async def test_a_late_notice_after_the_end_is_forwarded(country: Country, kind: str) -> None:
    """Somebody brings it to where the person lived before: it is entered where they live now."""
    person = country.person(A)
    await country.move(person, B)
    answer = await country.hold(person, kind, A)
    assert (answer.status_code, answer.json()["waiting_for"]["province"]) == (202, B)
    await is_entered(country, person, B, kind)


@KINDS
async def test_it_is_passed_on_as_often_as_the_person_moved(country: Country, kind: str) -> None:
    """A, B and C know one next place each; it ends a transfer that is under way at the last of them."""
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, C)
    country.wire.hold("offer")
    case = await country.apply(person, A)
    await country.until(C, case, "FROZEN")
    assert (await country.hold(person, kind, A)).status_code == 202
    await country.until(A, case, "VOIDED")
    await country.wire.let_go("offer")
    await is_entered(country, person, C, kind)


@KINDS
async def test_at_the_destination_s_door_it_goes_to_the_origin(country: Country, kind: str) -> None:
    """B is prepared and A holds: what is brought to B ends the transfer at A (MX)."""
    person = country.person(A)
    case = await stopped_at(country, person, "acceptance")
    answer = await country.hold(person, kind, B)
    assert (answer.status_code, answer.json()["waiting_for"]["province"]) == (202, A)
    await country.until(A, case, "VOIDED")
    await country.wire.let_go("acceptance")
    await country.until(B, case, "VOIDED")
    await is_entered(country, person, A, kind)


@KINDS
async def test_while_the_ledger_is_asked_it_waits(country: Country, kind: str) -> None:
    """It reaches A while the ledger decides: it waits there, and then follows the person to B."""
    person = country.person(A)
    case = await stopped_at(country, person, "acceptance")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASING")
    assert (await country.hold(person, kind, B)).status_code == 202
    await country.wait(lambda: country.registers.count("parked") == 1, "waiting at A")
    country.ledger.down = False
    await country.until(B, case, "COMPLETED")
    await is_entered(country, person, B, kind)


@pytest.mark.parametrize("first", ["HOLD", "LIFT_HOLD"])
async def test_of_two_that_overtake_each_other_the_later_counts(country: Country, first: str) -> None:
    """A hold and its end that arrive in the other order leave what was said last at the door."""
    person = country.person(A)
    await country.move(person, B)
    second = "LIFT_HOLD" if first == "HOLD" else "HOLD"
    country.wire.hold("event")
    for kind in (first, second):
        assert (await country.hold(person, kind, A)).status_code == 202
    await country.wait(lambda: len(country.wire.held) >= 2, "both under way")
    early, late = country.wire.held[:2]
    for letter in (late, early, late):
        await country.wire.deliver(letter)
        await country.calm()
    country.wire.holding.clear()
    await country.resend()
    assert befallen(country, person, B, "HOLD") == (second == "HOLD")
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


async def test_a_death_is_never_overtaken(country: Country) -> None:
    """A hold said after it, and arriving before it, does not keep a death from being entered."""
    person = country.person(A)
    await country.move(person, B)
    country.wire.hold("event")
    for kind in ("DEATH", "HOLD"):
        await country.hold(person, kind, A)
    await country.wait(lambda: len(country.wire.held) >= 2, "both under way")
    death, hold = country.wire.held[:2]
    for letter in (hold, death, hold):
        await country.wire.deliver(letter)
        await country.calm()
    country.wire.holding.clear()
    await is_entered(country, person, B, "DEATH")


async def test_a_repeat_has_no_effect(country: Country) -> None:
    """The same message weeks later, after the hold was lifted where the person lives, changes nothing."""
    person = country.person(A)
    await country.move(person, B)
    await country.hold(person, "HOLD", A)
    await is_entered(country, person, B, "HOLD")
    await country.hold(person, "LIFT_HOLD", B)
    late = next(letter for letter in country.wire.sent if letter.name == "event")
    await country.pass_time(days=20)
    await country.wire.deliver(late)
    await country.calm()
    assert not befallen(country, person, B, "HOLD")


async def test_the_same_key_gets_the_same_answer(country: Country) -> None:
    """A caller that repeats its request by its key is told the same, and it is passed on once."""
    person = country.person(A)
    await country.move(person, B)
    country.wire.hold("event")
    body = {**person.identity, "kind": "DEATH", "legal_basis": "示例裁定"}
    answers = [await country.ask(A, "/v1/registrations/holds", body, Idempotency_Key="one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert len({letter.label.id for letter in country.wire.sent if letter.name == "event"}) == 1


async def test_nobody_known_here_is_still_unknown(country: Country) -> None:
    """Who never lived here and is not about to: PERSON_UNKNOWN, and nothing leaves."""
    answer = await country.hold(country.person(B), "DEATH", A)
    assert (answer.status_code, answer.json()["code"]) == (404, "PERSON_UNKNOWN")
    assert not [letter for letter in country.wire.sent if letter.name == "event"]


@KINDS
@pytest.mark.parametrize("taken", ["before", "after"])
async def test_the_holder_is_put_back(country: Country, kind: str, taken: str) -> None:
    """B forgets what it was told, whether the backup has it as waiting or not at all: A tells it again."""
    person = country.person(A)
    case = await stopped_at(country, person, "certificate")
    copy = backup(country, B)
    await country.hold(person, kind, A)
    await country.wait(lambda: country.registers.count("parked") == 1, "waiting at B")
    if taken == "after":
        copy = backup(country, B)
    await country.wire.let_go("certificate")
    await country.until(B, case, "COMPLETED")
    await country.wait(lambda: befallen(country, person, B, kind), "entered")
    await put_back(country, B, copy)
    await is_entered(country, person, B, kind)


@KINDS
async def test_a_holder_that_fetches_the_record_says_recovering(country: Country, kind: str) -> None:
    """B holds by the ledger and has no row yet: its door says RECOVERING, never that nobody is known."""
    person = country.person(A)
    copy = backup(country, B)
    await country.move(person, B)
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.calm()
    answer = await country.hold(person, kind, B)
    assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERING")
    assert (await country.hold(person, kind, A)).status_code == 202
    await country.wire.let_go("reissue")
    await is_entered(country, person, B, kind)


@pytest.mark.parametrize("name", ["event", "receipt"])
async def test_the_broker_is_wiped_while_it_is_under_way(country: Country, name: str) -> None:
    """It goes out again, byte for byte, until B has said that it has it."""
    person = country.person(A)
    await country.move(person, B)
    await country.calm()
    country.wire.hold(name)
    await country.hold(person, "HOLD", A)
    await country.wait(lambda: any(letter.name == name for letter in country.wire.held), name)
    country.wire.holding.clear()
    country.wire.wipe()
    await country.resend()
    await is_entered(country, person, B, "HOLD")
    assert len({letter.data for letter in country.wire.sent if letter.name == "event"}) == 1
