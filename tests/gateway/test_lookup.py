from __future__ import annotations

from dataclasses import replace

import pytest

from tests.gateway.country import (
    GUANGDONG,
    HUNAN,
    NAME,
    NUMBER,
    UNKNOWN_NUMBER,
    ZHEJIANG,
    Country,
)
from tongban_gateway.upstream import Failure
from tongban_shared.catalogue import Answers, load_catalogue

AWAY = [Failure.CONNECT, Failure.BROKEN, Failure.TIMEOUT, Failure.BAD_ANSWER]


async def test_the_holder_answers(country: Country) -> None:
    """A lookup is answered by the registry that the ledger names."""
    await country.register(GUANGDONG)
    answer = await country.look_up()
    assert (answer.json()["province"], answer.json()["source"]) == (GUANGDONG, "registry")


async def test_who_has_just_moved_is_found_at_once(country: Country) -> None:
    """The very next lookup after a hand-over is answered by the new holder: nothing is cached."""
    await country.register(ZHEJIANG)
    assert (await country.look_up()).json()["province"] == ZHEJIANG
    await country.move(ZHEJIANG, GUANGDONG)
    country.registries[GUANGDONG].holds[NUMBER] = NAME
    assert (await country.look_up()).json()["province"] == GUANGDONG


async def test_a_registry_that_released_meanwhile_sends_on(country: Country) -> None:
    """When the holder moved on between ledger and lookup, the lookup follows, and shows it nowhere."""
    await country.register(ZHEJIANG)
    country.registries[ZHEJIANG].moved[NUMBER] = GUANGDONG
    country.registries[GUANGDONG].holds[NUMBER] = NAME
    answer = await country.look_up()
    assert answer.json() == {"province": GUANGDONG, "state": "REGISTERED", "source": "registry"}
    assert "x-tongban-moved-to" not in answer.headers


@pytest.mark.parametrize("failure", AWAY)
async def test_the_certificate_of_the_origin_stands_while_the_next_is_away(
    country: Country, failure: Failure
) -> None:
    """A released person is at the destination even while that is down: the origin's certificate says so."""
    await country.register(ZHEJIANG)
    country.registries[ZHEJIANG].moved[NUMBER] = GUANGDONG
    country.breaks(GUANGDONG, failure)
    answer = (await country.look_up()).json()
    assert (answer["province"], answer["state"], answer["by"]) == (GUANGDONG, "IN_TRANSIT", ZHEJIANG)


async def test_a_destination_that_has_not_heard_yet_is_never_unknown(country: Country) -> None:
    """The ledger names a destination that is only prepared: the origin's certificate is the answer."""
    await country.register(ZHEJIANG)
    await country.move(ZHEJIANG, GUANGDONG)
    country.registries[GUANGDONG].prepared[NUMBER] = ZHEJIANG
    country.registries[ZHEJIANG].moved[NUMBER] = GUANGDONG
    answer = (await country.look_up()).json()
    assert (answer["province"], answer["state"], answer["by"]) == (GUANGDONG, "IN_TRANSIT", ZHEJIANG)


async def test_an_origin_that_has_not_heard_from_the_ledger_is_not_believed(country: Country) -> None:
    """The ledger has entered a hand-over that its origin does not know of yet: never an epoch before it."""
    await country.register(ZHEJIANG)
    await country.move(ZHEJIANG, GUANGDONG)
    country.registries[GUANGDONG].prepared[NUMBER] = ZHEJIANG
    country.registries[ZHEJIANG].epochs[NUMBER] = country.registries[GUANGDONG].epochs[NUMBER] = 0
    answer = (await country.look_up()).json()
    assert (answer["province"], answer["epoch"], answer["source"]) == (GUANGDONG, 1, "ledger")


async def test_prepared_and_the_origin_away_leaves_the_ledger(country: Country) -> None:
    """When the destination points back and the origin is down, the ledger's word is the answer."""
    await country.register(ZHEJIANG)
    await country.move(ZHEJIANG, GUANGDONG)
    country.registries[GUANGDONG].prepared[NUMBER] = ZHEJIANG
    country.breaks(ZHEJIANG, Failure.CONNECT)
    answer = (await country.look_up()).json()
    assert (answer["province"], answer["source"]) == (GUANGDONG, "ledger")


@pytest.mark.parametrize("failure", AWAY)
async def test_without_the_holder_the_ledger_answers_alone(country: Country, failure: Failure) -> None:
    """Province, epoch and proof, marked as the ledger's; the name was not checked, and it says so."""
    await country.register(ZHEJIANG)
    await country.move(ZHEJIANG, GUANGDONG)
    country.breaks(GUANGDONG, failure)
    answer = await country.look_up()
    assert answer.status_code == 200
    assert answer.json() == {
        "province": GUANGDONG,
        "epoch": 1,
        "state": "REGISTERED",
        "transfer_pending": None,
        "as_of": "2026-11-24T18:00:00+08:00",
        "proof": {"certificate_digest": "digest-1"},
        "source": "ledger",
        "name_checked": False,
    }


async def test_a_recovering_holder_is_answered_for(country: Country) -> None:
    """A registry that compares its records says 503; the ledger answers meanwhile."""
    await country.register(GUANGDONG)
    country.registries[GUANGDONG].recovering = True
    answer = await country.look_up()
    assert (answer.status_code, answer.json()["source"]) == (200, "ledger")


async def test_who_is_entered_and_not_yet_back_is_answered_for(country: Country) -> None:
    """A database that was put back does not know whom the ledger has entered since: never "nowhere"."""
    await country.register(ZHEJIANG)
    await country.move(ZHEJIANG, GUANGDONG)
    country.registries[GUANGDONG].holds.clear()
    answer = await country.look_up()
    assert (answer.status_code, answer.json()["province"], answer.json()["source"]) == (
        200,
        GUANGDONG,
        "ledger",
    )


async def test_absent_and_not_allowed_look_the_same(country: Country) -> None:
    """A wrong name and an unknown person get the same status, code, words and headers."""
    await country.register(ZHEJIANG)
    answers = [await country.look_up(name="另一"), await country.look_up(number=UNKNOWN_NUMBER)]
    shown = [
        (answer.status_code, sorted(answer.headers.keys()), {**answer.json(), "instance": ""})
        for answer in answers
    ]
    assert shown[0] == shown[1]
    assert answers[0].json()["code"] == "PERSON_UNKNOWN"


async def test_absent_is_asked_for_all_the_same(country: Country) -> None:
    """A registry is asked for somebody unknown to the ledger too, so that the time taken tells nothing."""
    await country.look_up(number=UNKNOWN_NUMBER)
    assert country.ways[GUANGDONG].tried == 1


async def test_absent_stays_absent_while_a_province_is_away(country: Country) -> None:
    """The ledger knows that nobody holds the person, whoever is away."""
    country.breaks(GUANGDONG, Failure.CONNECT)
    answer = await country.look_up(number=UNKNOWN_NUMBER)
    assert (answer.status_code, answer.json()["code"]) == (404, "PERSON_UNKNOWN")


async def test_without_the_ledger_the_prefix_is_the_first_guess(country: Country) -> None:
    """While the ledger is down, whoever still lives where the number was coded is found."""
    await country.register(ZHEJIANG)
    country.ledger.down = True
    assert (await country.look_up()).json()["province"] == ZHEJIANG


async def test_without_the_ledger_a_forwarding_pointer_is_followed(country: Country) -> None:
    """While the ledger is down, whoever moved on from there is found by the pointer left behind."""
    country.registries[ZHEJIANG].moved[NUMBER] = HUNAN
    country.registries[HUNAN].holds[NUMBER] = NAME
    country.ledger.down = True
    assert (await country.look_up()).json()["province"] == HUNAN


async def test_without_the_ledger_every_pointer_is_followed(country: Country) -> None:
    """Whoever has moved twice is found at the end of the trail, not where the first pointer says."""
    move_twice(country)
    country.registries[GUANGDONG].holds[NUMBER] = NAME
    country.ledger.down = True
    assert (await country.look_up()).json()["province"] == GUANGDONG


async def test_without_the_ledger_a_trail_that_breaks_off_is_no_answer(country: Country) -> None:
    """The province that is away may have moved the person on, and nobody could tell: 503, not an old home."""
    move_twice(country)
    country.breaks(HUNAN, Failure.CONNECT)
    country.ledger.down = True
    answer = await country.look_up()
    assert (answer.status_code, answer.json()["code"]) == (503, "LEDGER_DOWN")


async def test_the_newest_certificate_stands_at_the_end_of_a_trail(country: Country) -> None:
    """Without the ledger, a destination that is only prepared is named by the last province that released."""
    move_twice(country)
    country.registries[GUANGDONG].prepared[NUMBER] = HUNAN
    country.registries[GUANGDONG].epochs[NUMBER] = 1
    country.ledger.down = True
    answer = (await country.look_up()).json()
    assert (answer["province"], answer["epoch"], answer["by"]) == (GUANGDONG, 2, HUNAN)


def move_twice(country: Country) -> None:
    """From where the number was coded to Hunan, and on to Guangdong, as the two that gave away have it."""
    for epoch, (origin, destination) in enumerate(((ZHEJIANG, HUNAN), (HUNAN, GUANGDONG)), 1):
        country.registries[origin].moved[NUMBER] = destination
        country.registries[origin].epochs[NUMBER] = epoch


async def test_without_the_ledger_nobody_is_called_absent(country: Country) -> None:
    """One province's 404 is no proof: without the ledger the answer is to ask again."""
    country.ledger.down = True
    answer = await country.look_up()
    assert (answer.status_code, answer.json()["code"]) == (503, "LEDGER_DOWN")


async def test_without_ledger_and_province_the_answer_is_503(country: Country) -> None:
    """When neither can speak, nothing is claimed."""
    country.ledger.down = True
    country.breaks(ZHEJIANG, Failure.CONNECT)
    assert (await country.look_up()).status_code == 503


async def test_an_act_on_a_registration_goes_to_its_holder(country: Country) -> None:
    """A hold is set where the person is registered now."""
    await country.register(GUANGDONG)
    hold = {"id_number": NUMBER, "name": NAME, "kind": "HOLD", "legal_basis": "x"}
    answer = await country.http.post("/v1/registrations/holds", json=hold)
    assert answer.json()["by"] == GUANGDONG


async def test_my_access_log_is_asked_of_my_registry_only(country: Country) -> None:
    """A person's own log is the holder's to show; no other province learns the number."""
    await country.register(GUANGDONG)
    await country.http.post("/v1/me/access-log", json={"id_number": NUMBER, "name": NAME})
    assert [way.tried for way in country.ways.values()] == [0, 0, 1]


async def test_an_item_of_the_home_registry_is_sent_to_the_holder() -> None:
    """An application that the home province decides goes to whoever holds the applicant now."""
    catalogue = load_catalogue()
    at_home = replace(catalogue.item("0101"), answers=Answers.ORIGIN)
    country = Country(catalogue=replace(catalogue, by_code={"0101": at_home}))
    await country.register(HUNAN)
    new = {"item": "0101", "applicant": {"id_number": NUMBER, "name": NAME}}
    answer = await country.http.post("/v1/cases", json=new)
    assert (answer.status_code, answer.json()["by"]) == (202, HUNAN)
    await country.close()
