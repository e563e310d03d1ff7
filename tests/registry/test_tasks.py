from __future__ import annotations

from datetime import date

from tests.registry.country import OFFICER, OTHER, A, B, claim, code_of, ok, waiting
from tests.stories.world import Country
from tongban_shared.ids import Province, make_case_id

STATION = "330100000100"


async def test_a_case_that_waits_for_an_officer_is_a_task(country: Country) -> None:
    """The list shows the case with what it is, whose move it is and until when."""
    case_id = await waiting(country, country.person(A))
    (task,) = (await ok(country, B, f"/v1/tasks?province={B}"))["items"]
    assert task["task_id"] == task["case_id"] == case_id
    assert (task["item"], task["case_type"], task["state"]) == ("0101", "migration", "REVIEWING")
    assert task["action"] == "an officer decides"
    assert task["due_at"].endswith("+08:00")
    assert task["accepting_org"] == country.sites[B].live.office.org
    assert (task["overdue"], task["claimed_by"], task["claimed_until"]) == (False, None, None)


async def test_a_case_that_waits_for_nobody_here_is_no_task(country: Country) -> None:
    """A case on its way by itself stands on nobody's list."""
    country.wire.hold("facts")
    await country.apply(country.person(A), B)
    assert (await ok(country, B, "/v1/tasks"))["items"] == []


async def test_overdue_tasks_come_first(country: Country) -> None:
    """What is beyond its promise stands above what has time, and says so."""
    late = await waiting(country, country.person(A))
    await country.pass_time(days=6)
    fresh = await waiting(country, country.person(A))
    tasks = (await ok(country, B, "/v1/tasks"))["items"]
    assert [(task["case_id"], task["overdue"]) for task in tasks] == [(late, True), (fresh, False)]


async def test_pages_show_every_task_once(country: Country) -> None:
    """Following the Link headers meets every task once and ends."""
    applied = {await waiting(country, country.person(A)) for _ in range(3)}
    path, seen = "/v1/tasks?limit=2", []
    while path:
        answer = await country.ask(B, path)
        seen += [task["case_id"] for task in answer.json()["items"]]
        path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert len(seen) == 3
    assert set(seen) == applied


async def test_a_page_has_its_limit(country: Country) -> None:
    """More than 200 at once is refused, and so is a cursor that none of ours is."""
    assert code_of(await country.ask(B, "/v1/tasks?limit=201")) == (422, "FIELD_INVALID")
    for cursor in ("x", "bnVsbA", "WzEsMl0", "WyIxIiwyLCJhIl0"):
        assert (await country.ask(B, f"/v1/tasks?cursor={cursor}")).json()["code"] == "CURSOR_INVALID"


async def test_a_station_sees_what_it_accepted(country: Country) -> None:
    """`org` narrows to the accepting office; the county bureau, which decides, sees all."""
    case_id = await waiting(country, country.person(A))
    bureau = country.sites[B].live.office.org
    assert (await ok(country, B, f"/v1/tasks?org={STATION}"))["items"] == []
    assert [task["case_id"] for task in (await ok(country, B, f"/v1/tasks?org={bureau}"))["items"]] == [
        case_id
    ]


async def test_another_provinces_tasks_are_not_here(country: Country) -> None:
    """A registry answers for its own province only."""
    assert (await country.ask(B, f"/v1/tasks?province={A}")).json()["code"] == "WRONG_PROVINCE"


async def test_a_claim_keeps_others_away(country: Country) -> None:
    """A task claimed by one officer is refused to another, and the list says who has it."""
    case_id = await waiting(country, country.person(A))
    assert (await claim(country, case_id, OFFICER)).json()["claimed_by"] == OFFICER
    assert code_of(await claim(country, case_id, OTHER)) == (409, "TASK_CLAIMED")
    assert (await ok(country, B, "/v1/tasks"))["items"][0]["claimed_by"] == OFFICER


async def test_the_same_officer_renews(country: Country) -> None:
    """A repeated claim lasts half an hour from the repeat."""
    case_id = await waiting(country, country.person(A))
    first = (await claim(country, case_id, OFFICER)).json()["claimed_until"]
    country.clock.advance(0.25)
    assert (await claim(country, case_id, OFFICER)).json()["claimed_until"] > first


async def test_a_claim_lapses(country: Country) -> None:
    """After half an hour anybody may claim."""
    case_id = await waiting(country, country.person(A))
    await claim(country, case_id, OFFICER)
    country.clock.advance(0.6)
    assert (await claim(country, case_id, OTHER)).json()["claimed_by"] == OTHER


async def test_a_released_task_is_free(country: Country) -> None:
    """Only its own officer can give a task up; then others may claim it. Giving up twice is no error."""
    case_id = await waiting(country, country.person(A))
    await claim(country, case_id, OFFICER)
    released = await country.ask(B, f"/v1/tasks/{case_id}/release", {"officer": OTHER})
    assert code_of(released) == (409, "TASK_CLAIMED")
    for _ in range(2):
        view = await ok(country, B, f"/v1/tasks/{case_id}/release", {"officer": OFFICER})
        assert view["claimed_by"] is None
    assert (await claim(country, case_id, OTHER)).status_code == 200


async def test_only_the_claimer_decides(country: Country) -> None:
    """Another officer's decision is refused while the claim lives; the claimer's is taken."""
    case_id = await waiting(country, country.person(A))
    await claim(country, case_id, OFFICER)
    approve = {"outcome": "approve", "officer": OTHER}
    assert code_of(await country.act(B, case_id, "decision", approve)) == (409, "TASK_CLAIMED")
    assert country.state(B, case_id) == "REVIEWING"
    assert (await country.act(B, case_id, "decision", {**approve, "officer": OFFICER})).status_code == 202
    await country.until(B, case_id, "COMPLETED")
    assert country.registers.count("claim") == 0


async def test_what_is_no_task_can_not_be_claimed(country: Country) -> None:
    """Neither a case on its way, nor a number that no case has."""
    country.wire.hold("facts")
    moving = await country.apply(country.person(A), B)
    assert code_of(await claim(country, moving, OFFICER)) == (404, "TASK_UNKNOWN")
    absent = make_case_id(Province(B), "01", date(2026, 3, 2), 99_999_999)
    assert code_of(await claim(country, absent, OFFICER)) == (404, "TASK_UNKNOWN")
