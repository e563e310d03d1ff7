"""What the gateway counts. Labels are provinces, statuses and reasons, never a person or a case."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 35.0)


class Monitor(Collector):
    """Counters of one gateway. Plain numbers, written out when they are read: counting is on the hot path."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._repeats: Counter[str] = Counter()
        self._followed = 0
        self._ledger_answers = 0
        self._times: dict[str, list[int]] = {}
        self._sums_s: dict[str, float] = {}
        registry.register(self)

    def answered(self, province: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._answers[province, status] += 1
        times = self._times.get(province)
        if times is None:
            times = self._times[province] = [0] * (len(_BUCKETS_S) + 1)
            self._sums_s[province] = 0.0
        times[bisect_left(_BUCKETS_S, seconds)] += 1
        self._sums_s[province] += seconds

    def failed(self, province: str, reason: str) -> None:
        """Count one request that got no answer."""
        self._failures[province, reason] += 1

    def repeated(self, province: str) -> None:
        """Count one repeat."""
        self._repeats[province] += 1

    def followed(self) -> None:
        """Count one request that went after a person who has moved."""
        self._followed += 1

    def answered_by_ledger(self) -> None:
        """Count one lookup that the holder itself could not answer."""
        self._ledger_answers += 1

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they stand."""
        answers = ((province, str(status), count) for (province, status), count in self._answers.items())
        yield _counter("answers", "Answers of registries", ("province", "status"), answers)
        failures = ((province, reason, count) for (province, reason), count in self._failures.items())
        yield _counter("failures", "Requests without an answer", ("province", "reason"), failures)
        yield _counter("repeats", "GET requests sent a second time", ("province",), self._repeats.items())
        yield _counter("moved", "Requests that followed a person", (), [(self._followed,)])
        yield _counter(
            "ledger_answers", "Lookups answered by the ledger alone", (), [(self._ledger_answers,)]
        )
        yield self._seconds()

    def _seconds(self) -> Metric:
        family = HistogramMetricFamily(
            "tongban_gateway_answer_seconds", "Time to the answer", labels=["province"]
        )
        bounds = [*map(str, _BUCKETS_S), "+Inf"]
        for province, times in self._times.items():
            reached = 0
            buckets = []
            for bound, count in zip(bounds, times, strict=True):
                reached += count
                buckets.append((bound, float(reached)))
            family.add_metric([province], buckets, self._sums_s[province])
        return family


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Iterable[tuple[str | int, ...]]) -> Metric:
    """One family; each row is its labels' values and the count."""
    family = CounterMetricFamily(f"tongban_gateway_{name}", text, labels=labels)
    for *values, count in rows:
        family.add_metric([str(value) for value in values], float(count))
    return family
