"""What operators see of one province: figures, custody, contacts. Persons stand here as digests only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tongban_registry.storage.rating_sql import Marks
from tongban_registry.storage.rows import from_us_or_none
from tongban_registry.views import local
from tongban_registry.watch import alarms_of
from tongban_shared.cases.kinds import KINDS
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import PersonKey, custody_digest
from tongban_shared.registration import Registration

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_registry.pause import Pause
    from tongban_registry.storage.report_sql import Found, Place
    from tongban_registry.storage.reports import Page, Pulse, Reports
    from tongban_registry.tasks_http import Desk
    from tongban_shared.ports import Clock
    from tongban_shared.web.health import Check

# Counting a whole register may take seconds: it is never done for more than a twentieth of the time.
REST_FACTOR = 20
CHEAP_S = 0.5

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """An expensive answer, asked again only after a rest in proportion to its cost; a cheap one each time."""

    def __init__(self, ask: Callable[[], Awaitable[Value]], nothing: Value) -> None:
        self._ask = ask
        self._value = nothing
        self._fresh_until_s = 0.0

    async def __call__(self) -> Value:
        """The newest answer; an earlier one while the database takes too long over it."""
        begun_s = time.monotonic()
        if begun_s < self._fresh_until_s:
            return self._value
        with contextlib.suppress(StoreDownError):
            self._value = await self._ask()
        took_s = time.monotonic() - begun_s
        if took_s > CHEAP_S:
            self._fresh_until_s = begun_s + took_s * (1 + REST_FACTOR)
        return self._value


class Contacts:
    """When each peer was heard last: noted as messages are taken, the earlier ones read when first asked."""

    def __init__(self, clock: Clock, reports: Reports) -> None:
        self._clock = clock
        self._reports = reports
        self._heard: dict[str, datetime] = {}
        self._complete = False

    def heard(self, provinces: Iterable[str]) -> None:
        """Messages of these were taken now."""
        now = self._clock.now()
        for province in provinces:
            self._heard[province] = now

    async def last(self) -> Mapping[str, datetime]:
        """The newest contact with each peer that ever was in contact."""
        if not self._complete:
            for province, at in (await self._reports.contacts()).items():
                self._heard[province] = max(at, self._heard.get(province, at))
            self._complete = True
        return self._heard


class Ops:
    """One province's pages for operators."""

    def __init__(self, hall: Hall, desk: Desk, pause: Pause, contacts: Contacts) -> None:
        self.hall = hall
        self.desk = desk
        self.pause = pause
        self.reports = desk.reports
        self._contacts = contacts
        self._people: Remembered[Mapping[str, int]] = Remembered(desk.reports.people, {})
        self._marks: Remembered[Marks] = Remembered(desk.ratings.marks, Marks())
        self.ready: Check = _always

    async def overview(self) -> dict[str, Any]:
        """One row. What must never be forgotten comes first; ages are whole seconds, null when none."""
        figures = await self.reports.figures(self.desk.moment())
        people = await self._people()
        reason = await self.ready()
        paused = self.pause.now
        now = self.desk.office.clock.now()
        contacts = await self._contacts.last()
        return {
            **_never_forgotten(figures.pulse, now),
            "province": self.desk.office.province,
            "name": self.desk.office.profile.name,
            "state": "PAUSED" if paused else "READY" if reason is None else "NOT_READY",
            "reason": paused.reason if paused else reason,
            "people_held": people.get("HELD", 0) + people.get("FROZEN", 0),
            "in_transfer": sum(figures.people_in_transfer.get(state, 0) for state in ("FROZEN", "RELEASED")),
            "prepared": figures.people_in_transfer.get("PREPARED", 0),
            "open_cases": sum(figures.cases_by_state.values()),
            "cases_by_state": public_counts(figures.cases_by_state),
            "cases_by_step": figures.cases_by_state,
            "deadline_breaches": figures.cases_overdue,
            "breaches": _breaches(figures.pulse),
            "ratings": _ratings(await self._marks()),
            "cases_without_deadline": figures.forgotten,
            "oldest_unreceipted_age_s": age_s(now, figures.pulse.oldest_unreceipted_at),
            **self._backlog(figures.pulse),
            "notifications": notifications(figures.pulse, now),
            "last_contact": {code: local(at) for code, at in sorted(contacts.items())},
            "as_of": local(now),
        }

    def _backlog(self, pulse: Pulse) -> dict[str, int]:
        waiting = self.hall.waiting
        return {
            "outbox_pending": pulse.outbox_pending,
            "parked": pulse.parked,
            "hall_waiting": waiting,
            "quarantine": pulse.quarantine,
            "backlog": pulse.outbox_pending + pulse.parked + waiting,
        }

    async def custody(self, after: Place | None, limit: int) -> tuple[Page, dict[str, Any]]:
        """Who is claimed here, by state, and each person in transfer with case, owner and age."""
        page = await self.reports.transfers(after, limit=limit)
        people = await self._people()
        now = self.desk.office.clock.now()
        return page, {
            "province": self.desk.office.province,
            "claims": people.get("HELD", 0) + people.get("FROZEN", 0),
            **{state.value.lower(): people.get(state.value, 0) for state in Registration},
            "in_transfer_without_case": await self.reports.without_case(),
            "in_transfer": [self._transfer(row, now) for row in page.rows],
            "as_of": local(now),
        }

    def _transfer(self, row: Found, now: datetime) -> dict[str, Any]:
        secret = self.desk.office.secrets.custody
        since = from_us_or_none(row.since)
        here = row.state == "FROZEN"
        return {
            "person": custody_digest(secret, PersonKey(row.key)),
            "case_id": row.case_id,
            "state": row.state,
            "epoch": row.epoch,
            "holder": self.desk.office.province if here else row.moved_to,
            "owner": row.waits.lower() if row.waits and row.closed_at is None else None,
            "since": local(since),
            "age_s": age_s(now, since),
            "due_at": local(from_us_or_none(row.due_at)),
        }


def _never_forgotten(pulse: Pulse, now: datetime) -> dict[str, Any]:
    """The first lines: persons whom this origin released and nobody holds yet; what people are called for."""
    return {
        "released_not_held": pulse.released_not_held,
        "oldest_released_age_s": age_s(now, pulse.oldest_released_at),
        "released_overdue": pulse.released_overdue,
        "releases_unreceipted": pulse.releases_unreceipted,
        "oldest_unreceipted_release_age_s": age_s(now, pulse.oldest_unreceipted_release_at),
        "alarms": list(alarms_of(pulse, now)),
    }


def notifications(pulse: Pulse, now: datetime) -> dict[str, int | None]:
    """What applicants were not told yet, and never will be."""
    return {
        "waiting": pulse.notifications_waiting,
        "oldest_age_s": age_s(now, pulse.oldest_notification_at),
        "failed": pulse.notifications_failed,
    }


def _breaches(pulse: Pulse) -> dict[str, int]:
    """Open cases beyond their deadlines, and of those beyond the promise how many have called in whom."""
    return {
        "promised": pulse.promises_broken,
        "statutory": pulse.statutes_broken,
        "station": pulse.promises_broken,
        "county": pulse.called_county,
        "province": pulse.called_province,
    }


def _ratings(marks: Marks) -> dict[str, Any]:
    """mean: of 1 to 5, two digits; null while there is none."""
    mean = round(marks.total / marks.count, 2) if marks.count else None
    return {"count": marks.count, "mean": mean, "call_backs_owed": marks.owed}


async def _always() -> str | None:
    return None


def public_counts(by_step: Mapping[str, int]) -> dict[str, int]:
    """Counts by internal state as counts by public state."""
    counts: dict[str, int] = {}
    names = {step: public for kind in KINDS.values() for step, public in kind.public.items()}
    for step, count in by_step.items():
        counts[names[step]] = counts.get(names[step], 0) + count
    return counts


def age_s(now: datetime, since: datetime | None) -> int | None:
    """Whole seconds, null when there is nothing."""
    return None if since is None else max(0, int((now - since).total_seconds()))
