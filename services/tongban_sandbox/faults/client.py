"""Those outside: they apply, follow their cases, ask for persons by the gateways, and write all of it down.

The load is open: what comes next does not wait for what came before. An applicant is careful, as a window's
program must be: it repeats its application with the same key until it has a definite answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple

import msgspec

from tongban_gateway.http1 import Http1Upstream
from tongban_gateway.upstream import UpstreamFailedError, UpstreamRequest
from tongban_sandbox.faults.crowd import Crowd, Party
from tongban_sandbox.faults.history import Answer, History, Request
from tongban_sandbox.faults.watch import Watch
from tongban_shared.ids import Province

ANSWER_LIMIT_S = 8.0
REPEAT_S, REPEAT_S_MAX = 0.3, 2.0
LOOK_S, LOOK_S_MAX = 0.25, 3.0
# While the first new case is waited for, a few are looked at closely; all would be a load of its own.
CLOSE_LOOK_S, CLOSELY_MAX = 0.1, 6
LOOKS_AT_ONCE = 16
ASKED_AT_ONCE_MAX = 400
# Each caller outside has a connection of its own: what is not answered is not for want of one.
CALLS_AT_ONCE_MAX = 4_000
COMPLETED = "COMPLETED"
ENDS = frozenset({COMPLETED, "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"})
UNKNOWN_PERSON = "PERSON_UNKNOWN"
UNKNOWN_CASE = "CASE_UNKNOWN"
# Neither yes nor no: the client comes again.
AGAIN = frozenset({HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
NO_ANSWER = 0
JSON_HEADERS = [(b"content-type", b"application/json")]


class Reply(NamedTuple):
    """status: NO_ANSWER where the connection failed or nothing came in time; code: of a problem."""

    status: int
    body: Mapping[str, Any]

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        return str(self.body.get("code", ""))


@dataclass(frozen=True, slots=True)
class Pace:
    """New applications and questions a second."""

    cases_per_s: float
    lookups_per_s: float


@dataclass(frozen=True, slots=True)
class PutBack:
    """A register that was put back to a copy: what it took between the two moments may be gone with it."""

    province: str
    copied_s: float
    lost_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that got neither yes nor no. what: apply, case or lookup; status: NO_ANSWER or what was said."""

    what: str
    at_s: float
    took_s: float
    status: int
    provinces: frozenset[str]


def kinds(failed: Iterable[Failed]) -> str:
    """How many of what, in words."""
    counted = Counter(f"{one.what} {one.status or 'no answer'}" for one in failed)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))


@dataclass(slots=True)
class Client:
    """All of them. watch: what is looked at closely just now.

    closed: provinces that nobody moves to just now; apart: nor from; only_from: the only ones moved from.
    forgotten: applications that a register has forgotten, and may: it was put back.
    """

    crowd: Crowd
    pace: Pace
    history: History = field(default_factory=History)
    failures: list[Failed] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)
    watch: Watch | None = None
    closed: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    only_from: frozenset[str] = frozenset()
    put_back: list[PutBack] = field(default_factory=list)
    forgotten: dict[str, Request] = field(default_factory=dict)
    open: dict[str, Request] = field(default_factory=dict)
    unsure: int = 0
    ended: list[Request] = field(default_factory=list)
    _ways: list[Http1Upstream] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _failed_tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _pacing: list[asyncio.Task[None]] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(1))
    _looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE))
    _asking: int = 0
    _numbers: int = 0

    def begin(self, urls: Sequence[str]) -> None:
        """Let the load begin, by these gateways."""
        self._ways = [Http1Upstream(url, connections_max=CALLS_AT_ONCE_MAX) for url in urls]
        self._pacing = [asyncio.create_task(self._ask_on())]
        self.apply_on()

    def apply_on(self) -> None:
        """Let new applications come."""
        self._pacing.append(asyncio.create_task(self._apply_on()))

    def pause(self) -> None:
        """No more new applications; questions go on, and cases are followed to their ends."""
        for task in self._pacing[1:]:
            task.cancel()
        del self._pacing[1:]

    @property
    def busy(self) -> int:
        """Applications that have not ended, or have no definite answer yet."""
        return len(self.open) + self.unsure

    async def close(self) -> None:
        """End everything."""
        for task in (*self._pacing, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._pacing, *self._tasks, return_exceptions=True)
        for way in self._ways:
            await way.close()

    def check(self) -> None:
        """Raise what a task of ours ended with: then its fault is this module's."""
        for task in (*self._pacing, *self._failed_tasks):
            if task.done():
                task.result()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed_tasks.append(task)

    # Questions for persons.

    async def _ask_on(self) -> None:
        while True:
            if self._asking < ASKED_AT_ONCE_MAX:
                self._run(self._ask())
            await asyncio.sleep(self._random.expovariate(self.pace.lookups_per_s))

    async def _ask(self) -> None:
        watched = self.watch.provinces if self.watch and self._random.random() < 1 / 2 else frozenset[str]()
        drawn = self.crowd.somebody(watched)
        if drawn is None:
            return
        party, place = drawn
        person, home = party.persons[place], party.home
        gateway = self._gateway()
        begin_s = time.monotonic()
        self._asking += 1
        try:
            body = {**party.people[place], "purpose": "CHECK"}
            reply = await self.call(gateway, "POST", "/v1/registrations/lookup", body)
        finally:
            self._asking -= 1
        end_s = time.monotonic()
        if reply.status == HTTPStatus.OK:
            told = reply.body
            answer = Answer(person, begin_s, end_s, told["province"], told["epoch"], told["source"])
        elif reply.status == HTTPStatus.NOT_FOUND and reply.code == UNKNOWN_PERSON:
            answer = Answer(person, begin_s, end_s, None)
        else:
            self._failed("lookup", begin_s, reply, frozenset({home}))
            return
        self.history.answers.append(answer)
        if self.watch is not None and answer.province is not None:
            self.watch.answer(answer, gateway)

    # Applications and their cases.

    async def _apply_on(self) -> None:
        while True:
            self.apply()
            await asyncio.sleep(self._random.expovariate(self.pace.cases_per_s))

    def apply(self) -> bool:
        """One party that is free hands in an application; False where none was found."""
        watched = self.watch.provinces if self.watch else frozenset[str]()
        drawn = self.crowd.movers(watched, self.closed, apart=self.apart, origins=self.only_from)
        if drawn is not None:
            drawn[0].busy = True
            self._run(self._live(*drawn))
        return drawn is not None

    async def _live(self, party: Party, destination: Province) -> None:
        """One application from the first try to the end of its case."""
        gateway = self._gateway()
        self.unsure += 1
        try:
            request = await self._hand_in(party, destination, gateway)
        finally:
            self.unsure -= 1
        if request is not None:
            self.history.requests[request.case_id] = self.open[request.case_id] = request
            await self._follow(request, {party.home, destination})
            del self.open[request.case_id]
            if request.ended is None:
                return  # Its register has forgotten it: nobody knows yet how it ended, so nobody moves.
            self._settle(party, request, gateway)
        party.busy = False

    async def _hand_in(self, party: Party, destination: Province, gateway: int) -> Request | None:
        """Apply until there is a yes or a no."""
        self._numbers += 1
        key = f"faults-{self._numbers}"
        body = self.crowd.application(party, destination)
        asked_s, pause_s = time.monotonic(), REPEAT_S
        while True:
            begin_s = time.monotonic()
            reply = await self.call(gateway, "POST", "/v1/cases", body, key=key)
            if reply.status == HTTPStatus.ACCEPTED:
                moments = (asked_s, time.monotonic())
                return Request(str(reply.body["case_id"]), party.persons, party.home, destination, *moments)
            if reply.status not in {NO_ANSWER, *AGAIN}:
                self.refused[f"{reply.status} {reply.code}"] += 1
                return None
            self._failed("apply", begin_s, reply, frozenset({party.home, destination}))
            await asyncio.sleep(self._random.uniform(pause_s / 2, pause_s))
            pause_s = min(pause_s * 1.5, REPEAT_S_MAX)
            gateway = self._gateway()

    async def _follow(self, request: Request, touched: set[str]) -> None:
        """Look at the case, less and less often, until it has ended or is forgotten."""
        pause_s = LOOK_S
        while request.ended is None and request.case_id not in self.forgotten:
            await asyncio.sleep(CLOSE_LOOK_S if self._is_close(request) else pause_s)
            pause_s = min(pause_s * 1.3, LOOK_S_MAX)
            async with self._looks:
                begin_s = time.monotonic()
                reply = await self.call(self._gateway(), "GET", f"/v1/cases/{request.case_id}")
            if reply.status == HTTPStatus.OK and reply.body["state"] in ENDS:
                request.ended, request.ended_s = str(reply.body["state"]), time.monotonic()
            elif reply.status == HTTPStatus.NOT_FOUND and reply.code == UNKNOWN_CASE:
                self._gone(request)
            elif reply.status != HTTPStatus.OK:
                self._failed("case", begin_s, reply, frozenset(touched))

    def _is_close(self, request: Request) -> bool:
        """Whether it is one of the first that the watch waits for."""
        if self.watch is None or request.asked_s < self.watch.since_s:
            return False
        if len(self.watch.closely) < CLOSELY_MAX:
            self.watch.closely.add(request.case_id)
        return request.case_id in self.watch.closely

    def _gone(self, request: Request) -> None:
        """A register does not know a case that it acknowledged."""
        if self.may_forget(request):
            self.forgotten[request.case_id] = request
        else:
            self.gone.add(request.case_id)

    def may_forget(self, request: Request) -> bool:
        """Whether it was acknowledged after the copy to which its register was put back."""
        return any(
            one.province == request.destination and one.copied_s <= request.acknowledged_s <= one.lost_s
            for one in self.put_back
        )

    def _settle(self, party: Party, request: Request, gateway: int) -> None:
        """The case has ended: what its applicant was shown is an answer like any other."""
        self.ended.append(request)
        if request.ended != COMPLETED:
            return
        origin, party.home, party.epoch = party.home, Province(request.destination), party.epoch + 1
        for person in party.persons:
            shown = (request.asked_s, request.ended_s, party.home, party.epoch)
            self.history.answers.append(Answer(person, *shown, source=f"case {request.case_id}"))
        if self.watch is not None:
            self.watch.completed(request, origin, gateway)

    # Calls.

    def _gateway(self) -> int:
        if self.watch is not None and self.watch.gateway is not None:
            return self.watch.gateway
        return self._random.randrange(len(self._ways))

    def _failed(self, what: str, begin_s: float, reply: Reply, provinces: frozenset[str]) -> None:
        now_s = time.monotonic()
        self.failures.append(Failed(what, now_s, now_s - begin_s, reply.status, provinces))

    async def call(
        self, gateway: int, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> Reply:
        """Call one gateway."""
        return await call(self._ways[gateway], method, path, body, key=key)


async def call(
    way: Http1Upstream, method: str, path: str, body: object = None, *, key: str | None = None
) -> Reply:
    """Call whatever listens there; NO_ANSWER where it does not answer in time."""
    headers = [] if body is None else list(JSON_HEADERS)
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    content = b"" if body is None else msgspec.json.encode(body)
    request = UpstreamRequest(method, path.encode(), headers, content, ANSWER_LIMIT_S)
    try:
        answer = await way.send(request)
    except UpstreamFailedError:
        return Reply(NO_ANSWER, {})
    try:
        return Reply(answer.status, msgspec.json.decode(answer.body, type=dict[str, Any]))
    except msgspec.DecodeError:
        return Reply(answer.status, {})
