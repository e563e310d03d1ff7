"""Messages that must not be taken: each is refused, counted, kept with its reason, and the others go on."""

from __future__ import annotations

import pytest

from tests.stories.clock import MORNING
from tests.stories.forging import goes_on, precheck, stopped_at
from tests.stories.mischief import forged
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_shared.ids import Province
from tongban_shared.messages.common import Receipt
from tongban_shared.messages.migration import (
    Acceptance,
    Certificate,
    Facts,
    Permit,
    PermitPerson,
    PersonEpoch,
    PersonFacts,
    PersonReleased,
)

A, B, C = "32", "33", "44"
DIGEST = "0" * 64
CASE = "44012026030299999999A"


@pytest.mark.parametrize(
    "where", [("envelope",), ("sender", "32"), ("facts",), ("TBP1",)], ids=lambda where: str(where[0])
)
async def test_a_flipped_byte_is_refused(country: Country, where: tuple[str, ...]) -> None:
    """A byte flipped anywhere on the way: refused, and the true message that comes again is taken."""
    case = await stopped_at(country, country.person(A), "facts")
    (letter,) = country.wire.held
    at = letter.data.index(where[-1].encode())
    data = letter.data[:at] + bytes([letter.data[at] ^ 1]) + letter.data[at + 1 :]
    await country.wire.deliver(Letter(letter.to, letter.family, data, letter.label))
    await country.calm()
    assert len(country.registers.quarantine(B)) == 1
    await country.wire.let_go("facts")
    await country.until(A, case, "CONFIRMED")


async def test_a_message_for_another_province_is_refused(country: Country) -> None:
    """A message in our log that is addressed to another: WRONG_RECEIVER."""
    letter = forged(country, precheck(country.person(B)), (A, C), case_id=CASE)
    await country.wire.deliver(Letter(Province(B), letter.family, letter.data, letter.label))
    await goes_on(country, ["WRONG_RECEIVER"])


async def test_a_message_in_another_s_name_is_refused(country: Country) -> None:
    """Signed by one province, sent in the name of another: WRONG_SENDER."""
    body = precheck(country.person(B))
    await country.wire.deliver(forged(country, body, (C, B), case_id=CASE, envelope={"sender": A}))
    await goes_on(country, ["WRONG_SENDER"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body_v": 2}, "UNKNOWN_VERSION"),
        ({"type": "migration.teleport"}, "UNKNOWN_TYPE"),
        ({"type": "migration.settled"}, "BAD_BODY"),
    ],
)
async def test_what_is_not_understood_returns_to_its_sender(
    country: Country, change: dict[str, object], reason: str
) -> None:
    """An unknown type or version, or a body that does not fit: refused; a receipt tells the sender."""
    letter = forged(country, precheck(country.person(B)), (C, B), case_id=CASE, envelope=change)
    await country.wire.deliver(letter)
    await goes_on(country, [reason])
    returned = [x for x in country.wire.sent if x.name == "receipt" and x.label.receiver == C]
    assert any(letter.label.id.encode() in x.data and reason.encode() in x.data for x in returned)


async def test_the_same_id_with_other_bytes_is_an_alarm(country: Country) -> None:
    """Same message id, other bytes: the first stands, the second is refused as ID_REUSED (M-4)."""
    person = country.person(A)
    case = await country.move(person, B)
    message_id = country.wire.taken("facts", case).label.id
    body = Facts(persons=(PersonFacts(person=person.key, status="UNKNOWN"),), contact="x")
    await country.wire.deliver(forged(country, body, (A, B), case_id=case, id=message_id))
    await goes_on(country, ["ID_REUSED"])


async def test_another_province_can_t_use_up_our_message_ids(country: Country) -> None:
    """A message id names its sender and receiver; one that names others is refused and blocks nobody."""
    taken = f"{A}-{B}-1-1"
    await country.wire.deliver(forged(country, precheck(country.person(B)), (C, B), case_id=CASE, id=taken))
    await country.calm()
    person = country.person(A)
    await country.move(person, B)


async def test_only_the_receiver_s_receipt_retires_a_row(country: Country) -> None:
    """A receipt signed by a third province retires nothing (C5)."""
    case = await stopped_at(country, country.person(A), "receipt", "permit")
    message_id = country.wire.taken("permit", case).label.id
    await country.wire.deliver(forged(country, Receipt(taken=(message_id,)), (C, B)))
    await country.calm()
    query = "SELECT receipted_at FROM outbox WHERE message_id = ?"
    assert country.registers.rows(B, query, message_id) == [(None,)]


@pytest.mark.parametrize(("same", "receipted"), [(False, False), (True, True)])
async def test_a_receipt_is_for_these_bytes(country: Country, same: bool, receipted: bool) -> None:  # noqa: FBT001
    """A sender that was put back gives a number twice: the receipt for the first retires no second (G1)."""
    case = await stopped_at(country, country.person(A), "receipt", "permit")
    letter = country.wire.taken("permit", case)
    query = "SELECT digest, receipted_at IS NOT NULL FROM outbox WHERE message_id = ?"
    ((digest, _),) = country.registers.rows(B, query, letter.label.id)
    told = Receipt(taken=(letter.label.id,), digests=(digest if same else "0" * 16,))
    await country.wire.deliver(forged(country, told, (A, B)))
    await country.calm()
    assert country.registers.rows(B, query, letter.label.id) == [(digest, int(receipted))]


async def test_a_receipt_alone_retires_a_row(country: Country) -> None:
    """The answer of the case is no receipt: without the receipt the row is sent again (C5)."""
    country.wire.dropping.add("receipt")
    case = await country.move(country.person(A), B)
    await country.calm()
    waiting = "next_try_at IS NOT NULL AND receipted_at IS NULL"
    assert country.registers.count("outbox", waiting) == country.registers.count("outbox") > 0
    await country.resend()
    assert len([x for x in country.wire.sent if (x.name, x.label.case_id) == ("permit", case)]) > 1
    country.wire.dropping.clear()
    await country.resend()
    assert country.registers.count("outbox", waiting) == 0


async def test_a_third_province_can_t_speak_in_a_case(country: Country) -> None:
    """A message in a case that the sender has no part in: WRONG_SENDER, the case is untouched."""
    person = country.person(A)
    case = await stopped_at(country, person, "facts")
    body = Facts(persons=(PersonFacts(person=person.key, status="UNKNOWN"),), contact="x")
    await country.wire.deliver(forged(country, body, (C, B), case_id=case))
    await country.calm()
    assert (country.registers.quarantine(B), country.state(B, case)) == (["WRONG_SENDER"], "CHECKING")


async def test_a_certificate_of_an_old_epoch_is_void(country: Country) -> None:
    """A certificate of an epoch that is over is refused as STALE_EPOCH, and nobody gets a second home."""
    person = country.person(A)
    for to in (B, C, A):
        await country.move(person, to)
    case = await stopped_at(country, person, "acceptance")
    body = certificate((PersonReleased(person=person.key, epoch=0, previous=""),))
    await country.wire.deliver(forged(country, body, (A, B), case_id=case))
    await country.calm()
    assert country.registers.quarantine(B) == ["STALE_EPOCH"]
    assert country.registers.holder(person.key) == (A, 3)


def certificate(persons: tuple[PersonReleased, ...], digest: str = DIGEST) -> Certificate:
    """A certificate that nobody issued."""
    return Certificate(
        certificate_no="QY32202600000009X",
        origin=A,
        destination=B,
        persons=persons,
        digest=digest,
        acceptance="",
        released_at=MORNING,
    )


async def test_an_acceptance_of_another_bundle_is_refused(country: Country) -> None:
    """An acceptance that commits to another digest releases nobody."""
    person = country.person(A)
    case = await stopped_at(country, person, "acceptance")
    body = Acceptance(digest=DIGEST, persons=(PersonEpoch(person=person.key, epoch=1),))
    await country.wire.deliver(forged(country, body, (B, A), case_id=case))
    await country.calm()
    assert (country.registers.quarantine(A), country.state(A, case)) == (["STEP_NOT_ALLOWED"], "FROZEN")


async def test_a_case_the_origin_does_not_know_is_cancelled(country: Country) -> None:
    """Presumed abort: a permit or acceptance of an unknown case is answered with MX, and recorded (MX)."""
    person = country.person(A)
    bodies = (
        Permit(
            permit_no="ZQ33202600000001X",
            persons=(PermitPerson(person=person.key, record_version=1),),
            issued_at=country.clock.now(),
            valid_until=country.clock.now(),
            approver="330100000000",
        ),
        Acceptance(digest=DIGEST, persons=(PersonEpoch(person=person.key, epoch=1),)),
    )
    for number, body in enumerate(bodies):
        case = f"3301202603020000099{number}A"
        await country.wire.deliver(forged(country, body, (B, A), case_id=case))
        await country.until(A, case, "VOIDED")
        assert country.wire.taken("cancel", case).to == B
        await country.wire.deliver(forged(country, precheck(person), (B, A), case_id=case))
        await country.calm()
        assert country.state(A, case) == "VOIDED"
    assert country.registers.holder(person.key) == (A, 0)
