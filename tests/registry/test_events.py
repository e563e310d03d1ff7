"""A case as it changes, over HTTP: told once, resumed, ended; a caller that listens costs a read a change."""

from __future__ import annotations

import json

import pytest

from tests.registry.country import A, B
from tests.stories.guidance import CONSULTATION, advise, consult, read, under_way
from tests.stories.world import Country
from tests.streams import Listener, app_of
from tongban_registry import events_http

BEAT_H = 0.01


async def session_of(country: Country) -> str:
    """A window of B asks an expert of A."""
    person = country.person(A)
    session = await consult(country, await under_way(country, person), person)
    await country.until(A, session, "OPEN")
    return session


def listening(country: Country, at: str, session: str, last: str | None = None) -> Listener:
    """Somebody who watches a case at a province."""
    return Listener(app_of(country.sites[at].door), f"/v1/cases/{session}/events", last)


async def test_each_change_is_told_as_it_happens(country: Country) -> None:
    """From the first line to the last, numbered, with the public word for the state; then the stream ends."""
    session = await session_of(country)
    async with listening(country, B, session) as window:
        assert window.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        first = await window.event()
        assert first is not None
        assert (first["id"], first["event"], first["public_state"]) == ("1", "consultation.apply", "ACCEPTED")
        await advise(country, A, session)
        second = await window.event()
        assert second is not None
        assert (second["id"], second["state"]) == ("2", "ANSWERED")
        await read(country, B, session)
        assert (await window.event() or {})["state"] == "COMPLETED"
        assert await window.event() == {"id": "3", "name": "end", "public_state": "COMPLETED"}
        assert await window.event() is None


async def test_who_comes_back_hears_what_is_new_alone(country: Country) -> None:
    """After the number heard last; what is older is not told twice."""
    session = await session_of(country)
    await advise(country, A, session)
    await country.until(B, session, "ANSWERED")
    async with listening(country, B, session, last="1") as window:
        assert (await window.event() or {})["id"] == "2"


async def test_a_timeline_that_was_put_back_is_told_from_its_beginning(country: Country) -> None:
    """Who has heard more than there is would wait for lines that never come (G1)."""
    session = await session_of(country)
    async with listening(country, B, session, last="9") as window:
        assert (await window.event() or {})["id"] == "1"


async def test_who_has_heard_all_of_an_ended_case_is_told_not_to_come_back(country: Country) -> None:
    """204: a browser opens no stream after it."""
    session = await session_of(country)
    await country.act(B, session, "withdrawal")
    async with listening(country, B, session) as window:
        assert [(await window.event() or {})["name"] for _ in range(3)] == ["change", "change", "end"]
    async with listening(country, B, session, last="2") as window:
        assert (window.status, await window.body()) == (204, b"")


async def test_a_quiet_stream_says_that_it_is_still_there(country: Country) -> None:
    """A comment, each ten seconds of the registry's clock, and no read of the database for it."""
    session = await session_of(country)
    async with listening(country, A, session) as expert:
        assert await expert.block() == f"retry: {events_http.RETRY_MS}"
        assert (await expert.event() or {})["id"] == "1"
        await country.calm()
        for _ in range(2):
            country.clock.advance(BEAT_H)
            assert f"{await expert.block()}\n\n".encode() == events_http.HEARTBEAT
            await country.calm()


async def test_the_outcome_is_told_to_who_watches_the_case_it_is_about(country: Country) -> None:
    """The window's page of that case shows it without being asked again."""
    person = country.person(A)
    about = await under_way(country, person)
    session = await consult(country, about, person)
    await country.until(A, session, "OPEN")
    async with listening(country, B, about) as page:
        assert (await page.event() or {})["event"] == "certificate.apply"
        await advise(country, A, session)
        assert (await page.event() or {})["event"] == "consultation.can_accept"


async def test_a_caller_that_leaves_is_forgotten(country: Country) -> None:
    """Its place is free at once."""
    session = await session_of(country)
    closing = country.sites[B].live.hall.closing
    async with listening(country, B, session) as window:
        await window.event()
        assert closing.watched == 1
        window.leave()
        assert window.task is not None
        await window.task
        assert closing.watched == 0


async def test_a_registry_that_stops_ends_its_streams(country: Country) -> None:
    """So a stop does not wait for who listens."""
    session = await session_of(country)
    async with listening(country, B, session) as window:
        await window.event()
        await country.stop(B)
        assert await window.event() is None


async def test_a_process_that_stops_ends_its_streams(country: Country) -> None:
    """At the next heartbeat, well before the server would cut them off."""
    session = await session_of(country)
    stopping = list[str]()

    async def process() -> str | None:
        return stopping[0] if stopping else None

    app = country.sites[B].live.app({"process": process})
    async with Listener(app, f"/v1/cases/{session}/events") as window:
        await window.event()
        await country.calm()
        stopping.append("this process is stopping")
        country.clock.advance(BEAT_H)
        assert await window.event() is None


async def test_there_are_only_so_many_streams(country: Country) -> None:
    """One more is told to come again, and nothing else suffers."""
    session = await session_of(country)
    country.sites[B].live.hall.closing.watched_max = 1
    async with listening(country, B, session) as first:
        await first.event()
        async with listening(country, B, session) as second:
            assert second.status == 429
            assert json.loads(await second.body())["code"] == "OVERLOADED"
        assert (await country.ask(B, f"/v1/cases/{session}")).json()["item"] == CONSULTATION


@pytest.mark.parametrize(
    ("number", "last", "refused"),
    [
        ("1" * 21, None, (404, "CASE_UNKNOWN")),
        ("330720260302000000029", None, (404, "CASE_UNKNOWN")),
        (None, "-1", (422, "FIELD_INVALID")),
        (None, "x", (422, "FIELD_INVALID")),
        (None, "1" * 10, (422, "FIELD_INVALID")),
    ],
)
async def test_bad_input_gets_a_problem_and_no_stream(
    country: Country, number: str | None, last: str | None, refused: tuple[int, str]
) -> None:
    """A number of no case, and a Last-Event-ID that is none."""
    session = number or await session_of(country)
    async with listening(country, B, session, last) as window:
        assert (window.status, json.loads(await window.body())["code"]) == refused
