"""What one registry counts. Labels are provinces, families and reasons, never a person or a case."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BATCH_BUCKETS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Meters:
    """Counters of one registry, in a collector registry of its own: many run in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.units = self._counter("units", "Units of work committed")
        self.unit_messages = Histogram(
            "tongban_unit_messages",
            "Messages a unit of work took",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.messages = self._counter("messages", "Messages by what became of them", "fate")
        self.quarantined = self._counter("quarantined", "Messages refused, by reason", "reason")
        self.parcels = self._counter("parcels", "Parcels the transport took", "family")
        self.resent = self._counter("resent_messages", "Messages sent again for want of a receipt")
        self.send_failures = self._counter("send_failures", "Sends the transport did not take in time")
        self.poll_failures = self._counter("poll_failures", "Polls the transport did not answer")
        self.store_failures = self._counter("store_failures", "Times the own database did not answer")
        self.ledger_failures = self._counter("ledger_failures", "Times the custody ledger did not answer")
        self.put_backs = self._counter("put_backs", "Times the database was found put back", "reason")
        self.recovering = self._gauge("recovering", "1 until the recovery gate is passed, then 0")
        self.waiting = self._gauge("hall_waiting", "Records and commands before the hall")
        self.released_not_held = self._gauge("released_not_held", "Persons released here, held nowhere yet")
        self.released_overdue = self._gauge("released_overdue", "Those of them released over an hour ago")
        self.released_age = self._gauge("released_oldest_age_seconds", "Since the oldest of these releases")
        self.releases_unreceipted = self._gauge("releases_unreceipted", "Released cases without receipt")
        self.unreceipted_release_age = self._gauge(
            "releases_unreceipted_oldest_age_seconds", "Since the oldest message of these cases"
        )
        self.outbox_pending = self._gauge("outbox_pending", "Messages without receipt")
        self.unreceipted_age = self._gauge("outbox_oldest_age_seconds", "Since the oldest of them")
        self.parked = self._gauge("parked", "Messages that wait for their cause")
        self.parked_age = self._gauge("parked_oldest_age_seconds", "Since the oldest of them came")
        self.quarantine = self._gauge("quarantine", "Refused messages that nobody has looked after")
        self.silent_lanes = self._gauge("silent_lanes", "Receivers and families that are only probed")
        self.looked_age = self._gauge("looked_age_seconds", "Since these figures were read")
        self._count_breaches()
        self._count_notifications()

    def _count_breaches(self) -> None:
        self.promises_broken = self._gauge("promises_broken", "Open cases beyond the promised deadline")
        self.statutes_broken = self._gauge("statutes_broken", "Open cases beyond the statutory deadline")
        self.called_county = self._gauge("called_county", "Open cases late enough for the county bureau")
        self.called_province = self._gauge("called_province", "Open cases late enough for the province")

    def _count_notifications(self) -> None:
        self.notifications_sent = self._counter(
            "notifications_sent", "Notifications that a channel took", "channel"
        )
        self.notification_failures = self._counter(
            "notification_failures", "Notifications a channel did not take, each try", "channel", "reason"
        )
        self.notifications_given_up = self._counter(
            "notifications_given_up", "Notifications that will not be tried again", "channel", "reason"
        )
        self.notifications_waiting = self._gauge("notifications_waiting", "Notifications not sent yet")
        self.notification_age = self._gauge(
            "notifications_oldest_age_seconds", "Since the oldest of them was due to be told"
        )
        self.notifications_failed = self._gauge("notifications_failed", "Notifications that were given up")

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"tongban_{name}", text, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"tongban_{name}", text, labels, registry=self.registry)
