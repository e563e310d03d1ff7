"""Messages that must not be taken: each is refused, counted, kept with its reason, and the others go on."""

from __future__ import annotations

import msgspec
import pytest

from tests.stories.clock import MORNING
from tests.stories.folk import Resident
from tests.stories.mischief import forged
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_shared.cases.kind import Case, Event, Verdict
from tongban_shared.cases.migration_rules import JUDGES
from tongban_shared.ids import CaseId, Province
from tongban_shared.messages.common import Receipt
from tongban_shared.messages.migration import (
    Acceptance,
    Certificate,
    Facts,
    Offer,
    Permit,
    PermitPerson,
    PersonAsked,
    PersonEpoch,
    PersonFacts,
    PersonReleased,
    Precheck,
    Settled,
)
from tongban_shared.ports import Family
from tongban_shared.registration import Surroundings

A, B, C = "32", "33", "44"
DIGEST = "0" * 64
CASE = "44012026030299999999A"


async def goes_on(country: Country, reasons: list[str], at: str = B) -> None:
    """The province refused for these reasons, lives, and a move through it still works."""
    await country.calm()
    assert country.registers.quarantine(at) == reasons
    counted = country.sites[at].live.hall.meters.quarantined.collect()[0].samples
    totals = {x.labels["reason"]: x.value for x in counted if x.name.endswith("_total")}
    assert totals == {reason: reasons.count(reason) for reason in reasons}
    person = country.person(A)
    await country.move(person, B)
    assert country.registers.holder(person.key) == (B, 1)


def precheck(person: Resident) -> Precheck:
    """A question about one person."""
    asked = (PersonAsked(person=person.key, name_check=person.check),)
    return Precheck(migration_type="HOUSING", persons=asked)


async def stopped_at(country: Country, person: Resident, *names: str) -> CaseId:
    """A case whose messages of these names are held; the last name is on its way."""
    country.wire.hold(*names)
    case = await country.apply(person, B)
    await country.wait(lambda: any(x.name == names[-1] for x in country.wire.held), names[-1])
    return case


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
    """An unknown type or version, or a body that does not fit: refused, and the sender is told in a receipt."""
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


async def test_a_message_waits_for_its_cause(country: Country) -> None:
    """A message whose cause has not come is parked, blocks nobody, and is taken when the cause comes (M-5)."""
    person = country.person(A)
    case = await stopped_at(country, person, "precheck")
    country.wire.hold("cancel")
    await country.act(B, case, "withdrawal")
    await country.calm()
    assert country.registers.count("parked") == 1
    other = country.person(A)
    held, country.wire.held = country.wire.held, []
    country.wire.holding.clear()
    await country.move(other, B)
    for letter in held:
        await country.wire.deliver(letter)
    await country.until(B, case, "WITHDRAWN")
    await country.calm()
    assert country.registers.count("parked") + country.registers.count("quarantine") == 0


async def test_a_message_that_waits_in_vain_is_quarantined(country: Country) -> None:
    """A parked message is tried at each step of its case, at most five times (M-5)."""
    person = country.person(A)
    case = await stopped_at(country, person, "permit")
    await country.wire.deliver(forged(country, settled(person), (A, B), case_id=case))
    await facts_again(country, person, case, times=7)
    assert country.registers.quarantine(B) == ["PARKED_TOO_LONG"]
    assert country.registers.count("parked") == 0


def settled(person: Resident) -> Settled:
    """What an origin never sends."""
    persons = (PersonEpoch(person=person.key, epoch=1),)
    return Settled(certificate_no="QY32202600000009X", persons=persons, effective_at=MORNING)


async def facts_again(country: Country, person: Resident, case: str, times: int) -> None:
    """Facts that differ in their id only; each is a step of the case."""
    fact = PersonFacts(person=person.key, status="OK", epoch=0, record_version=1)
    for _ in range(times):
        body = Facts(persons=(fact,), contact="x")
        await country.wire.deliver(forged(country, body, (A, B), case_id=case))
        await country.calm()


async def test_a_poison_message_is_quarantined_after_five_tries(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message on which the program fails is tried five times, then set aside; all others go on (M-5)."""
    person = country.person(A)
    case = await stopped_at(country, person, "permit")
    country.wire.hold("facts")
    fails_on(monkeypatch, "permit", case)
    await country.wire.let_go("permit")
    await country.calm()
    message_id = country.wire.taken("permit", case).label.id
    for tries in range(1, 6):
        assert country.registers.rows(A, "SELECT message_id, tries FROM parked") == [(message_id, tries)]
        await country.wire.deliver(forged(country, precheck(person), (B, A), case_id=case))
        await country.calm()
    assert country.registers.rows(A, "SELECT message_id FROM quarantine") == [(message_id,)]
    assert country.registers.count("parked") == 0
    country.wire.holding.clear()
    await country.move(country.person(A), B)


async def test_a_poison_message_does_not_stop_those_behind_it(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one message fails, everybody else's go on."""
    case = await stopped_at(country, country.person(A), "permit")
    fails_on(monkeypatch, "permit", case)
    await country.wire.let_go("permit")
    await country.move(country.person(A), B)
    assert country.registers.count("parked") == 1


def fails_on(monkeypatch: pytest.MonkeyPatch, name: str, case_id: str) -> None:
    """Plant an error of the program in the judgement of one message of one case."""
    judge = JUDGES[name]

    def failing(case: Case, event: Event, around: Surroundings) -> Verdict:
        if event.case_id == case_id:
            raise LookupError("a planted error")
        return judge(case, event, around)

    monkeypatch.setitem(JUDGES, name, failing)


async def test_a_bundle_that_is_not_what_its_digest_says_is_refused(country: Country) -> None:
    """The bundle must hash to the digest that the offer, the acceptance and the certificate commit to."""
    person = country.person(A)
    case = await stopped_at(country, person, "offer")
    row = country.registers.person(A, person.key)
    assert row is not None
    number = (await country.case(B, case)).data.permit_no
    entry = {key: row[key] for key in ("epoch", "record_version", "name_check", "birth_date")}
    bundle = msgspec.json.encode([{"person": person.key, "record": {}, **entry}])
    body = Offer(
        permit_no=number, persons=(PersonEpoch(person=person.key, epoch=0),), digest=DIGEST, sealed=""
    )
    await country.wire.deliver(forged(country, body, (A, B), case_id=case, bundle=bundle))
    await country.calm()
    assert country.state(B, case) == "PERMITTED"


async def test_a_bundle_can_t_bring_in_somebody_else(country: Country) -> None:
    """An offer whose bundle holds another person than the case's changes nobody else's registration."""
    person, victim = country.person(A), country.person(B)
    case = await stopped_at(country, person, "offer")
    row = country.registers.person(B, victim.key)
    assert row is not None
    number = (await country.case(B, case)).data.permit_no
    entry = {key: row[key] for key in ("epoch", "record_version", "name_check", "birth_date")}
    bundle = msgspec.json.encode([{"person": victim.key, "record": {}, **entry}])
    body = Offer(
        permit_no=number, persons=(PersonEpoch(person=person.key, epoch=0),), digest=DIGEST, sealed=""
    )
    await country.wire.deliver(forged(country, body, (A, B), case_id=case, bundle=bundle))
    await country.calm()
    assert country.registers.holder(victim.key) == (B, 0)


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"envelope":' * 50_000], ids=["arrays", "objects"])
async def test_a_message_nested_too_deep_is_refused(country: Country, raw: bytes) -> None:
    """Bytes that no parser can follow are refused like any bad frame; the registry lives."""
    data = _signed(country, raw)
    await country.wire.inner.send(Province(B), Family.MIGRATION, data, {})
    await goes_on(country, ["BAD_FRAME"])


def _signed(country: Country, raw: bytes) -> bytes:
    from tongban_shared.keys import load_signer  # noqa: PLC0415
    from tongban_shared.wire import pack, sign_unit  # noqa: PLC0415

    unit = sign_unit(load_signer(country.keys, A), "9.1", [raw])
    return next(pack(unit.header, unit.leaves))


async def test_a_number_no_database_can_hold_is_refused(country: Country) -> None:
    """An epoch of 2^80 spoils its message and not the unit of work it came with."""
    person = country.person(A)
    case = await stopped_at(country, person, "facts")
    fact = PersonFacts(person=person.key, status="OK", epoch=2**80, record_version=2**80)
    body = Facts(persons=(fact,), contact="x")
    await country.wire.deliver(forged(country, body, (A, B), case_id=case))
    await country.calm()
    country.wire.holding.clear()
    await country.move(country.person(C), B)
