"""The register's verbs: what each one changes, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest
from msgspec.structs import replace

from tongban_registry.register import VERBS
from tongban_registry.writing import Writing
from tongban_shared.cases.kind import Case, Event, Side
from tongban_shared.cases.migration_compose import certificate_digest, certificate_of
from tongban_shared.cases.migration_data import MigrationData, PersonState
from tongban_shared.ids import CaseId, Province
from tongban_shared.registration import Person, Registration, Surroundings

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CASE = CaseId("33012026030200000001T")
A, B = "32", "33"
GROWN, CHILD = date(1980, 5, 5), date(2020, 5, 5)


def person(key: str, **changes: object) -> Person:
    """Somebody of household h at the origin."""
    plain = Person(key * 32, 2, Registration.HELD, 5, "0" * 16, GROWN, "h", head=False, version=9)
    return replace(plain, **changes)


def case(side: Side, movers: list[Person], **data: object) -> Case:
    """A case that moves these."""
    agreed = tuple(PersonState(person=p.key, epoch=p.epoch, record_version=p.record_version) for p in movers)
    plain = MigrationData(
        migration_type="HOUSING",
        destination_org="330100000000",
        address="新址",
        agreed=agreed,
        digest="0" * 64,
        certificate_no="QY32202600000001X",
        released_at=AT,
        effective_at=AT,
    )
    record = replace(plain, **data)
    keys = tuple(p.key for p in movers)
    return Case(CASE, "migration", side, "ANY", 1, "0107", Province(A), Province(B), keys, record, AT)


def done(verb: str, what: Case, everybody: list[Person], **event: object) -> Writing:
    """What the verb writes."""
    homes: dict[str, list[Person]] = {}
    for one in everybody:
        homes.setdefault(one.household_id, []).append(one)
    around = Surroundings(
        province=A,
        org="320100000000",
        contact="示例",
        now=AT,
        permit_valid_days=40,
        correction_days=30,
        people={one.key: one for one in everybody},
        members=homes,
    )
    return VERBS[verb](what, replace(Event("any", CASE, AT, 7), **event), around)


def heads_of(writing: Writing) -> list[str]:
    """Who stays and leads after it."""
    return [row.key for row in writing.persons if row.head and row.state is Registration.HELD]


def test_freeze_and_thaw() -> None:
    """Freezing binds the person to the case and nothing else; thawing undoes exactly that."""
    mover = person("a")
    (frozen,) = done("freeze", case(Side.ORIGIN, [mover]), [mover]).persons
    assert frozen == replace(mover, state=Registration.FROZEN, case_id=CASE)
    (thawed,) = done("thaw", case(Side.ORIGIN, [frozen]), [frozen]).persons
    assert thawed == mover


def test_prepare_opens_the_next_epoch_without_claiming() -> None:
    """PREPARED stands at epoch n+1, points back to the origin and is nobody's head."""
    entry = {
        "person": "a" * 32,
        "epoch": 2,
        "record_version": 5,
        "name_check": "0" * 16,
        "birth_date": "1980-05-05",
        "record": {"name": "某", "address": "旧址"},
    }
    what = case(Side.DESTINATION, [person("a")])
    (row,) = done("prepare", what, [], bundle=msgspec.json.encode([entry])).persons
    assert (row.state, row.epoch, row.moved_to, row.head) == (Registration.PREPARED, 3, A, False)
    record = msgspec.json.decode(row.record)
    assert (record["name"], record["address"], record["household_no"]) == ("某", "新址", row.household_id)


@pytest.mark.parametrize(
    ("digest", "state"), [("", Registration.DROPPED), ("d", Registration.CONFIRMED)], ids=["new", "returning"]
)
def test_drop_goes_back_to_before(digest: str, state: Registration) -> None:
    """Dropping leaves what stood there before: nothing, or the pointer of somebody who once left."""
    row = person(
        "a", state=Registration.PREPARED, case_id=CASE, epoch=3, moved_to=A, proof_digest=digest, record="{}"
    )
    (dropped,) = done("drop", case(Side.DESTINATION, [row]), [row]).persons
    assert (dropped.state, dropped.case_id, dropped.moved_to, dropped.record) == (state, None, A, "{}")


def test_release_leaves_tombstone_and_pointer() -> None:
    """RELEASED keeps the epoch, points to the destination, and carries the certificate's digest."""
    mover = person("a", state=Registration.FROZEN, case_id=CASE, head=True)
    what = case(Side.ORIGIN, [mover])
    writing = done("release", what, [mover])
    row = writing.persons[0]
    assert (row.state, row.epoch, row.moved_to) == (Registration.RELEASED, 2, B)
    assert row.proof_digest == certificate_digest(certificate_of(what))
    assert (writing.households_closed, heads_of(writing)) == (["h"], [])


def test_release_names_the_eldest_adult_who_stays() -> None:
    """The head leaves: the eldest adult who stays leads, never a child while an adult is there."""
    head = person("a", head=True, state=Registration.FROZEN, case_id=CASE)
    others = [
        person("b", birth_date=CHILD),
        person("c", birth_date=date(1990, 1, 1)),
        person("d", birth_date=date(1985, 1, 1)),
    ]
    writing = done("release", case(Side.ORIGIN, [head]), [head, *others])
    assert (heads_of(writing), writing.households_closed) == (["d" * 32], [])


def test_release_of_a_member_changes_no_head() -> None:
    """Somebody else than the head leaves: the head stays head."""
    mover, head = person("a", state=Registration.FROZEN, case_id=CASE), person("b", head=True)
    writing = done("release", case(Side.ORIGIN, [mover]), [mover, head])
    assert (heads_of(writing), writing.households_closed) == ([], [])


def test_who_left_before_does_not_count_as_staying() -> None:
    """Members long released neither keep a household open nor become its head."""
    mover = person("a", state=Registration.FROZEN, case_id=CASE, head=True)
    gone = person("b", state=Registration.CONFIRMED)
    writing = done("release", case(Side.ORIGIN, [mover]), [mover, gone])
    assert writing.households_closed == ["h"]


def test_hold_opens_household_and_row_at_one_instant() -> None:
    """HELD from `effective_at` on, in a new household that the eldest adult leads."""
    plain = {"state": Registration.PREPARED, "household_id": "n", "moved_to": A, "case_id": CASE}
    movers = [person("a", birth_date=CHILD, **plain), person("b", **plain)]
    what = case(Side.DESTINATION, movers)
    writing = done("hold", what, movers, body=certificate_of(what))
    assert [(row.state, row.head, row.moved_to, row.case_id) for row in writing.persons] == [
        (Registration.HELD, False, None, None),
        (Registration.HELD, True, None, None),
    ]
    assert {row.valid_from for row in writing.persons} == {AT}
    assert [(home.id, home.address) for home in writing.households] == [("n", "新址")]


def test_hold_in_a_household_that_stands_makes_no_head() -> None:
    """Joining a household brings neither a new household nor a second head."""
    mover = person("a", state=Registration.PREPARED, case_id=CASE, household_id="host")
    what = case(Side.DESTINATION, [mover], household_no="host")
    writing = done("hold", what, [mover], body=certificate_of(what))
    assert (writing.households, [row.head for row in writing.persons]) == ([], [False])


def test_archive_closes_the_row_at_the_destination_s_instant() -> None:
    """CONFIRMED until exactly `effective_at`; pointer and epoch stay."""
    row = person("a", state=Registration.RELEASED, case_id=CASE, moved_to=B)
    (closed,) = done("archive", case(Side.ORIGIN, [row]), [row]).persons
    assert closed == replace(row, state=Registration.CONFIRMED, valid_to=AT, case_id=None)


def test_no_verb_touches_somebody_else() -> None:
    """Whatever a case does, it writes rows of its own persons only."""
    mover, other = person("a", state=Registration.FROZEN, case_id=CASE), person("b", head=True)
    for verb in ("freeze", "thaw", "drop", "release", "archive"):
        writing = done(verb, case(Side.ORIGIN, [mover]), [mover, other])
        assert [row.key for row in writing.persons] == ["a" * 32]


def test_no_verb_touches_a_row_that_a_later_case_has_taken() -> None:
    """Back before the first move settled: the old case's late word leaves the new one's row alone (C1)."""
    later = CaseId("32012026030200000002R")
    row = person("a", state=Registration.PREPARED, epoch=4, case_id=later)
    for verb in ("thaw", "drop", "release", "archive"):
        assert done(verb, case(Side.ORIGIN, [row]), [row]).persons == []
