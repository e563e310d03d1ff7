from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.gateway.asked import TIMEOUT_S, failure_of, get, post
from tongban_gateway.http1 import Http1Upstream
from tongban_gateway.upstream import (
    ANSWER_SIZE_BYTES_MAX,
    Failure,
    Upstream,
    UpstreamFailedError,
    UpstreamRequest,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Thing: 1\r\n\r\n{}"


@asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[int]:
    """A server on loopback that does what the test says; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop turn until something has happened there."""
    for _ in range(100_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


def is_empty(upstream: Http1Upstream) -> bool:
    """Whether no connection waits for a request."""
    return not upstream.idle


def answering(*answers: bytes) -> Serve:
    """Answer each request of a connection with the next of these bytes, then close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return serve


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Take a request and never answer."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.Event().wait()


async def test_an_answer_comes_whole_with_names_in_lower_case() -> None:
    """Status, headers and body are what the peer sent."""
    async with peer(answering(OK)) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        answer = await upstream.send(get())
        assert answer == (200, [(b"content-length", b"2"), (b"x-thing", b"1")], b"{}")
        await upstream.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
    ],
    ids=["chunked", "continue", "early hints"],
)
async def test_every_framing_of_an_answer_is_understood(answer: bytes) -> None:
    """Chunks and interim answers lead to the same final answer."""
    async with peer(answering(answer)) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        whole = await upstream.send(get())
        assert (whole.status, whole.body) == (200, b"{}")
        await upstream.close()


async def test_an_answer_without_body_is_an_answer() -> None:
    """A 204 ends with its head."""
    async with peer(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        assert (await upstream.send(get())).status == 204
        await upstream.close()


async def test_a_connection_is_used_again() -> None:
    """Requests one after another share a connection."""
    connections = 0
    inner = answering(*[OK] * 5)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await inner(reader, writer)

    async with peer(serve) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        for _ in range(5):
            await upstream.send(get())
        assert connections == 1
        await upstream.close()


async def test_a_connection_that_the_peer_closed_is_not_used_again() -> None:
    """After `Connection: close`, and after a silent close, a new connection is made."""
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    for answer in (closing, OK):
        async with peer(answering(answer)) as port:
            upstream = Http1Upstream(f"http://127.0.0.1:{port}")
            for _ in range(3):
                assert (await upstream.send(get())).status == 200
                await until(partial(is_empty, upstream))
            await upstream.close()


async def test_the_request_on_the_wire_is_what_was_asked_for() -> None:
    """Method, prefix, target, host, headers, length and body go out as one request."""
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.readuntil(b"{}")
        writer.write(OK)
        await writer.drain()

    async with peer(serve) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}/p/44/")
        await upstream.send(post())
        await upstream.close()
    assert heard == (
        b"POST /p/44/x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
        b"content-length: 2\r\n\r\n{}" % port
    )


@pytest.mark.parametrize(
    "request_",
    [
        get(b"/x HTTP/1.1\r\nhost: y\r\n\r\nGET /z"),
        UpstreamRequest("GET", b"/x", [(b"a", b"b\r\nc: d")], b"", TIMEOUT_S),
        UpstreamRequest("GET", b"/x", [(b"a\nb", b"c")], b"", TIMEOUT_S),
    ],
)
async def test_a_line_break_smuggles_nothing(request_: UpstreamRequest) -> None:
    """A request with a line break where none belongs is never written."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))

    async with peer(serve) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        assert await failure_of(upstream.send(request_)) is Failure.BAD_ANSWER
        await upstream.close()
    assert heard == []


async def closed_port() -> int:
    """A port where nobody listens any more."""
    async with peer(hang) as port:
        return port


async def test_nobody_there_means_nothing_was_sent() -> None:
    """A refused connection is told apart from one that broke later."""
    upstream = Http1Upstream(f"http://127.0.0.1:{await closed_port()}")
    failure = await failure_of(upstream.send(post()))
    assert (failure, failure.nothing_sent) == (Failure.CONNECT, True)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"],
    ids=["silence", "half a head", "half a body"],
)
async def test_a_connection_that_breaks_after_sending_is_told_as_that(answer: bytes) -> None:
    """The request may have arrived: that is what a caller must hear."""
    async with peer(answering(answer)) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        failure = await failure_of(upstream.send(post()))
        assert (failure, failure.nothing_sent) == (Failure.BROKEN, False)
        await upstream.close()


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    """The request keeps its own time, and its connection is not used again."""
    async with peer(hang) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        assert await failure_of(upstream.send(get(timeout_s=0.01))) is Failure.TIMEOUT
        assert upstream.idle == 0
        await upstream.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (ANSWER_SIZE_BYTES_MAX + 1),
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * (ANSWER_SIZE_BYTES_MAX // 6 + 1),
    ],
    ids=["another protocol", "no length", "endless body", "endless head"],
)
async def test_a_hostile_answer_is_refused(answer: bytes) -> None:
    """What is no HTTP, or has no end, is cut off."""
    async with peer(answering(answer)) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}")
        assert await failure_of(upstream.send(get())) is Failure.BAD_ANSWER
        await upstream.close()


async def test_places_are_bounded_and_given_on() -> None:
    """Beyond its places a pool lets a bounded number wait, and refuses the rest at once."""
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await go.wait()
            writer.write(OK)
            await writer.drain()

    async with peer(serve) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}", connections_max=2, waiting_max=3)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome(upstream)) for _ in range(10)]
            await until(lambda: sum(task.done() for task in tasks) == 5)
            go.set()
        results = [task.result() for task in tasks]
        assert sorted(map(str, results)) == ["200"] * 5 + [Failure.BUSY.value] * 5
        await upstream.close()


async def outcome(upstream: Upstream) -> int | Failure:
    """Status, or how the request failed."""
    try:
        return (await upstream.send(get())).status
    except UpstreamFailedError as error:
        return error.failure


async def test_a_caller_who_is_cancelled_leaves_no_place_taken() -> None:
    """A request that is stopped from outside closes its connection and frees its place."""
    async with peer(hang) as port:
        upstream = Http1Upstream(f"http://127.0.0.1:{port}", connections_max=1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await upstream.send(get())
        await upstream.close()


async def test_connections_that_fail_give_their_places_back() -> None:
    """After many failures a pool has all its places again."""
    upstream = Http1Upstream(f"http://127.0.0.1:{await closed_port()}", connections_max=2)
    assert [await failure_of(upstream.send(get())) for _ in range(10)] == [Failure.CONNECT] * 10
