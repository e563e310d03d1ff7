"""Messages that wait for their cause: bounded in number, in tries and in time (M-5)."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from tests.registry.country import A, B, ok
from tests.stories.clock import MORNING
from tests.stories.folk import Resident
from tests.stories.forging import stopped_at
from tests.stories.mischief import forged
from tests.stories.world import Country
from tongban_registry import timers
from tongban_registry.views import local
from tongban_shared.errors import WireError
from tongban_shared.ids import Province, make_case_id
from tongban_shared.messages.migration import Offer, PersonEpoch, Settled

PARKED, QUARANTINE = "/v1/ops/parked", "/v1/ops/quarantine"


def settled(person: Resident) -> Settled:
    """What nobody asked for."""
    persons = (PersonEpoch(person=person.key, epoch=1),)
    return Settled(certificate_no="QY32202600000009X", persons=persons, effective_at=MORNING)


async def parked(country: Country, serial: int = 1) -> str:
    """A message at A of a case that A never heard of; the number of the case."""
    case_id = make_case_id(Province(B), "01", MORNING.date(), serial)
    body = settled(country.person(A)) if serial == 1 else settled(next(country.sites[A].folk.singles()))
    await country.wire.deliver(forged(country, body, (B, A), case_id=case_id))
    await country.calm()
    return case_id


async def test_it_is_on_a_list(country: Country) -> None:
    """Operators see since when a message waits, for which case, and how often it was tried."""
    case_id = await parked(country)
    (entry,) = (await ok(country, A, PARKED))["items"]
    assert (entry["case_id"], entry["sender"], entry["tries"]) == (case_id, B, 1)
    assert entry["since"] == local(MORNING)


async def test_after_a_day_it_is_an_alarm(country: Country) -> None:
    """Its cause should have come; somebody is to look."""
    await parked(country)
    await country.pass_time(hours=23)
    assert (await ok(country, A, "/v1/ops/overview"))["alarms"] == []
    await country.pass_time(hours=2)
    assert (await ok(country, A, "/v1/ops/overview"))["alarms"] == ["PARKED"]


async def test_after_its_time_it_is_for_people(country: Country) -> None:
    """Older than any permit is good for: in quarantine with its reason, counted, out of its case's way."""
    await parked(country)
    await country.pass_time(days=59)
    assert country.registers.quarantine(A) == []
    await country.pass_time(days=1.1)
    assert country.registers.quarantine(A) == ["PARKED_TOO_LONG"]
    assert country.registers.count("parked") == 0
    counted = country.sites[A].live.hall.meters.quarantined.labels("PARKED_TOO_LONG")._value.get()
    assert counted == 1
    assert (await ok(country, A, "/v1/ops/overview"))["alarms"] == ["QUARANTINED"]


async def test_a_step_of_its_case_gives_no_new_time(country: Country) -> None:
    """The time runs from when it came first; a message of the same case that came later still waits."""
    case_id = await parked(country)
    await country.pass_time(days=30)
    person = country.person(A)
    await country.wire.deliver(forged(country, settled(person), (B, A), case_id=case_id))
    await country.calm()
    await country.pass_time(days=31)
    assert country.registers.quarantine(A) == ["PARKED_TOO_LONG"]
    assert country.registers.count("parked") == 1


async def test_a_replay_gives_it_time_again(country: Country) -> None:
    """An operator who knows that the cause will come puts it back; it waits as if it had just come."""
    await parked(country)
    await country.pass_time(days=61)
    ((number,),) = country.registers.rows(A, "SELECT n FROM quarantine")
    why = {"actor": "operator-1", "reason": "the sender's broker lost it"}
    await ok(country, A, f"{QUARANTINE}/{A}-{number}/replay", why)
    await country.pass_time(days=59)
    assert (country.registers.count("parked"), country.registers.quarantine(A)) == (1, [])


async def test_one_that_can_no_longer_be_opened_is_refused_once(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parked message whose seal does not open any more leaves its case, and stands in quarantine once."""
    person = country.person(A)
    case_id = await stopped_at(country, person, "facts")
    country.wire.dropping.add("offer")
    bundle = b"[]"
    epochs = (PersonEpoch(person=person.key, epoch=0),)
    body = Offer(permit_no="ZQ33202600000009X", persons=epochs, digest=sha256(bundle).hexdigest(), sealed="")
    letter = forged(country, body, (A, B), case_id=case_id, bundle=bundle)
    await country.wire.deliver(letter)
    await country.calm()
    assert country.registers.rows(B, "SELECT message_id FROM parked") == [(letter.label.id,)]

    def broken(*_: object) -> bytes:
        raise WireError("BAD_SEAL")

    monkeypatch.setattr(country.sites[B].live.office.signer, "unseal", broken)
    await country.wire.let_go("facts")
    await country.until(B, case_id, "PERMITTED")
    await country.act(B, case_id, "withdrawal")
    await country.calm()
    assert country.registers.rows(B, "SELECT message_id FROM quarantine") == [(letter.label.id,)]
    assert country.registers.rows(B, "SELECT message_id FROM parked") == []


async def test_there_are_never_too_many(country: Country, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of messages for cases that nobody knows only so many wait; the oldest are for people."""
    monkeypatch.setattr(timers, "PARKED_COUNT_MAX", 2)
    first = await parked(country)
    for serial in (2, 3):
        await country.pass_time(hours=1)
        await parked(country, serial)
    await country.pass_time(hours=1)
    assert country.registers.count("parked") == 2
    assert country.registers.quarantine(A) == ["PARKED_TOO_LONG"]
    left = country.registers.rows(A, "SELECT case_id FROM parked")
    assert (first,) not in left
    assert timedelta(days=40) < timers.PARKED_MAX, "longer than a permit is good for"
