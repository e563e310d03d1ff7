"""What people are called for: raised in time, said once, cleared when it is over, and never forgotten."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from tests.house import small_yaml, sources
from tests.registry.country import OFFICER, OTHER, A, B, claim, code_of, ok
from tests.stories.world import Country
from tongban_registry.monitor import Meters
from tongban_registry.storage.report_sql import Moment
from tongban_registry.storage.reports import Pulse, Reports
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import Province
from tongban_shared.ports import Family, Move, Verdict

OVERVIEW, TASKS = "/v1/ops/overview", "/v1/tasks"
ALERTS = small_yaml.read((sources.ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))
RULES = {rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]}
COMPARISON = re.compile(r"(tongban_\w+) > (\d+)")


async def firing(country: Country, code: str) -> set[str]:
    """The alerts whose expression is true on what a province serves as metrics."""
    values = {}
    for line in (await country.ask(code, "/metrics")).text.splitlines():
        name, _, value = line.rpartition(" ")
        values[name] = value
    found = set()
    for alert, rule in RULES.items():
        match = COMPARISON.fullmatch(rule["expr"])
        assert match, rule["expr"]
        if float(values[match[1]]) > float(match[2]):
            found.add(alert)
    return found


async def stuck(country: Country) -> str:
    """A person released at A, of whom B does not hear."""
    country.wire.dropping |= {"certificate"}
    case_id = await country.apply(country.person(A), B)
    await country.until(A, case_id, "RELEASED")
    await country.calm()
    return case_id


async def test_released_and_not_held_for_an_hour_is_an_alarm(country: Country) -> None:
    """After an hour and not before, in metrics, overview and log; when it has settled, the alarm is over."""
    case_id = await stuck(country)
    await country.pass_time(hours=0.98)
    assert await firing(country, A) == set()
    assert (await ok(country, A, OVERVIEW))["alarms"] == []
    with capture_logs() as logs:
        await country.pass_time(hours=0.03)
        await country.pass_time(hours=0.1)
    assert [(line["event"], line["reason"], line["count"]) for line in logs if line["event"] == "alarm"] == [
        ("alarm", "RELEASED_NOT_HELD", 1),
        ("alarm", "RELEASE_UNRECEIPTED", 1),
    ]
    assert await firing(country, A) == {"ReleasedNotHeld", "ReleaseUnreceipted"}
    view = await ok(country, A, OVERVIEW)
    assert list(view)[:2] == ["released_not_held", "oldest_released_age_s"]
    assert view["alarms"] == ["RELEASED_NOT_HELD", "RELEASE_UNRECEIPTED"]
    assert (view["released_not_held"], view["released_overdue"], view["releases_unreceipted"]) == (1, 1, 1)
    assert view["oldest_unreceipted_release_age_s"] == view["oldest_released_age_s"] >= 3600
    country.wire.dropping.clear()
    with capture_logs() as logs:
        await country.resend()
        await country.until(A, case_id, "CONFIRMED")
        await country.pass_time(hours=0.1)
    assert {line["reason"] for line in logs if line["event"] == "alarm over"} == set(view["alarms"])
    assert await firing(country, A) == set()
    assert (await ok(country, A, OVERVIEW))["alarms"] == []


async def test_ages_grow_while_the_database_is_away(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that fails clears nothing: the age goes on growing, and that nobody looks is an alarm too."""
    await stuck(country)
    await country.pass_time(hours=0.1)

    async def away(*_: object) -> None:
        raise StoreDownError("planted")

    monkeypatch.setattr(Reports, "pulse", away)
    await country.pass_time(hours=1)
    assert {"ReleaseUnreceipted", "NobodyLooks"} <= await firing(country, A)


async def test_the_figures_are_read_four_times_a_minute_and_no_more(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the metrics are fetched, the database is asked every quarter of a minute."""
    await country.calm()
    asked = []
    real = Reports.pulse
    here = country.sites[A].live.store.engine

    async def counted(self: Reports, moment: Moment) -> Pulse:
        if self._engine is here:
            asked.append(moment)
        return await real(self, moment)

    monkeypatch.setattr(Reports, "pulse", counted)
    for _ in range(60):
        await country.pass_time(hours=1 / 3600)
        assert (await country.ask(A, "/metrics")).status_code == 200
    assert 3 <= len(asked) <= 5


async def test_a_silent_destination_is_a_task_at_the_origin(country: Country) -> None:
    """An hour after the release the origin's people have a task: whom to call, and for which case (M-7)."""
    case_id = await stuck(country)
    await country.pass_time(hours=0.9)
    assert (await ok(country, A, TASKS))["items"] == []
    await country.pass_time(hours=0.2)
    (task,) = (await ok(country, A, TASKS))["items"]
    assert (task["case_id"], task["kind"], task["step"]) == (case_id, "CALL", "RELEASED")
    assert task["action"] == "call the destination: it has not settled yet"
    assert task["whom"]["province"] == B
    assert task["whom"]["contact"]


async def test_it_stays_a_task_each_day_until_it_settles(country: Country) -> None:
    """On the days of M-7 and between them the task is there, on both sides; then it is on neither list."""
    case_id = await stuck(country)
    country.wire.dropping.add("inquire")
    for _ in range(9):
        await country.pass_time(days=1, hours=2)
        assert [task["case_id"] for task in (await ok(country, A, TASKS))["items"]] == [case_id]
        (there,) = (await ok(country, B, TASKS))["items"]
        assert (there["case_id"], there["step"], there["whom"]["province"]) == (case_id, "PREPARED", A)
    country.wire.dropping.clear()
    await country.resend()
    await country.until(A, case_id, "CONFIRMED")
    for code in (A, B):
        assert (await ok(country, code, TASKS))["items"] == []


async def test_a_call_can_be_claimed(country: Country) -> None:
    """Of two officers one calls; the other sees that it is being done."""
    case_id = await stuck(country)
    await country.pass_time(hours=1.1)
    assert (await claim(country, case_id, OFFICER, at=A)).json()["claimed_by"] == OFFICER
    assert code_of(await claim(country, case_id, OTHER, at=A)) == (409, "TASK_CLAIMED")


async def test_a_ledger_that_knows_another_hand_over_calls_people(country: Country) -> None:
    """A conflict releases nobody, and its case is a task at once (I1)."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case_id = await country.apply(person, B)
    await country.until(A, case_id, "FROZEN")
    conflicts(country)
    await country.wire.let_go("acceptance")
    await country.until(A, case_id, "RELEASING")
    await country.calm()
    (task,) = (await ok(country, A, TASKS))["items"]
    assert (task["case_id"], task["kind"], task["whom"]) == (case_id, "CALL", None)


def conflicts(country: Country) -> None:
    """From now on the ledger refuses every hand-over."""

    async def refuse(moves: list[Move]) -> list[Verdict]:
        return [Verdict.CONFLICT for _ in moves]

    vars(country.ledger)["append"] = refuse


async def test_what_was_refused_is_an_alarm(country: Country) -> None:
    """A message in quarantine is counted at the next look."""
    await country.wire.inner.send(Province(A), Family.MIGRATION, b"nonsense", {})
    await country.calm()
    await country.pass_time(hours=0.1)
    assert await firing(country, A) == {"Quarantine"}
    assert (await ok(country, A, OVERVIEW))["alarms"] == ["QUARANTINED"]


def test_every_alert_has_a_metric_and_a_paragraph() -> None:
    """No alert asks for a metric that no registry serves, or sends people to a page that is not there."""
    served = {family.name for family in Meters().registry.collect()}
    text = (sources.ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    paragraphs = {line.removeprefix("## ").lower() for line in text.splitlines() if line.startswith("## ")}
    for alert, rule in RULES.items():
        match = COMPARISON.fullmatch(rule["expr"])
        assert match, rule["expr"]
        assert match[1] in served, alert
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
        assert alert.lower() in paragraphs
        assert rule["labels"]["severity"] in {"page", "ticket"}
