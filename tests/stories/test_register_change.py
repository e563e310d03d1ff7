"""Changes of the register in a province: any window accepts, the home station answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.folk import Resident
from tests.stories.stations import (
    APPROVE,
    BOOKLET,
    DEATH,
    EDUCATION,
    HEAD,
    LOST,
    MARITAL,
    MARRIED,
    MILITARY,
    MOVE,
    NANJING,
    SPLIT,
    VETERAN,
    ZHENJIANG,
    A,
    B,
    approved,
    asked,
    form,
    lives_at,
    place,
    put,
    row,
    tasks,
)
from tests.stories.windows import application, seen, standing
from tests.stories.world import Country

# Any window, the home station


async def test_accepted_at_one_station_decided_at_the_home_station(country: Country) -> None:
    """Of two stations of a province the one that keeps the household decides; the applicant sees it."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, ZHENJIANG, grade="A", details=MARRIED))
    assert country.state(A, case) == "COMPLETED"  # nothing to decide: grade A alone
    body = asked(country, EDUCATION, person, "320100000200", grade="B")
    case = await put(country, body | {"details": {"changes": {"education_code": "20"}}})
    assert case in await tasks(country, NANJING)
    assert case not in await tasks(country, "320100000200")
    view = await approved(country, case)
    assert (view["state"], view["answering_org"]) == ("COMPLETED", NANJING)
    assert form(country, person)["education_code"] == "20"
    assert country.registers.holder(person.key) == (A, 0)


async def test_the_entry_is_in_history_and_access_log(country: Country) -> None:
    """A person sees who changed what under which case."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, ZHENJIANG, details=MARRIED))
    lines = country.registers.rows(
        A, "SELECT verb, case_id FROM history WHERE person = ? ORDER BY n", person.key
    )
    assert tuple(lines[-1]) == ("change", case)
    log = (await country.ask(A, "/v1/me/access-log", person.identity)).json()["items"]
    assert ("change", case) in [(entry["what"], entry["case_id"]) for entry in log]


async def test_the_officer_needs_more(country: Country) -> None:
    """All of it in one notice; with it in hand the case goes on."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, NANJING, grade="B", details=MARRIED))
    await country.act(A, case, "decision", {"outcome": "return", "materials": ["MARRIAGE_CERTIFICATE"]})
    assert (await seen(country, A, case, "CORRECTION"))["state"] == "CORRECTION"
    handed = {"materials": [{"kind": "MARRIAGE_CERTIFICATE", "grade": "B"}]}
    await country.act(A, case, "materials", handed)
    await approved(country, case)


async def test_a_booklet_is_reissued_and_the_old_one_ends(country: Country) -> None:
    """Replaced: superseded. Lost: revoked, and found again it stays so."""
    (person,) = lives_at(country, NANJING)
    first = await put(country, asked(country, BOOKLET, person, ZHENJIANG))
    one = await seen(country, A, first, "COMPLETED")
    second = await put(country, asked(country, BOOKLET, person, ZHENJIANG))
    two = await seen(country, A, second, "COMPLETED")
    assert (await standing(country, A, one), await standing(country, A, two)) == ("SUPERSEDED", "VALID")
    three = await approved(country, await put(country, asked(country, LOST, person, ZHENJIANG)))
    assert (await standing(country, A, two), await standing(country, A, three)) == ("REVOKED", "VALID")
    told = (await country.ask(A, f"/v1/documents/{three['documents'][0]['licence_id']}")).json()
    assert {f["name"]: f["value"] for f in told["fields"]}["person_1.name"] == person.name


async def test_a_certificate_in_the_province_is_the_same_certificate(country: Country) -> None:
    """An item that leads to another one is data, with materials, limits and a scope of its own."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, "0606", person, ZHENJIANG))
    view = await seen(country, A, case, "COMPLETED")
    assert (view["item"], view["case_type"]) == ("0606", "certificate")
    assert await standing(country, A, view) == "VALID"
    body = application(country, "0606", country.person(B), A)
    answer = await country.ask(A, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_PROVINCE")


# What an item does


async def test_a_move_under_way_confirms_a_changed_record_anew(country: Country) -> None:
    """A permit relies on a record version; who marries meanwhile has another one (M2)."""
    (person,) = lives_at(country, NANJING)
    country.wire.hold("permit")
    move = await country.apply(person, B)
    await country.until(B, move, "PERMITTED")
    await country.wait(lambda: len(country.wire.held) == 1, "the permit on the wire")
    version = row(country, person, "record_version")
    await put(country, asked(country, MARITAL, person, ZHENJIANG, details=MARRIED))
    assert row(country, person, "record_version") == version + 1
    await country.wire.let_go("permit")
    await country.until(A, move, "CONFIRMED")
    assert country.timeline(A, move)[:3] == ["OPEN", "OPEN", "FROZEN"]
    assert form(country, person, B)["marital_code"] == "20"


async def test_who_moves_within_the_province_keeps_custody(country: Country) -> None:
    """The station they move to decides; the household changes, the holder and the epoch do not."""
    head, other = lives_at(country, NANJING, adults=2)
    body = asked(country, MOVE, head, NANJING, grade="B", destination=place(ZHENJIANG))
    case = await put(country, body)
    assert case in await tasks(country, ZHENJIANG)
    await approved(country, case)
    assert row(country, head, "household_id").startswith(ZHENJIANG)
    assert (row(country, head, "head"), row(country, other, "head")) == (1, 1)
    assert form(country, head)["address"] == "示例路9号"
    assert form(country, head)["moved_in"]["from_province"] == A
    assert country.registers.holder(head.key) == (A, 0)


async def test_who_moves_while_the_ledger_is_silent_is_found_later(country: Country) -> None:
    """The application is taken in; the station has its task as soon as the ledger speaks."""
    (person,) = lives_at(country, NANJING)
    country.ledger.down = True
    case = await put(country, asked(country, MOVE, person, NANJING, destination=place(ZHENJIANG)))
    await country.until(A, case, "LOCATING")
    country.ledger.down = False
    await country.pass_time(hours=2)
    await country.until(A, case, "CHECKING")
    assert case in await tasks(country, ZHENJIANG)
    await approved(country, case)


async def test_a_household_is_joined_and_one_that_is_left_closes(country: Country) -> None:
    """Nobody is left: the old household closes; the new one keeps its head."""
    (person,), (host,) = lives_at(country, NANJING), lives_at(country, ZHENJIANG)
    to = place(ZHENJIANG, household_no=host.home)
    await approved(country, await put(country, asked(country, MOVE, person, NANJING, destination=to)))
    assert row(country, person, "household_id") == host.home
    assert (row(country, person, "head"), row(country, host, "head")) == (0, 1)
    assert country.registers.rows(A, "SELECT open FROM household WHERE id = ?", person.home)[0][0] == 0


async def test_no_minor_is_left_alone_within_the_province_either(country: Country) -> None:
    """The last adult does not move away from the children (M-2)."""
    family = next(f for f in country.sites[A].folk.families if _one_adult_with_minors(f))
    parent = next(member for member in family if member.age >= 18)
    body = asked(country, MOVE, parent, NANJING, destination=place(ZHENJIANG))
    case = await put(country, body)
    await country.act(A, case, "decision", APPROVE)
    assert (await seen(country, A, case, "REFUSED"))["refusal"]["code"] == "MINOR_LEFT_ALONE"


def _one_adult_with_minors(family: list[Resident]) -> bool:
    grown = sum(member.age >= 18 for member in family)
    return grown == 1 and len(family) > 1


async def test_another_member_becomes_head(country: Country) -> None:
    """One head before, one after; the old head stands in another relation."""
    head, other = country.family(A, 2)
    body = asked(country, HEAD, other, NANJING, members=[head], details={"relations": ["11"]})
    await approved(country, await put(country, body))
    assert (row(country, head, "head"), row(country, other, "head")) == (0, 1)
    assert form(country, other)["relation_code"] == "02"
    assert form(country, head)["relation_code"] == "11"


async def test_a_household_of_ones_own_is_at_the_same_station(country: Country) -> None:
    """Elsewhere it is a move, which is another item."""
    _head, other = lives_at(country, NANJING, adults=2)
    body = asked(country, SPLIT, other, NANJING, destination=place(ZHENJIANG))
    refused = await seen(country, A, await put(country, body), "REFUSED")
    assert refused["refusal"]["code"] == "NOT_ELIGIBLE"
    await approved(country, await put(country, body | {"destination": place(NANJING)}))
    assert row(country, other, "household_id") != other.home
    assert row(country, other, "head") == 1


async def test_who_does_not_live_there_is_not_renamed(country: Country) -> None:
    """Members named are of the applicant's household."""
    _head, other = country.family(A, 2)
    body = asked(country, HEAD, other, NANJING, members=[country.person(A)], details={"relations": ["11"]})
    refused = await seen(country, A, await put(country, body), "REFUSED")
    assert refused["refusal"]["code"] == "NOT_SAME_HOUSEHOLD"


async def test_death_by_an_item_is_the_death_of_the_door(country: Country) -> None:
    """The same row, the same line of history, and the same end of a move that is not handed over."""
    (one,), (two,) = lives_at(country, NANJING), lives_at(country, NANJING)
    await approved(country, await put(country, asked(country, DEATH, one, ZHENJIANG)))
    assert (await country.hold(two, "DEATH")).status_code == 200
    verbs = "SELECT verb, state FROM history WHERE person = ? ORDER BY n DESC LIMIT 1"
    by_item, by_door = (tuple(country.registers.rows(A, verbs, p.key)[0]) for p in (one, two))
    assert by_item == by_door == ("death", "CANCELLED_DEATH")
    assert (await country.lookup(one, A)).json()["state"] == (await country.lookup(two, A)).json()["state"]


async def test_death_pre_empts_a_frozen_move(country: Country) -> None:
    """The transfer ends on both sides, and nobody is registered anywhere (MX)."""
    (person,) = lives_at(country, NANJING)
    country.wire.hold("acceptance")
    move = await country.apply(person, B)
    await country.until(A, move, "FROZEN")
    await country.until(B, move, "PREPARED")
    case = await put(country, asked(country, DEATH, person, ZHENJIANG))
    await approved(country, case)
    await country.wire.let_go("acceptance")
    await country.until(B, move, "REFUSED", "VOIDED")
    assert row(country, person, "state") == "CANCELLED_DEATH"


async def test_death_waits_while_the_ledger_is_asked_and_follows_who_moved(country: Country) -> None:
    """The officer keeps the task; once the move is done the death goes to where they are (E1)."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, DEATH, person, ZHENJIANG))
    country.wire.hold("acceptance")
    move = await country.apply(person, B)
    await country.until(B, move, "PREPARED")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await country.until(A, move, "RELEASING")
    answer = await country.act(A, case, "decision", APPROVE)
    assert (answer.status_code, answer.json()["code"]) == (409, "IN_TRANSFER")
    country.ledger.down = False
    await country.pass_time(hours=2)
    await country.until(A, move, "CONFIRMED")
    await approved(country, case)
    await country.wait(lambda: row(country, person, "state", B) == "CANCELLED_DEATH", "the death in B")


async def test_a_soldier_is_cancelled_and_comes_back(country: Country) -> None:
    """Who was never a soldier does not come back; who was is registered again where they lived."""
    (person,) = lives_at(country, NANJING)
    never = await seen(country, A, await put(country, asked(country, VETERAN, person, NANJING)), "REFUSED")
    assert never["refusal"]["code"] == "NO_RECORD"
    await approved(country, await put(country, asked(country, MILITARY, person, NANJING)))
    assert row(country, person, "state") == "CANCELLED_MILITARY"
    await approved(country, await put(country, asked(country, VETERAN, person, ZHENJIANG)))
    assert (row(country, person, "state"), row(country, person, "household_id")) == ("HELD", person.home)


async def test_who_is_held_by_a_court_is_not_changed(country: Country) -> None:
    """A hold blocks every write, and no document."""
    (person,) = lives_at(country, NANJING)
    await country.hold(person, "HOLD")
    case = await put(country, asked(country, MARITAL, person, NANJING, details=MARRIED))
    assert (await seen(country, A, case, "REFUSED"))["refusal"]["code"] == "HOLD"
    await approved(country, await put(country, asked(country, BOOKLET, person, NANJING)))


async def test_who_is_frozen_waits(country: Country) -> None:
    """Between offer and certificate nothing is written: refused, with the earliest time to try again."""
    (person,) = lives_at(country, NANJING)
    country.wire.hold("acceptance")
    move = await country.apply(person, B)
    await country.until(A, move, "FROZEN")
    case = await put(country, asked(country, MARITAL, person, NANJING, details=MARRIED))
    refusal = (await seen(country, A, case, "REFUSED"))["refusal"]
    assert refusal["code"] == "IN_TRANSFER"
    assert refusal["retry_at"]


async def test_an_officer_keeps_the_task_while_somebody_is_moved(country: Country) -> None:
    """The approval is answered with IN_TRANSFER; the case is open still, and ends when the move has."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, NANJING, grade="B", details=MARRIED))
    country.wire.hold("acceptance")
    move = await country.apply(person, B)
    await country.until(A, move, "FROZEN")
    answer = await country.act(A, case, "decision", APPROVE)
    assert (answer.status_code, answer.json()["code"]) == (409, "IN_TRANSFER")
    assert country.state(A, case) == "CHECKING"
    assert case in await tasks(country, NANJING)


async def test_who_moved_away_meanwhile_is_not_changed_here(country: Country) -> None:
    """The item ends at the province's border."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, NANJING, grade="B", details=MARRIED))
    await country.move(person, B)
    await country.act(A, case, "decision", APPROVE)
    assert (await seen(country, A, case, "REFUSED"))["refusal"]["code"] == "WRONG_PROVINCE"


async def test_a_second_change_of_one_person_joins_the_first(country: Country) -> None:
    """One after the other."""
    (person,) = lives_at(country, NANJING)
    first = await put(country, asked(country, MARITAL, person, NANJING, grade="B", details=MARRIED))
    answer = await country.ask(A, "/v1/cases", asked(country, MARITAL, person, ZHENJIANG, details=MARRIED))
    assert (answer.status_code, answer.json()["code"]) == (409, "DUPLICATE_CASE")
    assert answer.json()["instance"].endswith(first)


# What is not taken in


@pytest.mark.parametrize(
    ("item", "details"),
    [
        (MARITAL, {}),
        (MARITAL, {"changes": {"education_code": "20"}}),
        (MARITAL, {"changes": {"marital_code": "99"}}),
        (MARITAL, {"changes": {"id_number": "1"}}),
        (MARITAL, {"changes": {"marital_code": "20"}, "colour": "red"}),
        (DEATH, {"changes": {"marital_code": "20"}}),
        (BOOKLET, {"relations": ["11"]}),
    ],
)
async def test_an_item_sets_its_own_fields_alone(
    country: Country, item: str, details: dict[str, Any]
) -> None:
    """Refused at the door with the field's name; nothing is stored."""
    body = asked(country, item, country.person(A), NANJING, details=details)
    answer = await country.ask(A, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_INVALID")
    assert country.registers.rows(A, "SELECT count(*) FROM cases")[0][0] == 0


async def test_who_stays_names_no_destination(country: Country) -> None:
    """And who moves names one."""
    person = country.person(A)
    stays = asked(country, DEATH, person, NANJING, destination=place(NANJING))
    moves = asked(country, MOVE, person, NANJING)
    for body in (stays, moves):
        answer = await country.ask(A, "/v1/cases", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_INVALID")


async def test_people_of_another_province_are_refused(country: Country) -> None:
    """At the door, or as soon as the ledger speaks; the other province is not asked."""
    person = country.person(B)
    body = application(country, MARITAL, person, A, details=MARRIED)
    answer = await country.ask(A, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_PROVINCE")
    country.ledger.down = True
    case = await put(country, body)
    await country.until(A, case, "LOCATING")
    country.ledger.down = False
    await country.pass_time(hours=2)
    assert (await seen(country, A, case, "REFUSED"))["refusal"]["code"] == "WRONG_PROVINCE"
    assert country.state(B, case) is None
