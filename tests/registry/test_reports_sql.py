"""The statements of reports.py on each database: PostgreSQL and SQLite must find the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace as replace_case
from sqlalchemy.ext.asyncio import AsyncEngine

from tongban_registry.health import MIGRATIONS
from tongban_registry.storage import tables as t
from tongban_registry.storage.refused import Refusals
from tongban_registry.storage.report_sql import RELEASE_ALARM, Moment, Wanted
from tongban_registry.storage.reports import Claim, Reports
from tongban_registry.storage.rows import case_row, person_row, to_us
from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.cases.register_change_data import ChangeData
from tongban_shared.ids import CaseId, Province, make_case_id
from tongban_shared.provinces import load_provinces
from tongban_shared.registration import Person, Registration
from tongban_shared.storage.engine import open_engine, write
from tongban_shared.storage.migrate import upgrade

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CALENDAR = load_provinces()[Province("44")].calendar
MOMENT = Moment.of(NOW, CALENDAR)
STATION = "440100000100"
CASES = [make_case_id(Province("44"), "01", date(2026, 3, 2), serial) for serial in range(4)]
ANY = Wanted()


def a_case(serial: int, *, state: str = "REVIEWING", waits: Waits = Waits.OFFICER, days: int = 1) -> Case:
    """An open case that is due in so many days, or a closed one."""
    ended = waits is Waits.NOBODY
    return Case(
        id=CASES[serial],
        kind="migration",
        side=Side.DESTINATION,
        state=state,
        version=1,
        item="0101",
        origin="32",
        destination="44",
        persons=("p1",),
        data=MigrationData(migration_type="SPOUSE", accepting_org=STATION if serial else "440100000000"),
        opened_at=NOW,
        due_at=None if ended else NOW + timedelta(days=days),
        closed_at=NOW if ended else None,
        waits=waits,
    )


def a_person(key: str, state: Registration, case_id: CaseId | None = None) -> Person:
    """One row of the register."""
    return Person(
        key=key,
        epoch=0,
        state=state,
        record_version=1,
        name_check="check",
        birth_date=date(1990, 1, 1),
        household_id="h",
        head=True,
        version=1,
        case_id=case_id,
        moved_to="32",
    )


async def enter(engine: AsyncEngine) -> None:
    """Four cases: overdue, not yet, limit passed before, closed; three persons; messages; an old refusal."""
    late, fresh, again = a_case(0, days=-1), a_case(1), a_case(2, days=2)
    done = a_case(3, state="COMPLETED", waits=Waits.NOBODY)
    people = (("p1", "HELD", None), ("p2", "RELEASED", CASES[1]), ("p3", "FROZEN", CaseId("gone")))
    at = to_us(NOW)
    async with write(engine) as tx:
        for case in (late, fresh, again, done):
            await tx.execute(t.CASES.insert().values(case_row(case)))
        for key, state, case_id in people:
            await tx.execute(
                t.PERSON.insert().values(person_row(a_person(key, Registration(state), case_id)))
            )
        lines = [(CASES[2], "migration.facts"), (CASES[2], "migration.limit"), (CASES[1], "migration.facts")]
        for case_id, event in lines:
            line = {
                "case_id": case_id,
                "at": at,
                "province": "32",
                "event": event,
                "actor": "x",
                "state": "S",
            }
            await tx.execute(t.TIMELINE.insert().values(line))
        told = {"epoch": 0, "state": "RELEASED", "verb": "release", "proof_digest": "", "at": at}
        await tx.execute(t.HISTORY.insert().values({**told, "person": "p2", "case_id": CASES[1]}))
        for number, case_id in (("32-44-1-1", CASES[1]), ("32-44-1-2", CASES[2]), ("11-44-1-1", None)):
            taken = {"message_id": number, "digest": "d", "case_id": case_id, "at": at}
            await tx.execute(t.INBOX.insert().values(taken))
        parked = {"message_id": "32-44-1-2", "case_id": CASES[2], "parcel": "AA==", "tries": 1, "at": at + 1}
        await tx.execute(t.PARKED.insert().values(parked))
        refused = {
            "reason": "BAD_SEAL",
            "sender": "32",
            "message_id": "32-44-1-1",
            "parcel": "AA==",
            "at": at,
        }
        await tx.execute(t.QUARANTINE.insert().values(refused))


@pytest.fixture
async def reports(sql_url: str) -> AsyncIterator[Reports]:
    """Reports over the rows of `enter`."""
    await upgrade(sql_url, MIGRATIONS)
    engine = await open_engine(sql_url)
    await enter(engine)
    yield Reports(engine)
    await engine.dispose()


async def numbers(reports: Reports, wanted: Wanted) -> list[str]:
    """Open cases that are found, in order."""
    return [row.id for row in (await reports.attention(wanted, MOMENT, None, limit=10)).rows]


async def test_overdue_first_then_by_limit(reports: Reports) -> None:
    """A limit that passes now and one that passed before count as overdue; closed cases are not there."""
    assert await numbers(reports, ANY) == [CASES[0], CASES[2], CASES[1]]


async def test_a_task_is_on_the_list_of_the_office_whose_move_it_is(sql_url: str) -> None:
    """What an officer decides is the answering station's, all else the accepting office's."""
    await upgrade(sql_url, MIGRATIONS)
    engine = await open_engine(sql_url)
    home, window = "440100000200", STATION
    kept = {"kind": "register_change", "item": "0620"}
    by_both = ChangeData(accepting_org=window, answering_org=home)
    decided = replace_case(a_case(0), data=by_both, **kept)
    on_its_way = replace_case(a_case(1, waits=Waits.DESTINATION), data=by_both, **kept)
    mirrored = replace_case(a_case(2, waits=Waits.DESTINATION), data=ChangeData(answering_org=home), **kept)
    async with write(engine) as tx:
        for case in (decided, on_its_way, mirrored):
            await tx.execute(t.CASES.insert().values(case_row(case)))
    assert set(await numbers(Reports(engine), Wanted(org=home))) == {decided.id, mirrored.id}
    assert await numbers(Reports(engine), Wanted(org=window)) == [on_its_way.id]
    await engine.dispose()


async def test_filters(reports: Reports) -> None:
    """Each filter finds what it names."""
    assert await numbers(reports, Wanted(overdue=True)) == [CASES[0], CASES[2]]
    assert await numbers(reports, Wanted(overdue=False)) == [CASES[1]]
    assert await numbers(reports, Wanted(org=STATION)) == [CASES[2], CASES[1]]
    assert await numbers(reports, Wanted(waits="OFFICER", province="32", item="0101")) != []
    assert await numbers(reports, Wanted(states=frozenset({"CHECKING"}))) == []
    assert await numbers(reports, Wanted(province="11")) == []


async def test_pages_go_on_where_the_last_ended(reports: Reports) -> None:
    """One by one, every open case once; the same for the archive, newest number first."""
    after, seen = None, []
    for _ in CASES[:3]:
        page = await reports.attention(ANY, MOMENT, after, limit=1)
        seen += [row.id for row in page.rows]
        after = page.last
    assert (seen, after) == ([CASES[0], CASES[2], CASES[1]], None)
    first = await reports.archive(ANY, MOMENT, None, limit=3)
    rest = await reports.archive(ANY, MOMENT, first.last, limit=3)
    assert [row.id for row in (*first.rows, *rest.rows)] == sorted(CASES, reverse=True)
    found = await reports.archive(Wanted(number=CASES[3][:20]), MOMENT, None, limit=3)
    assert [row.id for row in found.rows] == [CASES[3]]


async def test_of_two_claims_one_is_too_late(reports: Reports) -> None:
    """The first lives until it is given up or lapses; each answer names who has it."""
    until = NOW + timedelta(minutes=30)
    mine, other = Claim(CASES[0], "one", STATION, until), Claim(CASES[0], "two", STATION, until)
    assert await reports.claim(mine, NOW) == mine
    assert await reports.claim(other, NOW) == mine
    assert await reports.claim(other, until) == other
    assert await reports.release(CASES[0], "one", NOW) == other
    assert await reports.release(CASES[0], "two", NOW) is None
    assert await reports.live_claim(CASES[0], NOW) is None
    assert await reports.claim(Claim(CASES[3], "one", STATION, until), NOW) is None


async def test_for_people(reports: Reports) -> None:
    """What an officer decides, and whoever let a limit pass; what is on its way is not for people."""
    assert await numbers(reports, Wanted(called=True)) == [CASES[0], CASES[2], CASES[1]]
    async with write(reports._engine) as tx:
        await tx.execute(t.CASES.update().values(waits="ORIGIN"))
    assert await numbers(reports, Wanted(called=True)) == [CASES[0], CASES[2]]


async def test_figures(reports: Reports) -> None:
    """Counts and the oldest of each kind."""
    figures = await reports.figures(MOMENT)
    pulse = figures.pulse
    assert (pulse.released_not_held, pulse.released_overdue, pulse.oldest_released_at) == (1, 0, NOW)
    assert (figures.cases_by_state, figures.cases_overdue) == ({"REVIEWING": 3}, 2)
    assert figures.people_in_transfer == {"RELEASED": 1, "FROZEN": 1}
    assert (pulse.outbox_pending, pulse.quarantine, figures.forgotten) == (0, 1, 0)
    assert (pulse.parked, pulse.oldest_parked_at) == (1, NOW)
    assert await reports.pulse(Moment.of(NOW + RELEASE_ALARM, CALENDAR)) == replace(pulse, released_overdue=1)
    assert await reports.people() == {"HELD": 1, "RELEASED": 1, "FROZEN": 1}
    assert await reports.contacts() == {"32": NOW, "11": NOW}


async def test_transfers(reports: Reports) -> None:
    """Everybody under way, with the case or the lack of one (C3)."""
    first = await reports.transfers(None, limit=1)
    rest = await reports.transfers(first.last, limit=9)
    rows = [*first.rows, *rest.rows]
    assert [(row.key, row.waits, row.since) for row in rows] == [
        ("p2", "OFFICER", to_us(NOW)),
        ("p3", None, None),
    ]
    assert await reports.without_case() == 1


async def test_hops(reports: Reports) -> None:
    """The rows of one case, None for one that is not known."""
    hops = await reports.hops(CASES[1])
    assert hops is not None
    assert [row.message_id for row in hops.taken] == ["32-44-1-1"]
    assert await reports.hops(CASES[3]) is None


async def test_notes(reports: Reports) -> None:
    """A note is kept until it is dropped."""
    await reports.put_note("ops.pause", "note")
    assert await reports.note("ops.pause") == "note"
    await reports.put_note("ops.pause", None)
    assert await reports.note("ops.pause") is None


async def test_quarantine(reports: Reports) -> None:
    """Listed, fetched, settled with a note; and a message that was taken can be forgotten."""
    refusals = Refusals(reports._engine)
    (row,) = (await refusals.page(None, limit=5)).rows
    full = await refusals.one(row.n)
    assert full is not None
    assert await refusals.refused_again(full) is None
    await refusals.forget_taken("32-44-1-1")
    await refusals.settle(row.n, NOW, "first")
    await refusals.settle(row.n, NOW + timedelta(seconds=1), "second")
    assert (await refusals.page((row.n + 1,), limit=5)).rows == []
    first = await refusals.acts(None, limit=1)
    rest = await refusals.acts(first.last, limit=5)
    assert [note.value for note in (*first.rows, *rest.rows)] == ["second", "first"]


async def test_parked(reports: Reports) -> None:
    """By the time at which they came first; too old, or too many of them."""
    refusals = Refusals(reports._engine)
    (row,) = (await refusals.parked(None, limit=5)).rows
    assert (row.message_id, row.case_id, row.tries, row.since) == ("32-44-1-2", CASES[2], 1, to_us(NOW))
    assert (await refusals.parked((row.since, row.message_id), limit=5)).rows == []
    earlier = NOW - timedelta(seconds=1)
    assert await refusals.waiting_too_long(earlier, 1, 5) == []
    assert await refusals.waiting_too_long(NOW, 1, 5) == [("32-44-1-2", CASES[2])]
    assert await refusals.waiting_too_long(earlier, 0, 5) == [("32-44-1-2", CASES[2])]


async def test_accesses(reports: Reports) -> None:
    """Name and number must agree; every question is entered."""
    assert await reports.accesses(("p1", "other"), NOW, None, limit=5) is None
    page = await reports.accesses(("p1", "check"), NOW, None, limit=1)
    assert page is not None
    rest = await reports.accesses(("p1", "check"), NOW, page.last, limit=5)
    assert rest is not None
    assert [row.result for row in (*page.rows, *rest.rows)] == ["access_log", "absent"]
