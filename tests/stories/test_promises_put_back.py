"""A database is put back that promised something: what became of it is found out (protocol.md §6)."""

from __future__ import annotations

from tests.stories.backups import all_is_well, backup, put_back
from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.stations import MARITAL, MARRIED, NANJING, asked, lives_at, put
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def promised(country: Country) -> tuple[Resident, str]:
    """B has accepted, and A's certificate is held back."""
    person = country.person(A)
    return person, await stopped_at(country, person, "certificate")


async def held_at(country: Country, person: Resident, code: str) -> None:
    """The certificate arrives, and the person is held there."""
    await country.wire.let_go("certificate")
    await country.wait(lambda: country.registers.claims(person.key) == [code], f"held at {code}")
    await country.calm()


async def test_the_ledger_s_word_on_a_promise_is_read_again(country: Country) -> None:
    """B had read the line at a start, still promised; its backup is told of it: who moved on is gone."""
    person, case = await promised(country)
    await country.crash(B)
    await country.start(B)
    copy = backup(country, B)
    await held_at(country, person, B)
    await country.move(person, A)
    await country.calm()
    old = country.wire.taken("certificate", case)
    await put_back(country, B, copy)
    await country.wire.deliver(old)
    await all_is_well(country, person, (A, 2))


async def test_what_was_stored_for_a_past_hand_over_is_pointed_on(country: Country) -> None:
    """B has the records it promised to hold, and they have moved on: it points on, though A sends nothing."""
    person, _ = await promised(country)
    copy = backup(country, B)
    await held_at(country, person, B)
    await country.move(person, C)
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.pass_time(days=2, step_hours=12)
    assert country.registers.count("person", "state = 'PREPARED'") == 0
    await country.wire.let_go("reissue")
    await all_is_well(country, person, (C, 2))


async def test_a_promise_forgotten_here_and_lost_there_is_kept(country: Country) -> None:
    """B forgot that it accepted, A lost the certificate that says so: the ledger knows, and B holds."""
    person = country.person(A)
    forgotten = backup(country, B)
    case = await stopped_at(country, person, "acceptance")
    frozen = backup(country, A)
    country.wire.hold("certificate", "withdrawal")
    await put_back(country, B, forgotten)
    await country.resend()
    await country.until(B, case, "WITHDRAWING")
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASED")
    await put_back(country, A, frozen)
    country.wire.held.clear()
    country.wire.holding.clear()
    await all_is_well(country, person, (B, 1))


async def test_an_offer_of_long_ago_moves_nobody(country: Country) -> None:
    """B was put back to before a withdrawal, and holds by a later move: the old offer comes once more."""
    person = country.person(A)
    case = await stopped_at(country, person, "offer")
    copy = backup(country, B)
    await country.act(B, case, "withdrawal")
    await country.until(A, case, "WITHDRAWN")
    await country.wire.let_go("offer")
    await country.until(B, case, "WITHDRAWN")
    await country.move(person, C)
    await country.move(person, B)
    await country.calm()
    country.wire.wipe()
    country.wire.hold("offer", "cancel")
    await put_back(country, B, copy)
    await country.wait(lambda: country.registers.claims(person.key) == [B], "held at B again")
    await country.wire.let_go("offer")
    await country.calm()
    assert country.registers.holder(person.key) == (B, 2)
    await country.wire.let_go("cancel")
    await all_is_well(country, person, (B, 2))


async def test_an_origin_that_names_nobody_yet_is_asked_again(country: Country) -> None:
    """Both are put back to before there and back; the old home issues the way back before it has a record."""
    couple = country.family(A, 2)
    copies = {code: backup(country, code) for code in (A, B)}
    await country.move(couple[0], B, members=couple[1:])
    await country.move(couple[1], A)
    await country.calm()
    country.wire.hold("recall", "reissue", "resend")
    await put_back(country, B, copies[B])
    await put_back(country, A, copies[A])
    await country.calm()
    await country.wire.let_go("reissue")
    await country.wire.let_go("recall", "resend")
    await country.pass_time(days=2, step_hours=12)
    await all_is_well(country, couple[0], (B, 1))
    await all_is_well(country, couple[1], (A, 2))


async def test_a_promise_under_way_that_nobody_remembers_is_no_absence(country: Country) -> None:
    """B is put back with its fence while its acceptance travels; the ledger has them there: not unknown."""
    person = country.person(A)
    copy = backup(country, B)
    fence = (country.folder / "fences" / B).read_bytes()
    case = await stopped_at(country, person, "acceptance")
    country.wire.hold("started", "ahead", "receipt", "withdrawal", "certificate")
    await country.crash(B)
    (country.folder / "fences" / B).write_bytes(fence)
    await put_back(country, B, copy)
    await country.wire.let_go("acceptance")
    await country.until(A, case, "RELEASED")
    assert not country.sites[B].live.gate.put_back
    assert (await country.lookup(person, B)).status_code == 503
    assert (await country.hold(person, "HOLD", B)).status_code == 503
    country.wire.holding.clear()
    await country.wire.let_go("started", "ahead", "receipt", "withdrawal")
    assert type(await country.sites[B].live.ended()).__name__ == "PutBackError"
    await country.crash(B)
    await country.start(B)
    await country.wire.let_go("certificate")
    await all_is_well(country, person, (B, 1))


async def test_another_offer_than_the_accepted_one_ends_the_case(country: Country) -> None:
    """A is put back to before its offer, and makes another one of other records: B asks it to cancel."""
    (person,) = lives_at(country, NANJING)
    case = await stopped_at(country, person, "permit")
    copy = backup(country, A)
    await put(country, asked(country, MARITAL, person, NANJING, grade="A", details=MARRIED))
    country.wire.hold("acceptance")
    await country.wire.let_go("permit")
    await country.until(B, case, "PREPARED")
    accepted = (await country.case(B, case)).data.digest
    await put_back(country, A, copy)
    await country.until(A, case, "WITHDRAWN")
    assert (await country.case(B, case)).data.digest == accepted
    await country.wire.let_go("acceptance")
    await all_is_well(country, person, (A, 0))


async def test_a_withdrawal_that_was_forgotten_is_cancelled_again(country: Country) -> None:
    """B is put back to before a withdrawal, and what A said then is not sent again: B asks, and hears it."""
    person = country.person(A)
    case = await stopped_at(country, person, "permit")
    copy = backup(country, B)
    await country.act(B, case, "withdrawal")
    await country.until(B, case, "WITHDRAWN")
    country.wire.wipe()
    country.wire.dropping = {"resend", "started", "permit"}
    await put_back(country, B, copy)
    await country.act(B, case, "withdrawal")
    await country.until(B, case, "WITHDRAWN")
    country.wire.dropping.clear()
    country.wire.holding.clear()
    await all_is_well(country, person, (A, 0))


async def test_a_receipt_of_before_retires_nothing_that_is_asked_for_again(country: Country) -> None:
    """B took a message, was put back, and what A sent it again is lost: its old receipt comes (seed 2019)."""
    person = country.person(A)
    case = await stopped_at(country, person, "facts")
    copy = backup(country, B)
    country.wire.hold("receipt", "permit")
    await country.wire.let_go("facts")
    await country.until(B, case, "PERMITTED")
    await country.calm()
    late = [letter for letter in country.wire.held if (letter.name, letter.to) == ("receipt", A)]
    country.wire.wipe()
    country.wire.holding.clear()
    country.wire.dropping = {"facts"}
    await put_back(country, B, copy)
    await country.calm()
    for letter in late:
        await country.wire.deliver(letter)
    await country.calm()
    country.wire.dropping.clear()
    await country.resend()
    await country.until(B, case, "COMPLETED")
    await all_is_well(country, person, (B, 1))


async def test_what_an_incarnation_wanted_that_is_gone_is_receipted_all_the_same(country: Country) -> None:
    """B asked for a message again, and was put back, unnoticed, to before it ever had been (seed 3039)."""
    await country.move(country.person(A), B)
    await country.calm()
    await country.stop(A)
    wanted = (
        "UPDATE outbox SET again = 2, tries = 0, receipted_at = NULL, next_try_at = 1 WHERE case_id != ''"
    )
    country.registers.change(country.sites[A].database, wanted)
    await country.start(A)
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") > 0
    await country.pass_time(days=20, step_hours=12)
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
