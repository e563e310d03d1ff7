"""Messages that wait, that break the program, or that carry what they must not."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from tests.stories.clock import MORNING
from tests.stories.folk import Resident
from tests.stories.forging import goes_on, precheck, stopped_at
from tests.stories.mischief import forged
from tests.stories.world import Country
from tongban_shared.cases.kind import Case, Event, Judge, Verdict
from tongban_shared.cases.migration import MIGRATION
from tongban_shared.ids import Province
from tongban_shared.messages.migration import (
    Facts,
    Offer,
    PersonEpoch,
    PersonFacts,
    Settled,
)
from tongban_shared.ports import Family
from tongban_shared.registration import Surroundings

A, B, C = "32", "33", "44"
DIGEST = "0" * 64
CASE = "44012026030299999999A"


async def test_a_message_waits_for_its_cause(country: Country) -> None:
    """A message of a case not known here is parked once, however often it comes, and blocks nobody (M-5)."""
    letter = forged(country, settled(country.person(A)), (B, A), case_id=CASE)
    await country.wire.deliver(letter)
    await country.wire.deliver(letter)
    await country.calm()
    assert country.registers.count("parked") == 1
    await country.move(country.person(A), B)
    assert (country.registers.count("parked"), country.registers.count("quarantine")) == (1, 0)


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
    judge = MIGRATION.judges[name]

    def failing(case: Case, event: Event, around: Surroundings) -> Verdict:
        if event.case_id == case_id:
            raise LookupError("a planted error")
        return judge(case, event, around)

    monkeypatch.setitem(cast("dict[str, Judge]", MIGRATION.judges), name, failing)


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
    # The contract itself would refuse to make it.
    fact = PersonFacts.model_construct(person=person.key, status="OK", epoch=2**80, record_version=2**80)
    body = Facts(persons=(fact,), contact="x")
    await country.wire.deliver(forged(country, body, (A, B), case_id=case))
    await country.calm()
    country.wire.holding.clear()
    await country.move(country.person(C), B)
