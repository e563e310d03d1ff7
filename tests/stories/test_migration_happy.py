"""Migrations in which everything goes well."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import cast

import msgspec

from tests.stories.folk import Resident
from tests.stories.world import Country
from tongban_shared.cases.migration_compose import certificate_digest
from tongban_shared.keys import load_directory
from tongban_shared.messages.migration import Acceptance, Certificate
from tongban_shared.wire import Opened, Opener

A, B, C = "32", "33", "44"


async def test_one_person_moves(country: Country) -> None:
    """A clean move ends COMPLETED at the destination and CONFIRMED at the origin, and moves one home."""
    person = country.person(A)
    case = await country.move(person, B)
    assert country.registers.holder(person.key) == (B, 1)
    assert country.timeline(B, case) == ["CHECKING", "PERMITTED", "PREPARED", "COMPLETED"]
    assert country.timeline(A, case) == ["OPEN", "FROZEN", "RELEASING", "RELEASED", "CONFIRMED"]


async def test_the_ledger_and_the_registers_agree(country: Country) -> None:
    """After a move the ledger names the new holder at the next epoch, with the digest both registers keep."""
    person = country.person(A)
    await country.move(person, B)
    custody = (await country.ledger.locate([person.key]))[person.key]
    rows = [country.registers.person(code, person.key) for code in (A, B)]
    assert (custody.province, custody.epoch) == (B, 1)
    assert {row["proof_digest"] for row in rows if row} == {custody.certificate_digest}


async def test_nothing_is_left_over(country: Country) -> None:
    """After a move no message waits for its receipt, nothing is parked, nothing was refused."""
    await country.move(country.person(A), B)
    await country.calm()
    await country.resend()
    assert country.registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert country.registers.count("parked") == 0
    assert country.registers.count("quarantine") == 0


async def test_the_record_travels_whole(country: Country) -> None:
    """The destination's resident form is the origin's, with address, household and whence the person came."""
    person = country.person(A)
    await country.move(person, B)
    query = "SELECT record FROM record WHERE person = ?"
    before = msgspec.json.decode(country.registers.rows(A, query, person.key)[0][0])
    after = msgspec.json.decode(country.registers.rows(B, query, person.key)[0][0])
    assert after["address"] == "示例路1号"
    assert after["moved_in"] == {"reason": "JOB_TRANSFER", "from_province": A}
    changed = {"address", "household_no", "moved_in"}
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }


async def test_a_whole_household_moves_as_one(country: Country) -> None:
    """One case and one certificate move all members; the empty household closes, the eldest adult leads."""
    family = country.family(A, adults=2, minors=1)
    case = await country.move(family[0], B, members=family[1:])
    rows = [country.registers.person(B, member.key) for member in family]
    assert [country.registers.holder(member.key) for member in family] == [(B, 1)] * 3
    assert len({row["household_id"] for row in rows if row}) == 1
    assert sum(row["head"] for row in rows if row) == 1
    assert len([x for x in country.wire.sent if x.name == "certificate" and x.label.case_id == case]) == 1
    assert await is_open(country, family[0]) == 0


async def test_a_person_joins_a_household(country: Country) -> None:
    """Who joins a household (投靠) becomes its member and not its head; the household's own head stays."""
    host, guest = country.person(B), country.person(A)
    await country.move(guest, B, home=host.home, item="0104")
    row, head = (country.registers.person(B, one.key) for one in (guest, host))
    assert row is not None
    assert head is not None
    assert (row["household_id"], row["head"], head["head"]) == (host.home, 0, 1)


async def test_a_head_leaves_and_another_adult_follows_as_head(country: Country) -> None:
    """When the head of a household moves away, the origin names a new head in the same transaction (M-2)."""
    family = country.family(A, adults=2, minors=1)
    await country.move(family[0], B)
    heads = [country.registers.person(A, member.key) for member in family[1:]]
    adults = [row for row, member in zip(heads, family[1:], strict=True) if member.age >= 18]
    assert [row["head"] for row in heads if row] == [int(row in adults) for row in heads]
    assert await is_open(country, family[0]) == 1


async def test_the_last_member_leaves_and_the_household_closes(country: Country) -> None:
    """A household whose last member moved away is closed in the same transaction (M-2)."""
    person = country.person(A)
    assert await is_open(country, person) == 1
    await country.move(person, B)
    assert await is_open(country, person) == 0


async def test_each_move_counts_one_epoch(country: Country) -> None:
    """A person who moves A to B to C and back to A is at epoch 3, held there and nowhere else."""
    person = country.person(A)
    for to, epoch in ((B, 1), (C, 2), (A, 3)):
        await country.move(person, to)
        assert country.registers.holder(person.key) == (to, epoch)
    assert country.registers.claims(person.key) == [A]


async def test_certificates_make_a_chain(country: Country) -> None:
    """A certificate names the digest of the one that made its signer holder (M4)."""
    person = country.person(A)
    first, second = await country.move(person, B), await country.move(person, C)
    one, two = certificate(country, first, B), certificate(country, second, C)
    assert [released.previous for released in one.persons] == [""]
    assert [released.previous for released in two.persons] == [certificate_digest(one)]


async def test_both_rows_turn_at_one_instant(country: Country) -> None:
    """The row at the origin closes at the very instant at which the destination's row opens (M-8)."""
    person = country.person(A)
    country.wire.hold("settled")
    case = await country.apply(person, B)
    await country.until(B, case, "COMPLETED")
    await country.pass_time(hours=9)
    await country.wire.let_go("settled")
    await country.until(A, case, "CONFIRMED")
    here, there = (country.registers.person(code, person.key) for code in (A, B))
    assert here is not None
    assert there is not None
    assert here["valid_to"] == there["valid_from"]
    opened = (await country.case(B, case)).data.effective_at
    assert country.clock.now() - opened == timedelta(hours=9)


async def test_every_register_verb_leaves_history(country: Country) -> None:
    """Both sides keep every state that a registration went through, with epoch and case."""
    person = country.person(A)
    case = await country.move(person, B)
    query = "SELECT verb, state, epoch, case_id FROM history WHERE person = ? ORDER BY n"
    assert country.registers.rows(A, query, person.key) == [
        ("freeze", "FROZEN", 0, case),
        ("release", "RELEASED", 0, case),
        ("archive", "CONFIRMED", 0, case),
    ]
    assert country.registers.rows(B, query, person.key) == [
        ("prepare", "PREPARED", 1, case),
        ("hold", "HELD", 1, case),
    ]


async def test_a_certificate_proves_itself_offline(country: Country) -> None:
    """With the public keys alone anybody can check a certificate, and in it the destination's acceptance."""
    person = country.person(A)
    await country.move(person, B)
    proof = (await country.lookup(person, A)).json()["proof"]
    opened = offline(country, B, proof)
    assert (opened.message.envelope.sender, opened.message.envelope.type) == (A, Certificate.name)
    body = cast("Certificate", opened.message.body)
    accepted = offline(country, A, body.acceptance).message
    assert (accepted.envelope.sender, accepted.envelope.type) == (B, Acceptance.name)
    assert cast("Acceptance", accepted.body).digest == body.digest


async def test_both_registers_keep_the_same_certificate(country: Country) -> None:
    """Origin and destination keep the certificate byte for byte alike."""
    person = country.person(A)
    await country.move(person, B)
    query = "SELECT proof FROM proof WHERE person = ?"
    assert country.registers.rows(A, query, person.key) == country.registers.rows(B, query, person.key)


async def test_the_citizen_reads_one_story(country: Country) -> None:
    """Both sides show the case as COMPLETED, with permit and certificate, and nobody waits any more."""
    case = await country.move(country.person(A), B)
    views = [(await country.ask(code, f"/v1/cases/{case}")).json() for code in (A, B)]
    assert [view["state"] for view in views] == ["COMPLETED"] * 2
    assert [view["waiting_for"] for view in views] == [None] * 2
    assert views[0]["documents"] == views[1]["documents"]
    assert [document["kind"] for document in views[0]["documents"]] == [
        "MOVE_IN_PERMIT",
        "MIGRATION_CERTIFICATE",
    ]


async def is_open(country: Country, person: Resident) -> int:
    """Whether the person's household of the beginning is open."""
    query = "SELECT open FROM household WHERE id = ?"
    return int(country.registers.rows(person.province, query, person.home)[0][0])


def certificate(country: Country, case: str, receiver: str) -> Certificate:
    """The certificate of a case, as it was sent."""
    letter = country.wire.taken("certificate", case)
    return cast(
        "Certificate", offline(country, receiver, base64.b64encode(letter.data).decode()).message.body
    )


def offline(country: Country, receiver: str, proof: str) -> Opened:
    """Open a cut-out message with the public key list and nothing else."""
    return Opener(receiver, load_directory(country.keys)).open_proof(proof)
