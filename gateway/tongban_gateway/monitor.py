"""What the gateway counts. Labels are provinces, statuses and reasons, never a person or a case."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 35.0)


class Monitor:
    """Counters of one gateway, in its own registry. Children are kept: to look them up costs more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "tongban_gateway_answers", "Answers of registries", ("province", "status"), registry=registry
        )
        self._failures = Counter(
            "tongban_gateway_failures",
            "Requests without an answer",
            ("province", "reason"),
            registry=registry,
        )
        self._repeats = Counter(
            "tongban_gateway_repeats", "GET requests sent a second time", ("province",), registry=registry
        )
        self._moved = Counter("tongban_gateway_moved", "Requests that followed a person", registry=registry)
        self._ledger_answers = Counter(
            "tongban_gateway_ledger_answers", "Lookups answered from the ledger alone", registry=registry
        )
        self._seconds = Histogram(
            "tongban_gateway_answer_seconds",
            "Time to the answer",
            ("province",),
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._answer_of: dict[tuple[str, int], Counter] = {}
        self._seconds_of: dict[str, Histogram] = {}

    def answered(self, province: str, status: int, seconds: float) -> None:
        """Count one answer."""
        answers = self._answer_of.get((province, status))
        if answers is None:
            answers = self._answer_of[province, status] = self._answers.labels(province, str(status))
        answers.inc()
        seconds_of = self._seconds_of.get(province)
        if seconds_of is None:
            seconds_of = self._seconds_of[province] = self._seconds.labels(province)
        seconds_of.observe(seconds)

    def failed(self, province: str, reason: str) -> None:
        """Count one request that got no answer."""
        self._failures.labels(province, reason).inc()

    def repeated(self, province: str) -> None:
        """Count one repeat."""
        self._repeats.labels(province).inc()

    def followed(self) -> None:
        """Count one request that went after a person who has moved."""
        self._moved.inc()

    def answered_by_ledger(self) -> None:
        """Count one lookup that the holder itself could not answer."""
        self._ledger_answers.inc()
