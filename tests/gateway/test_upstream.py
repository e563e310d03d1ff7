from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.gateway.asked import failure_of, get, post
from tests.gateway.country import GUANGDONG, SmallRegistry, case_id
from tongban_gateway.upstream import (
    ANSWER_SIZE_BYTES_MAX,
    AnyAddress,
    AsgiUpstream,
    Failure,
    HttpxUpstream,
    Upstream,
    UpstreamFailedError,
    UpstreamRequest,
    UpstreamResponse,
)
from tongban_shared.web.guard import AsgiApp, Receive, Scope, Send


async def test_all_ways_bring_the_same_answer() -> None:
    """In the process directly, or through httpx, a registry answers alike."""
    app = SmallRegistry(GUANGDONG).app()
    ways: list[Upstream] = [AsgiUpstream(app), HttpxUpstream("http://x", lambda: httpx.ASGITransport(app))]
    answers = [await way.send(get(f"/v1/cases/{case_id(GUANGDONG)}?a=b".encode())) for way in ways]
    assert answers[0].status == answers[1].status == 200
    assert answers[0].body == answers[1].body
    names = [{name for name, _ in answer.headers} for answer in answers]
    assert names[0] == names[1]
    for way in ways:
        await way.close()


def never() -> AsgiApp:
    """An application that never answers."""

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        await asyncio.Event().wait()

    return app


async def test_a_slow_application_in_the_process_is_given_up_but_not_stopped() -> None:
    """The caller gets its timeout; the application runs on until the way is closed."""
    stopped = False

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        nonlocal stopped
        try:
            await asyncio.Event().wait()
        finally:
            stopped = True

    upstream = AsgiUpstream(app)
    assert await failure_of(upstream.send(get(timeout_s=0.01))) is Failure.TIMEOUT
    assert not stopped
    await upstream.close()
    assert stopped


async def test_an_application_that_fails_is_a_broken_connection() -> None:
    """An exception, or no answer at all, is told like a connection that broke."""

    async def raises(_: Scope, __: Receive, ___: Send) -> None:
        raise ValueError

    async def silent(_: Scope, __: Receive, ___: Send) -> None:
        return

    for app in (raises, silent):
        assert await failure_of(AsgiUpstream(app).send(get())) is Failure.BROKEN


async def test_closing_the_way_ends_what_is_under_way() -> None:
    """A caller who waits when the registry goes hears of a broken connection at once."""
    upstream = AsgiUpstream(never())
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(failure_of(upstream.send(get())))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await upstream.close()
    assert waiting.result() is Failure.BROKEN


class Failing(httpx.AsyncBaseTransport):
    """An httpx transport that fails as real ones do."""

    def __init__(self, error: type[httpx.TransportError]) -> None:
        self._error = error
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error("", request=request)

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (httpx.ConnectError, Failure.CONNECT),
        (httpx.ConnectTimeout, Failure.CONNECT),
        (httpx.PoolTimeout, Failure.BUSY),
        (httpx.ReadTimeout, Failure.TIMEOUT),
        (httpx.ReadError, Failure.BROKEN),
        (httpx.RemoteProtocolError, Failure.BROKEN),
    ],
)
async def test_httpx_errors_say_whether_anything_was_sent(
    error: type[httpx.TransportError], failure: Failure
) -> None:
    """Each error of httpx has its meaning for the caller."""
    assert await failure_of(HttpxUpstream("http://x", lambda: Failing(error)).send(get())) is failure


async def test_two_pool_timeouts_in_a_row_bring_a_new_client() -> None:
    """A pool that leaked its places is replaced, and the old one closed."""
    made: list[Failing] = []

    def make() -> Failing:
        made.append(Failing(httpx.PoolTimeout))
        return made[-1]

    upstream = HttpxUpstream("http://x", make)
    for _ in range(4):
        await failure_of(upstream.send(get()))
    assert [transport.closed for transport in made] == [True, True, False]


async def test_an_answer_through_httpx_is_bounded() -> None:
    """An endless answer is cut off."""

    async def endless(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (ANSWER_SIZE_BYTES_MAX + 1)})

    upstream = HttpxUpstream("http://x", lambda: httpx.ASGITransport(endless))
    assert await failure_of(upstream.send(get())) is Failure.BAD_ANSWER


class Counting:
    """A way that counts and fails as told."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.count = 0

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.count += 1
        if self.failure is not None:
            raise UpstreamFailedError(self.failure)
        return UpstreamResponse(200, request.headers, b"")

    async def close(self) -> None:
        self.count = -1


async def test_addresses_of_equal_rank_take_turns() -> None:
    """Requests are spread evenly."""
    ways = [Counting(), Counting(), Counting()]
    upstream = AnyAddress(ways)
    for _ in range(30):
        await upstream.send(get())
    assert [way.count for way in ways] == [10, 10, 10]


async def test_what_could_not_be_sent_goes_to_the_next_address() -> None:
    """One dead address of several costs no request, not even a POST."""
    ways = [Counting(Failure.CONNECT), Counting()]
    upstream = AnyAddress(ways)
    assert [(await upstream.send(post())).status for _ in range(4)] == [200] * 4


@pytest.mark.parametrize("failure", [Failure.BROKEN, Failure.TIMEOUT, Failure.BAD_ANSWER])
async def test_what_may_have_arrived_is_not_sent_elsewhere(failure: Failure) -> None:
    """A request that was sent once is not sent to another address."""
    ways = [Counting(failure), Counting(failure)]
    assert await failure_of(AnyAddress(ways).send(post())) is failure
    assert sum(way.count for way in ways) == 1


async def test_all_addresses_dead_is_no_connection() -> None:
    """Each address is tried once."""
    ways = [Counting(Failure.CONNECT), Counting(Failure.CONNECT)]
    assert await failure_of(AnyAddress(ways).send(get())) is Failure.CONNECT
    assert [way.count for way in ways] == [1, 1]
