"""Looks after what must never be forgotten: figures for metrics, and the alarms made of them.

One statement a quarter of a minute, however often the metrics are fetched. Ages go on growing between two
looks and while the database is away: an alarm that stops because nobody looked would be worse than none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from tongban_registry.storage.report_sql import RELEASE_ALARM, Moment
from tongban_shared.errors import StoreDownError

if TYPE_CHECKING:
    from tongban_registry.monitor import Meters
    from tongban_registry.office import Office
    from tongban_registry.storage.reports import Pulse, Reports

LOOK_S = 15.0
# A look that takes long is repeated less often: it never takes more than a twentieth of the time.
REST_FACTOR = 20
PARKED_ALARM = timedelta(days=1)
RELEASED_NOT_HELD, RELEASE_UNRECEIPTED = "RELEASED_NOT_HELD", "RELEASE_UNRECEIPTED"
PARKED, QUARANTINED = "PARKED", "QUARANTINED"
CALLED_PROVINCE = "CALLED_PROVINCE"

log = structlog.get_logger()


def alarms_of(pulse: Pulse, now: datetime) -> dict[str, int]:
    """What people have to look at now, the worst first, each with how many it concerns."""
    unreceipted, parked = pulse.oldest_unreceipted_release_at, pulse.oldest_parked_at
    found = {
        RELEASED_NOT_HELD: pulse.released_overdue,
        RELEASE_UNRECEIPTED: pulse.releases_unreceipted if _older(unreceipted, now, RELEASE_ALARM) else 0,
        QUARANTINED: pulse.quarantine,
        CALLED_PROVINCE: pulse.called_province,
        PARKED: pulse.parked if _older(parked, now, PARKED_ALARM) else 0,
    }
    return {name: count for name, count in found.items() if count}


class Watch:
    """One province's alarms. `look` is called as often as one likes, and looks when it is time."""

    def __init__(self, office: Office, reports: Reports, meters: Meters) -> None:
        self._province = office.province
        self._calendar = office.profile.calendar
        self._clock = office.clock
        self._reports = reports
        self._meters = meters
        self._next: datetime | None = None
        self._ringing: dict[str, int] = {}

    async def look(self) -> Pulse | None:
        """Read the figures if the last look is long enough ago; None if not, or if the database is away."""
        now = self._clock.now()
        if self._next is not None and now < self._next:
            return None
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            pulse = await self._reports.pulse(Moment.of(now, self._calendar))
        except StoreDownError:
            self._meters.store_failures.inc()
            return None
        rest_s = max(LOOK_S, (loop.time() - begun_s) * REST_FACTOR)
        self._next = now + timedelta(seconds=rest_s)
        self._show(pulse, now)
        self._ring(alarms_of(pulse, now))
        return pulse

    def _show(self, pulse: Pulse, now: datetime) -> None:
        m = self._meters
        counts = (
            (m.released_not_held, pulse.released_not_held),
            (m.released_overdue, pulse.released_overdue),
            (m.releases_unreceipted, pulse.releases_unreceipted),
            (m.outbox_pending, pulse.outbox_pending),
            (m.parked, pulse.parked),
            (m.quarantine, pulse.quarantine),
            (m.notifications_waiting, pulse.notifications_waiting),
            (m.notifications_failed, pulse.notifications_failed),
            (m.promises_broken, pulse.promises_broken),
            (m.statutes_broken, pulse.statutes_broken),
            (m.called_county, pulse.called_county),
            (m.called_province, pulse.called_province),
        )
        for gauge, count in counts:
            gauge.set(count)
        ages = (
            (m.released_age, pulse.oldest_released_at),
            (m.unreceipted_release_age, pulse.oldest_unreceipted_release_at),
            (m.unreceipted_age, pulse.oldest_unreceipted_at),
            (m.parked_age, pulse.oldest_parked_at),
            (m.notification_age, pulse.oldest_notification_at),
            (m.looked_age, now),
        )
        for gauge, since in ages:
            gauge.set_function(self._age_of(since))

    def _age_of(self, since: datetime | None) -> Callable[[], float]:
        """Asked when the metrics are fetched; 0 when there is none."""
        if since is None:
            return lambda: 0.0
        return lambda: max(0.0, (self._clock.now() - since).total_seconds())

    def _ring(self, ringing: dict[str, int]) -> None:
        """Say once that an alarm began, and once that it is over."""
        for name, count in ringing.items():
            if name not in self._ringing:
                log.error("alarm", reason=name, count=count, province=self._province)
        for name in self._ringing:
            if name not in ringing:
                log.info("alarm over", reason=name, province=self._province)
        self._ringing = ringing


def _older(since: datetime | None, now: datetime, limit: timedelta) -> bool:
    return since is not None and now - since >= limit
