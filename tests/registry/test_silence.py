"""A province that receipts nothing: what is sent to it meanwhile, and what goes out when it is back."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.registry.country import A, B
from tests.stories.wire import Letter
from tests.stories.world import Country
from tongban_registry import silence
from tongban_shared.ids import CaseId, Province

PEOPLE = 10
MONTH_MINUTES = 30 * 24 * 60
STEP_MINUTES = 10


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Country]:
    """Two provinces with more people than elsewhere."""
    country = await Country.open(tmp_path, provinces=2, people=240)
    try:
        yield country
    finally:
        await country.close()


async def waiting_for(country: Country, away: str, people: int = PEOPLE) -> list[CaseId]:
    """So many applications of people of a province that is away, made at the other one."""
    other = B if away == A else A
    await country.stop(away)
    return [await country.apply(country.person(away), other) for _ in range(people)]


async def rounds(country: Country, code: str, minutes: float, step: float = STEP_MINUTES) -> None:
    """The exit's rounds of so much time, one each step, without anybody else waking."""
    relay = country.sites[code].live.relay
    for _ in range(int(minutes / step)):
        country.clock._now += timedelta(minutes=step)
        while await relay.round():
            pass
        await relay.drain()


def prechecks(country: Country, since: int = 0) -> Sequence[Letter]:
    """Those sent from a point on."""
    return [letter for letter in country.wire.sent[since:] if letter.name == "precheck"]


def without_receipt(country: Country) -> int:
    """Messages that nobody has receipted, in the whole country."""
    return country.registers.count("outbox", "next_try_at IS NOT NULL")


async def test_an_hour_of_silence_costs_a_probe_every_few_minutes(country: Country) -> None:
    """Each message is tried eight times in as many minutes or so; then one goes out now and then, in turn."""
    await waiting_for(country, A)
    await rounds(country, B, 30, step=0.25)
    assert len(prechecks(country)) <= PEOPLE * (silence.TRIES_BEFORE_SILENCE + 2)
    before = len(country.wire.sent)
    await rounds(country, B, 60, step=0.25)
    probes = Counter(letter.label.id for letter in prechecks(country, before))
    assert 60 / 5 <= probes.total() <= 60
    assert len(probes) == PEOPLE, "probes go round"


async def test_a_month_of_silence_piles_up_nothing(country: Country) -> None:
    """Rounds go on for a month: what is sent does not depend on how many messages wait."""
    await waiting_for(country, A)
    await rounds(country, B, MONTH_MINUTES, step=60)
    probes = MONTH_MINUTES / 60
    assert probes <= len(prechecks(country)) <= probes + PEOPLE * (silence.TRIES_BEFORE_SILENCE + 1)
    assert without_receipt(country) == PEOPLE


async def test_what_is_sent_into_the_silence_goes_out_twice(country: Country) -> None:
    """Once when it is made and once again, for it may have been lost; then it waits with the others."""
    await waiting_for(country, A, people=1)
    await rounds(country, B, 120)
    before = len(country.wire.sent)
    fresh = await country.apply(country.person(A), B)
    await rounds(country, B, 120)
    sent = [letter.label.case_id for letter in prechecks(country, before)]
    assert sent[:2] == [fresh, fresh]
    assert len(sent) <= 2 + 120 // STEP_MINUTES


async def test_it_answers_and_the_rest_goes_out(country: Country) -> None:
    """The broker forgot everything meanwhile: the next probe's receipt lets all go, once (C5)."""
    cases = await waiting_for(country, A)
    await rounds(country, B, 24 * 60)
    country.wire.wipe()
    before = len(country.wire.sent)
    await country.start(A)
    await country.pass_time(hours=0.2, step_hours=0.05)
    for case_id in cases:
        await country.until(B, case_id, "COMPLETED")
    assert len(prechecks(country, before)) <= PEOPLE + 4
    assert country.registers.count("quarantine") == 0


async def test_what_lies_before_it_is_not_sent_again(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that receipts by itself what its log holds gets nothing twice while it does."""
    monkeypatch.setattr(silence, "LET_GO_PER_ROUND", 1)
    cases = await waiting_for(country, A)
    await rounds(country, B, 24 * 60)
    before = len(country.wire.sent)
    await country.start(A)
    for case_id in cases:
        await country.until(B, case_id, "COMPLETED")
    await country.pass_time(hours=0.2, step_hours=0.05)
    assert prechecks(country, before) == []
    assert without_receipt(country) == 0


async def test_a_word_from_the_silent_one_is_answered_with_a_probe(country: Country) -> None:
    """It has said something, so it is asked at once and not minutes later."""
    await waiting_for(country, A, people=2)
    await rounds(country, B, 24 * 60)
    country.wire.wipe()
    country.wire.hold("precheck")
    await country.start(A)
    before = len(country.wire.sent)
    await country.apply(country.person(B), A)
    country.wire.holding.clear()
    held = [letter for letter in country.wire.held if letter.to == B]
    for letter in held:
        await country.wire.deliver(letter)
    await country.calm()
    country.clock.advance(silence.PROBE_AGAIN.total_seconds() / 3600)
    await country.calm()
    assert [letter.to for letter in prechecks(country, before)].count(Province(A)) == 1


async def test_a_restart_forgets_no_silence(country: Country) -> None:
    """Whoever starts anew probes who was silent, and does not send everything first."""
    await waiting_for(country, A)
    await rounds(country, B, 24 * 60)
    before = len(country.wire.sent)
    await country.crash(B)
    await country.start(B)
    await country.calm()
    assert len(prechecks(country, before)) == 1
    assert without_receipt(country) == PEOPLE


def never_arrives(country: Country, message_id: str) -> None:
    """The wire loses this one whenever it is sent."""
    carry = country.wire.carry

    async def losing(letter: Letter) -> None:
        if letter.label.id != message_id:
            await carry(letter)

    vars(country.wire)["carry"] = losing


async def test_one_that_is_never_receipted_holds_up_nobody(country: Country) -> None:
    """A lane is silent for the sake of one message; another that was lost is sent again in its time."""
    never = (await waiting_for(country, A, people=1))[0]
    await rounds(country, B, 120)
    country.wire.wipe()
    never_arrives(country, prechecks(country)[0].label.id)
    await country.start(A)
    await country.calm()
    country.wire.dropping.add("precheck")
    lost = await country.apply(country.person(A), B)
    country.wire.dropping.clear()
    await country.pass_time(hours=0.01, step_hours=0.001)
    await country.until(B, lost, "COMPLETED")
    assert country.state(B, never) == "CHECKING"
