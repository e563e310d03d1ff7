"""Forwarding to one province: its breaker, one repeat of a GET, one step after a person who has moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from tongban_gateway.breaker import Breaker, BreakerPolicy, BreakerState, RetryBudget
from tongban_gateway.exchange import moved_to
from tongban_gateway.monitor import Monitor
from tongban_gateway.upstream import Failure, Upstream, UpstreamFailedError, UpstreamRequest, UpstreamResponse
from tongban_shared.clock import BEIJING
from tongban_shared.errors import ProvinceDownError, RefusedError, UnavailableError, UnknownProvinceError
from tongban_shared.fault_points import fault_point
from tongban_shared.ids import Province
from tongban_shared.ports import Clock
from tongban_shared.provinces import ProvinceProfile
from tongban_shared.web.problems import Answer, problem

_REPEATABLE = frozenset({Failure.CONNECT, Failure.BROKEN})
_NOT_ACCEPTED = "your request was not accepted; repeat it later"
_PERHAPS_ACCEPTED = "your request may have been accepted; repeat it with the same Idempotency-Key"

_log = structlog.get_logger("tongban.gateway")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for a call that names no wait itself, and for a province in a country-wide list."""

    answer_timeout_s: float = 5.0
    fan_out_timeout_s: float = 3.0
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


class ProvinceAwayError(ProvinceDownError):
    """No answer from one province, with what the caller is told: which, since when, was it accepted."""

    def __init__(self, profile: ProvinceProfile, failure: Failure | None, since: datetime | None) -> None:
        reason = failure.value if failure else "it is not asked for the moment"
        since_text = f" since {since.isoformat(timespec='seconds')}" if since else ""
        super().__init__(f"the registry of province {profile.code} does not answer{since_text}: {reason}")
        self.profile = profile
        self.nothing_sent = failure is None or failure.nothing_sent
        self.since = since
        self.wait_s = 1.0

    def as_problem(self, method: str) -> Answer:
        """The 503 of this province; whoever sends something is told whether it may have been accepted."""
        extra: dict[str, Any] = {"province": self.profile.code}
        detail = str(self)
        if method != "GET":
            extra["accepted"] = "no" if self.nothing_sent else "unknown"
            detail += f"; {_NOT_ACCEPTED if self.nothing_sent else _PERHAPS_ACCEPTED}"
        wait_s = max(1, round(self.wait_s))
        return problem(
            self.code, detail=detail, contact=self.profile.contact, retry_after_s=wait_s, extra=extra
        )


class MovedOnError(UnavailableError):
    """Two registries in a row say that another one holds the person: a hand-over is under way."""

    def __init__(self) -> None:
        super().__init__("the registration is being handed over between two provinces; repeat the request")


@dataclass(slots=True)
class Lane:
    """The way to one province. It shares nothing with another: a dead province costs the rest nothing."""

    profile: ProvinceProfile
    upstream: Upstream
    breaker: Breaker
    budget: RetryBudget = field(default_factory=RetryBudget)
    answered_at_s: float | None = None


class Forwarder:
    """All lanes. `ticks` gives seconds of a clock that never goes back; `clock` what people are shown."""

    def __init__(
        self,
        directory: Mapping[Province, ProvinceProfile],
        upstreams: Mapping[Province, Upstream],
        *,
        clock: Clock,
        monitor: Monitor,
        patience: Patience,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = {
            province: Lane(directory[province], upstream, Breaker(patience.breaker))
            for province, upstream in upstreams.items()
        }
        self._clock = clock
        self._ticks = ticks
        self._monitor = monitor
        self.patience = patience

    @property
    def lanes(self) -> Mapping[Province, Lane]:
        """All provinces that this gateway can reach, by code."""
        return self._lanes

    async def close(self) -> None:
        """Close all ways."""
        for lane in self._lanes.values():
            await lane.upstream.close()

    async def forward(self, province: Province, request: UpstreamRequest) -> UpstreamResponse:
        """Return the province's answer, or that of the one province it names as holder.

        Raises UnknownProvinceError, ProvinceAwayError, RefusedError(OVERLOADED), MovedOnError.
        """
        answer = await self.ask(province, request)
        following = moved_to(answer)
        if following is None:
            return answer
        self._monitor.followed()
        answer = await self.ask(following, request)
        if moved_to(answer) is not None:
            raise MovedOnError
        return answer

    async def ask(self, province: Province, request: UpstreamRequest) -> UpstreamResponse:
        """Return this province's own answer."""
        lane = self._lanes.get(province)
        if lane is None:
            raise UnknownProvinceError(province)
        started_s = self._ticks()
        if not lane.breaker.admits(started_s):
            raise self._away(lane, None)
        lane.budget.earn()
        try:
            answer = await self._try(lane, request)
        except UpstreamFailedError as error:
            if request.method != "GET" or error.failure not in _REPEATABLE or not lane.budget.spend():
                raise self._failed(lane, error.failure) from error
            answer = await self._again(lane, request)
        fault_point("gateway.forwarded")
        lane.answered_at_s = ended_s = self._ticks()
        self._monitor.answered(province, answer.status, ended_s - started_s)
        return answer

    async def _try(self, lane: Lane, request: UpstreamRequest) -> UpstreamResponse:
        try:
            answer = await lane.upstream.send(request)
        except UpstreamFailedError as error:
            # All places taken says nothing of the province: each of those requests will tell for itself.
            if error.failure is Failure.BUSY:
                lane.breaker.abandoned()
            else:
                self._note_failure(lane)
            raise
        if lane.breaker.failing_since_s is not None:
            _log.info("province_back", province=lane.profile.code)
            lane.breaker.succeeded()
        return answer

    async def _again(self, lane: Lane, request: UpstreamRequest) -> UpstreamResponse:
        self._monitor.repeated(lane.profile.code)
        try:
            return await self._try(lane, request)
        except UpstreamFailedError as error:
            raise self._failed(lane, error.failure) from error

    def _note_failure(self, lane: Lane) -> None:
        before = lane.breaker.state
        lane.breaker.failed(self._ticks())
        if before is not BreakerState.OPEN and lane.breaker.state is BreakerState.OPEN:
            _log.warning("province_away", province=lane.profile.code, since=str(self.since(lane)))

    def _failed(self, lane: Lane, failure: Failure) -> Exception:
        self._monitor.failed(lane.profile.code, failure.name)
        if failure is Failure.BUSY:
            return RefusedError("OVERLOADED", f"too many requests for province {lane.profile.code} wait")
        return self._away(lane, failure)

    def _away(self, lane: Lane, failure: Failure | None) -> ProvinceAwayError:
        away = ProvinceAwayError(lane.profile, failure, self.since(lane))
        away.wait_s = lane.breaker.retry_after_s(self._ticks())
        return away

    def since(self, lane: Lane) -> datetime | None:
        """Since when the province gives no answer, by the clock for people; None while it does."""
        since_s = lane.breaker.failing_since_s
        if since_s is None:
            return None
        return self._clock.now().astimezone(BEIJING) - timedelta(seconds=self._ticks() - since_s)
