from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from tongban_shared.errors import IdNumberError, LedgerDownError
from tongban_shared.web.guard import Guard, Message, Receive, Scope, Send
from tongban_shared.web.install import install, new_app
from tongban_shared.web.trace import trace_id

NUMBER = "330000199003070029"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = {"content-type": "application/json"}


class Person(BaseModel):
    id_number: Annotated[str, Field(pattern=r"^[0-9]{17}[0-9X]$")]
    age: Annotated[int, Field(ge=0, le=130)] = 0


def small_app() -> FastAPI:
    """An application of a few routes, with the house's manners."""
    app = new_app("test", "0")

    @app.post("/people")
    async def people(person: Person) -> dict[str, bool]:
        return {"ok": bool(person)}

    @app.post("/any")
    async def anything(body: dict[str, Any]) -> dict[str, int]:
        return {"keys": len(body)}

    @app.get("/trace")
    async def trace() -> dict[str, str | None]:
        return {"trace": trace_id()}

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise {"ours": IdNumberError("DATE"), "away": LedgerDownError("x")}.get(how, ValueError(NUMBER))

    @app.get("/group")
    async def group() -> None:
        async def fail() -> None:
            raise LedgerDownError("x")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    install(app)
    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the small application."""
    transport = httpx.ASGITransport(small_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def code_of(answer: Awaitable[httpx.Response]) -> tuple[int, str]:
    """Status and code of a problem."""
    response = await answer
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def test_a_good_request_passes(http: httpx.AsyncClient) -> None:
    """The guard does not stand in the way of what is right."""
    answer = await http.post("/people", json={"id_number": NUMBER})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


async def test_a_body_that_announces_too_much_is_refused_unread(http: httpx.AsyncClient) -> None:
    """A body over 1 MiB is 413 by its length alone."""
    assert await code_of(http.post("/any", content=b"x" * (10 << 20), headers=JSON)) == (
        413,
        "BODY_TOO_LARGE",
    )


async def test_a_body_without_length_is_counted(http: httpx.AsyncClient) -> None:
    """A body that comes in parts is counted, and refused at 1 MiB."""
    seen = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal seen
        for _ in range(10_000):
            seen += 1 << 16
            yield b"x" * (1 << 16)

    assert await code_of(http.post("/any", content=parts(), headers=JSON)) == (413, "BODY_TOO_LARGE")
    assert seen <= (1 << 20) + (1 << 16)


@pytest.mark.parametrize(
    ("body", "code"), [(b'{"a":', "JSON_INVALID"), (b"[" * 400_000 + b"]" * 400_000, "JSON_TOO_DEEP")]
)
async def test_bad_json_is_400(http: httpx.AsyncClient, body: bytes, code: str) -> None:
    """What is no JSON, or too deep, never reaches the application."""
    assert await code_of(http.post("/any", content=body, headers=JSON)) == (400, code)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "application/json; charset=gbk"])
async def test_another_media_type_is_415(http: httpx.AsyncClient, kind: str) -> None:
    """A body that is not announced as JSON in UTF-8 is refused."""
    answer = http.post("/any", content=b"{}", headers={"content-type": kind})
    assert await code_of(answer) == (415, "MEDIA_TYPE")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; Charset=UTF-8"])
async def test_json_may_be_announced_in_any_case(http: httpx.AsyncClient, kind: str) -> None:
    """Media types are compared without case."""
    answer = await http.post("/any", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 200


async def test_a_post_without_body_needs_no_media_type(http: httpx.AsyncClient) -> None:
    """An empty POST is the application's business."""
    assert await code_of(http.post("/any")) == (422, "FIELD_INVALID")


async def test_a_body_that_does_not_come_is_408() -> None:
    """A caller who stops sending is answered after the time limit, and holds nothing."""

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    sent = await answer_of(Guard(unreached, body_timeout_s=0.0), never)
    assert sent[0]["status"] == 408


async def test_a_caller_who_leaves_gets_no_answer() -> None:
    """A connection that closes before the end of the body ends the request in silence."""

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert await answer_of(Guard(unreached), gone) == []


async def unreached(_: Scope, __: Receive, ___: Send) -> None:
    """An application that must not be reached."""
    raise AssertionError("the application was reached")


async def answer_of(app: Guard, receive: Callable[[], Awaitable[Message]]) -> list[Message]:
    """What a POST is answered, given what the server says."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await app(scope, receive, send)
    return sent


async def test_the_application_learns_that_the_caller_left() -> None:
    """After the body the application hears what the server has to say."""
    heard: list[str] = []
    server: list[Message] = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

    async def listens(_: Scope, receive: Receive, __: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    async def receive() -> Message:
        return server.pop(0)

    await answer_of(Guard(listens), receive)
    assert heard == ["http.request", "http.disconnect"]


async def test_a_trace_goes_on(http: httpx.AsyncClient) -> None:
    """The trace id that comes in is the one inside and the one that goes out, with a span of ours."""
    answer = await http.get("/trace", headers={"traceparent": TRACEPARENT})
    assert answer.json()["trace"] == TRACEPARENT[3:35]
    assert answer.headers["traceparent"][:35] == TRACEPARENT[:35]
    assert answer.headers["traceparent"] != TRACEPARENT


@pytest.mark.parametrize(
    "sent", ["", "x", f"00-{'0' * 32}-b7ad6b7169203331-01", f"ff-{'a' * 32}-b7ad6b7169203331-01", NUMBER]
)
async def test_a_void_trace_is_replaced(http: httpx.AsyncClient, sent: str) -> None:
    """What is no traceparent starts a new trace, and is repeated nowhere."""
    answer = await http.get("/trace", headers={"traceparent": sent})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.headers["traceparent"])


async def test_two_requests_have_two_traces(http: httpx.AsyncClient) -> None:
    """Without a traceparent each request starts its own trace."""
    first, second = await http.get("/trace"), await http.get("/trace")
    assert first.json() != second.json()


async def test_security_headers_are_on_every_answer(http: httpx.AsyncClient) -> None:
    """Good answers and refusals alike carry the security headers, once each."""
    for answer in (
        await http.get("/trace"),
        await http.get("/nowhere"),
        await http.post("/any", content=b"{"),
    ):
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert answer.headers.get_list("content-security-policy") == [
            "default-src 'none'; frame-ancestors 'none'"
        ]


async def test_an_unknown_path_is_404(http: httpx.AsyncClient) -> None:
    """An unknown path is a problem like any other."""
    assert await code_of(http.get("/nowhere")) == (404, "NOT_FOUND")


async def test_another_method_is_405_and_names_the_right_one(http: httpx.AsyncClient) -> None:
    """A wrong method is told which ones there are."""
    answer = await http.delete("/people")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_slash_at_the_end_is_no_redirect(http: httpx.AsyncClient) -> None:
    """A redirect would name a host, so there is none."""
    assert await code_of(http.get("/trace/")) == (404, "NOT_FOUND")


async def test_field_errors_give_place_and_rule(http: httpx.AsyncClient) -> None:
    """Each fault names its location, its rule and the rule's limits."""
    answer = await http.post("/people", json={"id_number": "x", "age": 200})
    assert answer.json()["code"] == "FIELD_INVALID"
    faults = {fault["location"]: fault for fault in answer.json()["errors"]}
    assert faults["body.age"]["rule"] == "less_than_equal"
    assert faults["body.age"]["limits"] == {"le": 130}


async def test_field_errors_never_repeat_what_was_sent(http: httpx.AsyncClient) -> None:
    """Neither a value nor a value put where a name belongs comes back."""
    for body in ({"id_number": NUMBER + "9"}, {NUMBER: 1}, [NUMBER], {"id_number": {NUMBER: NUMBER}}):
        answer = await http.post("/people", json=body)
        assert answer.status_code == 422
        assert NUMBER not in answer.text


async def test_our_errors_become_their_problems(http: httpx.AsyncClient) -> None:
    """An error of the tree is answered with its own code."""
    assert await code_of(http.get("/fails/ours")) == (422, "ID_NUMBER_INVALID")
    assert await code_of(http.get("/fails/away")) == (503, "LEDGER_DOWN")


async def test_an_error_in_a_task_group_keeps_its_code(http: httpx.AsyncClient) -> None:
    """A task group wraps an error of ours; the caller sees the error."""
    assert await code_of(http.get("/group")) == (503, "LEDGER_DOWN")


async def test_an_unexpected_error_tells_nothing(http: httpx.AsyncClient) -> None:
    """What nobody caught is a 500 with a trace id; neither answer nor log has its words."""
    with capture_logs() as written:
        answer = await http.get("/fails/otherwise", headers={"traceparent": TRACEPARENT})
    assert (answer.status_code, answer.json()["instance"]) == (500, TRACEPARENT[3:35])
    assert [entry["error_type"] for entry in written] == ["ValueError"]
    assert NUMBER not in answer.text + str(written)
