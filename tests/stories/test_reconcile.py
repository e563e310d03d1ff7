"""The proof of every night: no alarm while people move, and nobody who is lost or doubled is missed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.stories.auditing import AuditedCountry, Forger, Parrot, said
from tests.stories.backups import backup, put_back
from tests.stories.crowd import OPEN_CASES, Watch, arrived, depart, plan
from tests.stories.mischief import dies, has_died
from tests.stories.newborns import apply, father, mother, newcomers
from tests.stories.world import Country
from tongban_sandbox.reconcile.judge import Verdict
from tongban_sandbox.reconcile.run import Outcome
from tongban_sandbox.reconcile.voices import RegistryOverHttp
from tongban_shared.ids import Province

A, B, C = "32", "33", "44"
PEOPLE = 3 * 120
SEED = 20_261_124
PROOFS_MIN = 8
ABSENT = "DELETE FROM person WHERE key = '{key}'"
STILL_HELD = (
    "UPDATE person SET state = 'HELD', epoch = 0, moved_to = NULL, case_id = NULL WHERE key = '{key}'"
)


@pytest.fixture
async def country(settled_country: Path, tmp_path: Path) -> AsyncIterator[AuditedCountry]:
    """Three provinces, running, whose ledger can be asked for sums."""
    folder = tmp_path / "country"
    shutil.copytree(settled_country, folder)
    country = await AuditedCountry.open(folder)
    try:
        yield country
    finally:
        await country.close()


def found(outcome: Outcome) -> dict[str, Verdict]:
    """Digest → what is wrong."""
    return {evidence.digest: verdict for verdict, evidence in outcome.settled.faults}


async def damage(country: Country, code: str, statement: str, key: str) -> None:
    """Change a row behind a province's back."""
    await country.stop(code)
    country.registers.change(country.sites[code].database, statement.format(key=key))
    await country.start(code)


async def test_a_quiet_country_is_proven(country: AuditedCountry) -> None:
    """Everybody at home: proven by sums alone, no list of anybody was exchanged."""
    outcome = await country.prove()
    assert outcome.proven
    assert outcome.settled.in_order == 0
    assert said(outcome).startswith(f"{PEOPLE} persons, 3 provinces, ledger head {PEOPLE}: exactly one home")


async def test_whoever_is_released_counts_at_the_origin(country: AuditedCountry) -> None:
    """Released and not yet held: proven, and listed with case, way, owner and age."""
    country.wire.hold("certificate")
    person = country.person(A)
    case = await country.apply(person, B)
    await country.until(A, case, "RELEASED")
    country.clock.advance(2)
    outcome = await country.prove()
    assert outcome.proven
    line = f"{country.digest(person.key)}  {A} → {B}  RELEASED  2 h 00 min  case {case}  waits for {B}"
    assert line in said(outcome)
    await country.wire.let_go("certificate")
    await country.until(A, case, "CONFIRMED")
    outcome = await country.prove()
    assert (outcome.proven, outcome.in_transfer) == (True, 0)


async def test_held_and_not_yet_settled_is_one_home(country: AuditedCountry) -> None:
    """B holds, A has not heard: both count the same claim, which is looked at and found in order."""
    country.wire.hold("settled")
    case = await country.apply(country.person(A), B)
    await country.until(B, case, "COMPLETED")
    outcome = await country.prove()
    assert (outcome.proven, outcome.settled.in_order, outcome.in_transfer) == (True, 1, 1)


async def test_the_ledger_is_ahead_of_the_origin(country: AuditedCountry) -> None:
    """The ledger has entered the hand-over and the origin has not heard: in transfer, no alarm."""
    person = country.person(A)
    country.books.mute = True
    case = await country.apply(person, B)
    await country.wait(lambda: len(country.ledger.entries) > PEOPLE, "the ledger's entry")
    assert country.state(A, case) == "RELEASING"
    outcome = await country.prove()
    assert (outcome.proven, outcome.settled.in_order) == (True, 1)


async def test_a_province_that_is_away_leaves_it_unproven(country: AuditedCountry) -> None:
    """Nobody is called lost because a province does not answer; nothing is called proven either."""
    country.wire.hold("certificate")
    case = await country.apply(country.person(A), B)
    await country.until(A, case, "RELEASED")
    await country.stop(B)
    outcome = await country.prove()
    assert (outcome.proven, outcome.faulty, found(outcome)) == (False, False, {})
    assert outcome.silent == {B: "NOT_ASKED"}
    assert "NOT PROVEN" in said(outcome)


async def test_nobody_speaks_for_a_province(country: AuditedCountry) -> None:
    """A statement of an earlier run, or one with another number in it, proves nothing, and says why."""
    door = country.sites[A].door
    assert door is not None
    parrot = Parrot(RegistryOverHttp(door))
    # In its first run it repeats what it was asked for just now; only its goodbye is out of place.
    assert (await country.prove({Province(A): parrot})).proven
    for voice, reason in ((parrot, "STALE"), (Forger(RegistryOverHttp(door)), "BAD_SIGNATURE")):
        outcome = await country.prove({Province(A): voice})
        assert (outcome.proven, outcome.faulty) == (False, False)
        assert outcome.silent == {A: f"STATEMENT_{reason}"}
        assert f"no statement from {A} (STATEMENT_{reason})" in said(outcome)


async def test_a_registry_that_recovers_says_nothing(country: AuditedCountry) -> None:
    """Before the gate is passed no statement is made, and the run says why."""
    copy = backup(country, A)
    await country.move(country.person(A), B)
    country.ledger.down = True
    await put_back(country, A, copy)
    outcome = await country.prove()
    assert (outcome.proven, outcome.faulty, outcome.silent) == (False, False, {A: "RECOVERING"})
    country.ledger.down = False
    await country.wait(lambda: country.sites[A].live.gate.open, "open")
    await country.calm()
    assert (await country.prove()).proven


async def test_a_record_on_its_way_back_is_not_lost(country: AuditedCountry) -> None:
    """B was put back and fetches the record of somebody whom the ledger has there: listed, no alarm."""
    person = country.person(A)
    copy = backup(country, B)
    case = await country.move(person, B)
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.calm()
    outcome = await country.prove()
    assert outcome.proven
    assert [evidence.digest for evidence in outcome.settled.fetched_back] == [country.digest(person.key)]
    assert f"fetched back after a restore: {country.digest(person.key)}" in said(outcome)
    assert case in said(outcome)


async def test_a_lost_person_is_found(country: AuditedCountry) -> None:
    """The destination has lost the row: exactly this person, where they were, and the recall to repair it."""
    person = country.person(A)
    case = await country.move(person, B)
    await damage(country, B, ABSENT, person.key)
    outcome = await country.prove()
    assert found(outcome) == {country.digest(person.key): Verdict.LOST}
    report = said(outcome)
    assert f"the ledger names {B} at epoch 1 by case {case}" in report
    assert f"{A}: CONFIRMED at epoch 0 to {B}" in report
    assert f"{B}: no row" in report
    assert f"Restart {B}" in report
    assert f"recalls the record of case {case} from {A}" in report
    assert "1 LOST" in report.splitlines()[-1]


async def test_a_doubled_person_is_found(country: AuditedCountry) -> None:
    """The origin claims again what it gave away: its row is void, and the ledger's holder stands."""
    person = country.person(A)
    case = await country.move(person, B)
    await damage(country, A, STILL_HELD, person.key)
    outcome = await country.prove()
    assert found(outcome) == {country.digest(person.key): Verdict.DOUBLED}
    report = said(outcome)
    assert f"Pause {A}" in report
    assert f"its row at epoch 0 is void since case {case} gave the person to {B}" in report
    assert f"The ledger rules: {B} at epoch 1 stands." in report


async def test_a_person_somewhere_else_is_found(country: AuditedCountry) -> None:
    """Both sides have forgotten the move: one home, not the ledger's; both are told what to do."""
    person = country.person(A)
    await country.move(person, B)
    await damage(country, A, STILL_HELD, person.key)
    await damage(country, B, ABSENT, person.key)
    outcome = await country.prove()
    assert found(outcome) == {country.digest(person.key): Verdict.ELSEWHERE}
    assert f"Pause {A}" in said(outcome)
    assert f"Restart {B}" in said(outcome)


async def test_a_person_whom_the_ledger_does_not_know_is_found(country: AuditedCountry) -> None:
    """Registered first and never entered: the province is told to enter them."""
    person = country.person(A)
    del country.ledger._newest[person.key]
    outcome = await country.prove()
    assert found(outcome) == {country.digest(person.key): Verdict.UNENTERED}
    assert f"{A} enters this first registration at the ledger" in said(outcome)


async def test_a_transfer_that_no_case_moves_is_found(country: AuditedCountry) -> None:
    """A frozen person whose case is gone waits for nobody (C3): an alarm, although there is one home."""
    country.wire.hold("acceptance")
    person = country.person(A)
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    await damage(country, A, "DELETE FROM cases WHERE persons LIKE '%{key}%'", person.key)
    outcome = await country.prove()
    assert (found(outcome), outcome.stray, outcome.faulty) == ({}, 1, True)
    assert f"{country.digest(person.key)}  {A} → ?  FROZEN" in said(outcome)
    assert "1 in transfer without a case" in said(outcome).splitlines()[-1]


@pytest.mark.timeout(180)
async def test_no_false_alarm_during_a_storm_of_migrations(tmp_path: Path) -> None:
    """Three hundred move at once on a wire that doubles and shuffles: each run in the midst is a proof."""
    country = await AuditedCountry.open(tmp_path, provinces=5, people=300)
    try:
        country.wire.copies, country.wire.random = 2, Random(SEED)
        trips = plan(country, 300, Random(SEED))
        watch = Watch(country)
        outcomes: list[Outcome] = []

        async def audit() -> None:
            while len(outcomes) < PROOFS_MIN or country.registers.count("cases", OPEN_CASES):
                outcomes.append(await country.prove())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(depart(country, trips))
            auditing = tasks.create_task(audit())
            await asyncio.wait({auditing})
        assert [said(outcome) for outcome in outcomes if not outcome.proven] == []
        assert sum(outcome.settled.in_order for outcome in outcomes) > 0
        await watch.until_all_ended(trips)
        await country.resend()
        await arrived(country, trips)
        assert (await country.prove()).proven
    finally:
        await country.close()


async def test_a_crash_at_the_pivot_raises_no_alarm(country: AuditedCountry) -> None:
    """The origin dies with the ledger's entry made: unproven while it is away, proven when it is back."""
    person = country.person(A)
    await dies(country, A, "RELEASED", "before")
    case = await country.apply(person, B)
    await has_died(country, A)
    outcome = await country.prove()
    assert (outcome.proven, found(outcome)) == (False, {})
    await country.start(A)
    await country.until(A, case, "CONFIRMED")
    assert (await country.prove()).proven


async def test_a_newborn_is_proven_from_the_first_instant(country: AuditedCountry) -> None:
    """Between the ledger's entry and the row: no alarm. After it: one home more. At the end: at home."""
    before = (await country.prove()).persons
    country.books.deaf = True
    case = await apply(country, (father(country, A), mother(country, B)), A)
    await country.until(A, case, "ENTERING")
    await asyncio.wait_for(country.books.entered.wait(), 15)
    between = await country.prove()
    assert (between.proven, found(between), newcomers(country, A)) == (True, {}, [])
    country.books.deaf = False
    await country.until(A, case, "COMPLETED")
    after = await country.prove()
    assert (after.proven, after.persons) == (True, before + 1)
