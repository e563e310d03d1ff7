"""告知承诺: a proof is replaced by the applicant's signed word; a false one is undone and on record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.stations import NANJING, A, B, approved, asked, lives_at
from tests.stories.windows import FIRST, application, seen, standing
from tests.stories.world import Country

CHANGE, HOUSING, ABROAD = "0201", "0107", "0624"
PROOF, DWELLING = "CHANGE_PROOF", "DWELLING_PROOF"
SIGNED = "2026-03-02T08:30:00+08:00"
FALSE = {"outcome": "false", "note": "the office that was named knows of nothing", "officer": "o-9"}
APPROVE = {"outcome": "approve", "officer": "o-2"}
Body = dict[str, Any]


def word(country: Country, *kinds: str, **changes: str) -> Body:
    """A signed commitment for these materials."""
    version = country.sites[B].live.office.catalogue.commitment_version
    return {"materials": list(kinds), "version": version, "signed_at": SIGNED, **changes}


def committed(country: Country, body: Body, *kinds: str, **changes: str) -> Body:
    """The application with the applicant's word in place of these materials."""
    kept = [material for material in body["materials"] if material["kind"] not in kinds]
    return body | {"materials": kept, "commitment": word(country, *kinds, **changes)}


async def accepted(country: Country, at: str, body: Body) -> str:
    """Put an application; the case's number."""
    answer = await country.ask(at, "/v1/cases", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["case_id"])


async def refused(country: Country, at: str, body: Body) -> Body:
    """The problem with which the door refuses it; nothing is stored."""
    before = country.registers.rows(at, "SELECT count(*) FROM cases")
    answer = await country.ask(at, "/v1/cases", body)
    assert answer.status_code == 422, answer.text
    assert country.registers.rows(at, "SELECT count(*) FROM cases") == before
    problem: Body = answer.json()
    return problem


async def certified(country: Country, person: Any, at: str) -> str:  # noqa: ANN401
    """A certificate of A that rests on a word given at a window of `at`, approved at home."""
    body = committed(country, application(country, CHANGE, person, at), PROOF)
    case = await accepted(country, at, body)
    await seen(country, A, case, "CHECKING")
    await country.act(A, case, "decision", APPROVE)
    await seen(country, at, case, "COMPLETED")
    return case


async def false_moved(country: Country) -> str:
    """A move to B that rests on a word which is found false afterwards."""
    case = await accepted(
        country, B, committed(country, country.application(country.person(A), B, item=HOUSING), DWELLING)
    )
    await country.until(B, case, "REVIEWING")
    await country.act(B, case, "decision", APPROVE)
    await country.until(A, case, "CONFIRMED")
    answer = await country.act(B, case, "commitment", FALSE)
    assert (answer.status_code, answer.json()["state"]) == (200, "COMPLETED")
    return case


async def false_tasks(country: Country, at: str) -> list[Body]:
    """What officers of that province have to see to."""
    items = (await country.ask(at, f"/v1/tasks?province={at}")).json()["items"]
    return [task for task in items if task["kind"] == "FALSE_COMMITMENT"]


# A word for a proof


async def test_a_word_stands_for_a_proof_and_an_officer_looks(country: Country) -> None:
    """All other materials are of grade A; the case waits for an officer, who sees what rests on a word."""
    body = country.application(country.person(A), B, item=HOUSING)
    case = await accepted(country, B, committed(country, body, DWELLING))
    view = await seen(country, B, case, "REVIEWING")
    assert view["commitment"] == word(country, DWELLING)
    assert view["missing_materials"] == []
    await country.act(B, case, "decision", APPROVE)
    await country.until(A, case, "CONFIRMED")


@pytest.mark.parametrize(
    ("item", "kind"), [(FIRST, "BOOKLET"), (HOUSING, "ID_CARD"), (ABROAD, "SETTLED_ABROAD_PROOF")]
)
async def test_identity_and_what_is_grave_take_no_word(country: Country, item: str, kind: str) -> None:
    """Not in an item of high risk, not for who somebody is, not where there is no way back."""
    (person,) = lives_at(country, NANJING)
    at = A if item == ABROAD else B
    bodies = {
        FIRST: lambda: application(country, FIRST, person, B),
        HOUSING: lambda: country.application(person, B, item=HOUSING),
        ABROAD: lambda: asked(country, ABROAD, person, NANJING),
    }
    problem = await refused(country, at, committed(country, bodies[item](), kind))
    assert (problem["code"], problem["legal_basis"]) == ("COMMITMENT_NOT_ADMITTED", "国办发〔2020〕42号")


async def test_only_the_text_in_force_counts_once_signed(country: Country) -> None:
    """Not an older one, not one that is signed tomorrow, and not beside the proof itself."""
    body = country.application(country.person(A), B, item=HOUSING)
    old = committed(country, body, DWELLING, version="2019-1")
    assert (await refused(country, B, old))["code"] == "COMMITMENT_TEXT"
    tomorrow = committed(country, body, DWELLING, signed_at="2026-03-03T09:00:00+08:00")
    assert (await refused(country, B, tomorrow))["code"] == "FIELD_INVALID"
    both = body | {"commitment": word(country, DWELLING)}
    assert (await refused(country, B, both))["code"] == "FIELD_INVALID"


# It was false


@pytest.mark.parametrize("at", [A, B])
async def test_what_was_granted_by_a_false_word_is_revoked(country: Country, at: str) -> None:
    """At the home registry's own window, and from another province's: nobody can show it any more."""
    person = country.person(A)
    if at == A:
        body = committed(country, application(country, CHANGE, person, A), PROOF)
        case = await accepted(country, A, body)
        issued = await approved(country, case)
    else:
        case = await certified(country, person, B)
        issued = await seen(country, B, case, "COMPLETED")
    answer = await country.act(at, case, "commitment", FALSE)
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert (view["state"], view["refusal"]["code"]) == ("VOIDED", "COMMITMENT_FALSE")
    await country.calm()
    assert await standing(country, A, issued) == "REVOKED"
    assert await false_tasks(country, at) == []


async def test_where_there_is_no_way_back_it_is_a_task(country: Country) -> None:
    """Nobody is un-moved: an officer of the province sees to it, within working days."""
    case = await false_moved(country)
    (task,) = await false_tasks(country, B)
    assert (task["case_id"], task["found"], task["overdue"]) == (case, FALSE["note"], False)
    org = country.sites[B].live.office.org
    claim = await country.ask(B, f"/v1/tasks/{case}/claim", {"officer": "o-3", "org": org})
    assert claim.status_code == 200
    other = await country.ask(B, f"/v1/tasks/{case}/answered", {"officer": "o-4", "note": "done"})
    assert other.json()["code"] == "TASK_CLAIMED"
    for _ in range(2):  # safe to repeat
        done = await country.ask(B, f"/v1/tasks/{case}/answered", {"officer": "o-3", "note": "fined"})
        assert (done.status_code, done.json()["answered_by"]) == (200, "o-3")
    assert await false_tasks(country, B) == []


async def test_a_task_about_a_false_word_gets_overdue(country: Country) -> None:
    """After its working days it stands before what is in time."""
    await false_moved(country)
    await country.pass_time(days=25)
    assert [task["overdue"] for task in await false_tasks(country, B)] == [True]


async def test_who_is_on_record_gives_no_second_word(country: Country) -> None:
    """With the proof itself in hand they are served as anybody."""
    person = country.person(A)
    case = await certified(country, person, B)
    await country.act(B, case, "commitment", FALSE)
    plain = application(country, CHANGE, person, B)
    problem = await refused(country, B, committed(country, plain, PROOF))
    assert (problem["code"], problem["legal_basis"]) == ("BAD_CREDIT", "国办发〔2020〕42号")
    await accepted(country, B, plain)


async def test_a_word_found_false_after_a_refusal_is_on_record(country: Country) -> None:
    """Nothing was granted: there is nothing to revoke, and nothing to see to."""
    person = country.person(A)
    case = await accepted(country, B, committed(country, application(country, CHANGE, person, B), PROOF))
    await seen(country, A, case, "CHECKING")
    refuse = {"outcome": "refuse", "reason_code": "COMMITMENT_FALSE", "officer": "o-2"}
    await country.act(A, case, "decision", refuse)
    await seen(country, B, case, "REFUSED")
    assert (await country.act(B, case, "commitment", FALSE)).json()["state"] == "REFUSED"
    assert await false_tasks(country, B) == []
    again = committed(country, application(country, CHANGE, person, B), PROOF)
    assert (await refused(country, B, again))["code"] == "BAD_CREDIT"


# Checks


async def test_a_word_that_holds_changes_nothing(country: Country) -> None:
    """It is noted; a later officer may still find it false, and that once."""
    case = await certified(country, country.person(A), B)
    holds = await country.act(B, case, "commitment", FALSE | {"outcome": "holds"})
    assert (holds.status_code, holds.json()["state"]) == (200, "COMPLETED")
    last = holds.json()["timeline"][-1]
    assert (last["event"], last["actor"]) == ("certificate.commitment_holds", "o-9")
    assert (await country.act(B, case, "commitment", FALSE)).status_code == 200
    again = await country.act(B, case, "commitment", FALSE)
    assert (again.status_code, again.json()["code"]) == (409, "COMMITMENT_CHECKED")


async def test_only_an_ended_case_with_a_word_is_checked_where_it_was_accepted(country: Country) -> None:
    """Before that the officer who decides refuses it."""
    person = country.person(A)
    case = await accepted(country, B, committed(country, application(country, CHANGE, person, B), PROOF))
    assert (await country.act(B, case, "commitment", FALSE)).json()["code"] == "CASE_OPEN"
    await seen(country, A, case, "CHECKING")
    assert (await country.act(A, case, "commitment", FALSE)).json()["code"] == "WRONG_PROVINCE"
    plain = await country.move(country.person(A), B)
    assert (await country.act(B, plain, "commitment", FALSE)).json()["code"] == "NO_COMMITMENT"


async def test_a_check_repeated_under_its_key_gets_its_answer(country: Country) -> None:
    """The record has one row."""
    case = await certified(country, country.person(A), B)
    path = f"/v1/cases/{case}/commitment"
    answers = [await country.ask(B, path, FALSE, Idempotency_Key="k-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert country.registers.rows(B, "SELECT count(*) FROM false_commitment")[0][0] == 1


async def test_a_home_registry_put_back_takes_back_what_it_grants_anew(country: Country) -> None:
    """It has forgotten that it granted and revoked: granted again, it is taken back again (G1)."""
    person = country.person(A)
    case = await accepted(country, B, committed(country, application(country, CHANGE, person, B), PROOF))
    await seen(country, A, case, "CHECKING")
    copy = backup(country, A)
    await country.act(A, case, "decision", APPROVE)
    issued = await seen(country, B, case, "COMPLETED")
    await country.act(B, case, "commitment", FALSE)
    await country.until(A, case, "WITHDRAWN")
    country.wire.hold("withdrawal")
    await country.crash(A)
    country.wire.wipe()
    await put_back(country, A, copy)
    await country.until(A, case, "CHECKING")
    await country.act(A, case, "decision", APPROVE)
    await country.until(A, case, "COMPLETED")
    await country.wire.let_go("withdrawal")
    await country.until(A, case, "WITHDRAWN")
    assert country.state(B, case) == "VOIDED"
    assert await standing(country, A, issued) == "REVOKED"
