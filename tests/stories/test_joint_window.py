"""The joint window (两市一窗): taken in for another authority, the paper in somebody's hands all the time."""

from __future__ import annotations

from dataclasses import replace

from tests.stories.backups import backup, put_back
from tests.stories.stations import (
    APPROVE,
    MARITAL,
    MARRIED,
    NANJING,
    ZHENJIANG,
    A,
    B,
    approved,
    asked,
    form,
    lives_at,
    put,
    row,
    tasks,
)
from tests.stories.windows import application, report, seen
from tests.stories.world import Country
from tongban_shared.provinces import JointWindow


async def test_a_joint_window_takes_in_on_behalf_of_another_authority(country: Country) -> None:
    """The receipt names who decides; the paper is seen to leave the window and to come; then they decide."""
    (person,) = lives_at(country, NANJING)
    answer = await country.ask(
        A, "/v1/cases", asked(country, MARITAL, person, ZHENJIANG, grade="B", details=MARRIED)
    )
    receipt = answer.json()
    case = receipt["case_id"]
    assert (receipt["on_behalf_of"], receipt["paper"]) == ("320100000000", "AT_WINDOW")
    assert (await country.act(A, case, "decision", APPROVE)).status_code == 409  # not without the paper
    assert await report(country, A, case, "paper_received") == 409
    assert await report(country, A, case, "paper_sent") == 202
    assert (await seen(country, A, case, "PAPER_UNDER_WAY"))["paper"] == "SENT"
    assert await report(country, A, case, "paper_received") == 202
    assert case in await tasks(country, NANJING)
    view = await approved(country, case)
    events = [line["event"] for line in view["timeline"]]
    assert events[1:3] == ["register_change.paper_sent", "register_change.paper_received"]
    assert (view["paper"], view["on_behalf_of"]) == ("RECEIVED", "320100000000")


async def test_a_joint_window_is_its_own_city_s_window_too(country: Country) -> None:
    """For their own people there is no other authority and no paper to send."""
    (person,) = lives_at(country, ZHENJIANG)
    case = await put(country, asked(country, MARITAL, person, ZHENJIANG, grade="B", details=MARRIED))
    view = await approved(country, case)
    assert (view["on_behalf_of"], view["paper"]) == (None, None)


async def until_when(country: Country, case: str) -> str:
    """Until when whoever's move it is has time."""
    view = (await country.ask(A, f"/v1/cases/{case}")).json()
    return str(view["waiting_for"]["until"])


async def test_lost_paper_is_a_task(country: Country) -> None:
    """Three days on its way, then the window that sent it is called, each day, until it is sent again."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, ZHENJIANG, grade="B", details=MARRIED))
    await report(country, A, case, "paper_sent")
    assert case not in await tasks(country, ZHENJIANG)
    await country.pass_time(days=5, step_hours=24)
    assert case in await tasks(country, ZHENJIANG)
    assert country.state(A, case) == "PAPER_UNDER_WAY"
    called = await until_when(country, case)
    assert await report(country, A, case, "paper_sent") == 202
    # The promise is broken by now, so it stays a task; but nobody is called for the paper for three days.
    assert await until_when(country, case) > called
    assert await report(country, A, case, "paper_received") == 202
    await approved(country, case)


async def test_paper_that_never_left_is_a_task_and_may_be_taken_back(country: Country) -> None:
    """A day at the window is the limit; who withdraws gets it back."""
    (person,) = lives_at(country, NANJING)
    case = await put(country, asked(country, MARITAL, person, ZHENJIANG, grade="B", details=MARRIED))
    await country.pass_time(days=2, step_hours=24)
    assert case in await tasks(country, ZHENJIANG)
    await country.act(A, case, "withdrawal")
    assert country.state(A, case) == "WITHDRAWN"


def _serve(country: Country, city: str, authority: str) -> str:
    """A window of B that serves a city of A; the window."""
    door = country.sites[B].live.door
    profile = door.office.profile
    window = JointWindow(profile.stations[0].code, {city: authority})  # type: ignore[dict-item]
    door.office = replace(door.office, profile=replace(profile, joint_windows=(window,)))
    return window.org


async def test_a_joint_window_for_a_city_of_another_province(country: Country) -> None:
    """The new values travel sealed; the home station has the paper, decides, and both sides see all of it."""
    org = _serve(country, "3201", "320100000000")
    (person,) = lives_at(country, NANJING)
    body = application(country, MARITAL, person, B, grade="B", details=MARRIED)
    case = await put(country, body | {"accepting_org": org}, B)
    assert (await seen(country, B, case, "PAPER_AT_WINDOW"))["on_behalf_of"] == "320100000000"
    await report(country, B, case, "paper_sent")
    await country.until(A, case, "PAPER_UNDER_WAY")
    assert await report(country, B, case, "paper_received") == 409  # that is for the station to say
    assert await report(country, A, case, "paper_received") == 202
    await country.wait(lambda: len(country.timeline(B, case)) == 3, "the word that the paper is there")
    assert case in await tasks(country, NANJING)
    await approved(country, case)
    view = await seen(country, B, case, "COMPLETED")
    assert (view["answering_org"], view["paper"]) == (NANJING, "RECEIVED")
    assert form(country, person)["marital_code"] == "20"
    raw = country.registers.rows(B, "SELECT raw FROM outbox WHERE case_id = ?", case)
    assert not any("marital_code" in text for (text,) in raw)


async def test_a_joint_window_serves_the_cities_of_its_data_alone(country: Country) -> None:
    """Somebody of another city of the same province is refused by the home registry."""
    org = _serve(country, "3201", "320100000000")
    (person,) = lives_at(country, ZHENJIANG)
    body = application(country, MARITAL, person, B, details=MARRIED) | {"accepting_org": org}
    case = await put(country, body, B)
    refusal = (await seen(country, B, case, "REFUSED"))["refusal"]
    assert (refusal["code"], bool(refusal["legal_basis"])) == ("OUT_OF_AREA", True)


async def test_a_withdrawal_that_comes_too_late_changes_nothing(country: Country) -> None:
    """The entry was made while the withdrawal was on its way: it stays, and the window says so."""
    org = _serve(country, "3201", "320100000000")
    (person,) = lives_at(country, NANJING)
    body = application(country, MARITAL, person, B, details=MARRIED) | {"accepting_org": org}
    case = await put(country, body, B)
    await country.until(A, case, "CHECKING")
    country.wire.hold("withdrawal", "registered")
    await country.act(B, case, "withdrawal")
    await country.until(B, case, "WITHDRAWING")
    await approved(country, case)
    await country.wire.let_go("registered")
    await country.until(B, case, "COMPLETED")
    await country.wire.let_go("withdrawal")
    await country.calm()
    assert (country.state(A, case), country.state(B, case)) == ("COMPLETED", "COMPLETED")


async def test_the_window_is_put_back_after_the_entry(country: Country) -> None:
    """B forgets its case; the home registry's word comes again, and nothing is entered twice (G1)."""
    org = _serve(country, "3201", "320100000000")
    (person,) = lives_at(country, NANJING)
    copy = backup(country, B)
    body = application(country, MARITAL, person, B, details=MARRIED) | {"accepting_org": org}
    case = await put(country, body, B)
    await approved(country, case)
    version = row(country, person, "record_version")
    await country.until(B, case, "COMPLETED")
    await put_back(country, B, copy)
    await country.calm()
    assert (await seen(country, B, case, "COMPLETED"))["answering_org"] == NANJING
    assert row(country, person, "record_version") == version


async def test_what_a_household_does_stays_in_its_province(country: Country) -> None:
    """Nobody of another province moves within this one, joint window or not."""
    org = _serve(country, "3201", "320100000000")
    (person,) = lives_at(country, NANJING)
    to = {"province": B, "org_code": org, "address": "示例路9号"}
    body = application(country, "0614", person, B) | {"accepting_org": org, "destination": to}
    answer = await country.ask(B, "/v1/cases", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_PROVINCE")
