from __future__ import annotations

import asyncio

import pytest

from tests.gateway.country import GUANGDONG, HUNAN, KEY, NEW_CASE, NUMBER, ZHEJIANG, Country, case_id, code_of
from tongban_gateway.upstream import Failure


async def test_a_dead_province_is_named_with_since_when_and_whom_to_ask(country: Country) -> None:
    """The 503 tells which province, since when, whom to ask and when to come again."""
    country.breaks(HUNAN, Failure.CONNECT)
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert code_of(answer) == (503, "PROVINCE_UNAVAILABLE")
    problem = answer.json()
    assert problem["province"] == HUNAN
    assert "since 2026-11-24T18:00:00+08:00" in problem["detail"]
    assert "湖南" in problem["contact"]
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("failure", "accepted", "words"),
    [
        (Failure.CONNECT, "no", "was not accepted"),
        (Failure.BROKEN, "unknown", "repeat it with the same Idempotency-Key"),
        (Failure.TIMEOUT, "unknown", "may have been accepted"),
    ],
)
async def test_an_applicant_is_told_honestly(
    country: Country, failure: Failure, accepted: str, words: str
) -> None:
    """Whoever applies hears whether the application can have arrived."""
    country.breaks(GUANGDONG, failure)
    answer = await country.http.post("/v1/cases", json=NEW_CASE, headers=KEY)
    assert answer.json()["accepted"] == accepted
    assert words in answer.json()["detail"]


async def test_a_read_is_repeated_once(country: Country) -> None:
    """A GET whose connection broke is sent once more, and the caller sees nothing of it."""
    way = country.breaks(HUNAN, Failure.BROKEN, times=1)
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert (answer.status_code, way.tried) == (200, 2)


async def test_a_read_is_not_repeated_twice(country: Country) -> None:
    """One repeat and no more."""
    way = country.breaks(HUNAN, Failure.BROKEN, times=2)
    assert (await country.http.get(f"/v1/cases/{case_id(HUNAN)}")).status_code == 503
    assert way.tried == 2


async def test_repeats_stay_within_their_budget(country: Country) -> None:
    """When every other read breaks, no more than a tenth of them is repeated."""
    way = country.ways[HUNAN]
    for _ in range(100):
        country.breaks(HUNAN, Failure.BROKEN, times=1)
        await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
        await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert 200 < way.tried <= 200 + 22


async def test_an_application_is_never_repeated(country: Country) -> None:
    """A POST is sent once, whatever happens."""
    way = country.breaks(GUANGDONG, Failure.BROKEN, times=1)
    assert (await country.http.post("/v1/cases", json=NEW_CASE, headers=KEY)).status_code == 503
    assert way.tried == 1


async def test_a_read_that_took_too_long_is_not_repeated(country: Country) -> None:
    """A slow province is not asked twice."""
    way = country.breaks(HUNAN, Failure.TIMEOUT)
    await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert way.tried == 1


async def test_a_dead_province_is_soon_answered_for(country: Country) -> None:
    """After five failures in a row it is not tried any more, until the wait is over and it is back."""
    way = country.breaks(HUNAN, Failure.TIMEOUT)
    for _ in range(10):
        await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert way.tried == 5
    way.failure = None
    assert (await country.http.get(f"/v1/cases/{case_id(HUNAN)}")).status_code == 503
    country.now_s = 1.0
    assert (await country.http.get(f"/v1/cases/{case_id(HUNAN)}")).status_code == 200


async def test_a_dead_province_costs_the_others_nothing(country: Country) -> None:
    """While one province fails, the others answer every request."""
    country.breaks(HUNAN, Failure.CONNECT)
    for serial in range(20):
        assert (await country.http.get(f"/v1/cases/{case_id(HUNAN, serial)}")).status_code == 503
        assert (await country.http.get(f"/v1/cases/{case_id(GUANGDONG, serial)}")).status_code == 200


async def test_a_province_that_hangs_holds_up_nobody_else(country: Country) -> None:
    """A hundred requests hang in one province; another one answers meanwhile."""
    release = country.registries[HUNAN].blocked = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        hanging = [group.create_task(country.http.get(f"/v1/cases/{case_id(HUNAN)}")) for _ in range(100)]
        assert (await country.http.get(f"/v1/cases/{case_id(GUANGDONG)}")).status_code == 200
        assert not any(task.done() for task in hanging)
        release.set()
    assert {task.result().status_code for task in hanging} == {200}


async def test_a_slow_province_is_given_up_in_time() -> None:
    """A registry that does not answer in time is a 503; what it was doing there is not cut off."""
    country = Country(answer_timeout_s=0.02)
    registry = country.registries[HUNAN]
    registry.blocked = asyncio.Event()
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert code_of(answer) == (503, "PROVINCE_UNAVAILABLE")
    assert len(registry.seen) == 1
    await country.close()


async def test_a_wait_that_the_caller_prefers_is_granted() -> None:
    """`Prefer: wait=N` lengthens that one call's time."""
    country = Country(answer_timeout_s=0.0)
    patient = {"prefer": "wait=20"}
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}", headers=patient)
    assert answer.status_code == 200
    await country.close()


async def test_too_many_requests_for_one_province_are_429(country: Country) -> None:
    """When all places to a province are taken the answer is 429 at once, and the breaker stays closed."""
    way = country.breaks(HUNAN, Failure.BUSY)
    for _ in range(10):
        answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
        assert code_of(answer) == (429, "OVERLOADED")
    assert way.tried == 10


async def test_what_no_registry_should_send_is_not_passed_on(country: Country) -> None:
    """An answer that is none is a 503 of that province."""
    country.breaks(HUNAN, Failure.BAD_ANSWER)
    assert code_of(await country.http.get(f"/v1/cases/{case_id(HUNAN)}")) == (503, "PROVINCE_UNAVAILABLE")


async def test_no_answer_shows_an_id_number(country: Country) -> None:
    """Whatever goes wrong with a lookup, no answer repeats the number."""
    await country.register(ZHEJIANG)
    answers = [await country.look_up()]
    for failure in Failure:
        country.breaks(ZHEJIANG, failure)
        answers.append(await country.look_up())
    country.ledger.down = True
    answers.append(await country.look_up())
    assert all(NUMBER not in answer.text + str(answer.headers) for answer in answers)
