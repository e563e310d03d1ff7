"""What an outside question gets, in every state of a transfer. Source: protocol.md §4."""

from __future__ import annotations

from typing import Any

from tests.stories.folk import Resident
from tests.stories.world import Country
from tongban_shared.cases.kind import Side
from tongban_shared.keys import load_directory
from tongban_shared.wire import Opener

A, B, C = "32", "33", "44"
ANSWER = ("province", "epoch", "state")


async def asked(country: Country, person: Resident, at: str) -> dict[str, Any]:
    """The answer of one province."""
    answer = await country.lookup(person, at)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_held(country: Country) -> None:
    """HELD: this province, this epoch, registered, nothing pending."""
    person = country.person(A)
    answer = await asked(country, person, A)
    assert [answer[name] for name in ANSWER] == [A, 0, "REGISTERED"]
    assert answer["transfer_pending"] is False


async def test_frozen(country: Country) -> None:
    """FROZEN: still this province and epoch, with "transfer pending"."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    answer = await asked(country, person, A)
    assert [answer[name] for name in ANSWER] == [A, 0, "MOVE_OUT_LOCKED"]
    assert answer["transfer_pending"] is True


async def test_prepared(country: Country) -> None:
    """PREPARED: "ask the origin", with its province and epoch, never "unknown"."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    answer = await country.lookup(person, B)
    assert [answer.json()[name] for name in ANSWER] == [A, 0, "ASK_ORIGIN"]
    assert answer.headers["X-Tongban-Moved-To"] == A


async def test_released_and_the_destination_has_not_heard(country: Country) -> None:
    """RELEASED: the destination at the next epoch, with the certificate, though it has not heard of it."""
    person = country.person(A)
    country.wire.hold("certificate")
    case = await country.apply(person, B)
    await country.until(A, case, "RELEASED")
    await country.stop(B)
    answer = await asked(country, person, A)
    assert [answer[name] for name in ANSWER] == [B, 1, "IN_TRANSIT"]
    opened = Opener(B, load_directory(country.keys)).open_proof(answer["proof"])
    assert opened.message.envelope.type == "migration.certificate"


async def test_settled(country: Country) -> None:
    """After the move the destination says registered, next epoch; the origin points there with proof."""
    person = country.person(A)
    await country.move(person, B)
    here, there = await asked(country, person, A), await asked(country, person, B)
    assert [here[name] for name in ANSWER] == [B, 1, "MOVED_OUT"]
    assert [there[name] for name in ANSWER] == [B, 1, "REGISTERED"]
    assert here["proof"] == there["proof"]


async def test_a_cancelled_destination_says_unknown(country: Country) -> None:
    """PREPARED that ended in a cancel: here nobody is known; the origin answers alone."""
    person = country.person(A)
    country.wire.hold("acceptance")
    case = await country.apply(person, B)
    await country.until(B, case, "PREPARED")
    await country.hold(person, "HOLD")
    await country.until(B, case, "VOIDED")
    answer = await country.lookup(person, B)
    assert (answer.status_code, answer.json()["code"]) == (404, "PERSON_UNKNOWN")
    assert (await asked(country, person, A))["state"] == "REGISTERED"


async def test_a_return_that_was_cancelled_still_points_to_the_holder(country: Country) -> None:
    """A → B → C, then C → A cancelled: A points to the holder C, at C's own epoch."""
    person = country.person(A)
    await country.move(person, B)
    await country.move(person, C)
    country.wire.hold("acceptance")
    case = await country.apply(person, A)
    await country.until(A, case, "PREPARED")
    await country.hold(person, "HOLD", at=C)
    await country.until(A, case, "VOIDED")
    assert country.registers.holder(person.key) == (C, 2)
    answer = await asked(country, person, A)
    assert [answer[name] for name in ANSWER] == [C, 2, "MOVED_OUT"]
    assert (await country.case(A, case)).side is Side.DESTINATION


async def test_several_moves_lead_on(country: Country) -> None:
    """A former holder names the next one; whoever follows the pointers arrives at the holder."""
    person = country.person(A)
    for to in (B, C):
        await country.move(person, to)
    first = await asked(country, person, A)
    second = await asked(country, person, first["province"])
    third = await asked(country, person, second["province"])
    assert [x["province"] for x in (first, second, third)] == [B, C, C]
    assert third["state"] == "REGISTERED"


async def test_a_dead_person(country: Country) -> None:
    """A registration cancelled by death is answered as cancelled, here, at its epoch."""
    person = country.person(A)
    await country.hold(person, "DEATH")
    answer = await asked(country, person, A)
    assert [answer[name] for name in ANSWER] == [A, 0, "CANCELLED"]


async def test_an_unknown_person_or_a_wrong_name(country: Country) -> None:
    """No match, or a number under another name: refused alike, so that nothing is given away."""
    person = country.person(A)
    wrong = await country.ask(
        A, "/v1/registrations/lookup", {**person.identity, "name": "另一人", "purpose": "BANK"}
    )
    answers = [wrong, await country.lookup(person, B)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json()["code"] for answer in answers] == ["PERSON_UNKNOWN"] * 2
    absent = ["X-Tongban-Absent" in answer.headers for answer in answers]
    assert absent == [False, True], (
        "the gateway alone is told which it was, and asks no further at a wrong name"
    )


async def test_every_question_is_logged(country: Country) -> None:
    """Who asked about a person, why, and what came of it, is in the access log."""
    person = country.person(A)
    await country.lookup(person, A)
    await country.lookup(person, B)
    query = "SELECT purpose, result FROM access_log WHERE person = ?"
    assert country.registers.rows(A, query, person.key) == [("BANK", "registration")]
    assert country.registers.rows(B, query, person.key) == [("BANK", "absent")]
