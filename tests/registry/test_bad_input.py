from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest

from tests.registry.country import A, B, code_of, counts, waiting
from tests.stories.world import Country
from tongban_shared.ids import Province, make_case_id

CASES, LOOKUP = "/v1/cases", "/v1/registrations/lookup"
ABSENT = make_case_id(Province(B), "01", date(2026, 3, 2), 99_999_999)


async def refusal(country: Country, path: str, body: object, **headers: str) -> tuple[int, str]:
    """Status and code of what B refuses; that nothing is stored half is checked with each refusal."""
    before = counts(country)
    answer = await country.ask(B, path, body, **headers)
    assert counts(country) == before
    return code_of(answer)


async def raw(country: Country, content: bytes, kind: str = "application/json") -> httpx.Response:
    """POST bytes as an application at B."""
    door = country.sites[B].door
    assert door is not None
    return await door.post(CASES, content=content, headers={"content-type": kind})


def body(country: Country, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A good application to B with something changed in it."""
    return {**country.application(country.person(A), B), **changes}


async def test_an_unknown_item(country: Country) -> None:
    """The catalogue has no such item."""
    assert await refusal(country, CASES, body(country, item="9999")) == (422, "ITEM_UNKNOWN")


@pytest.mark.parametrize(
    "number", ["320000199001010000", "32000019900230001X", "1" * 18, "abcdefghijklmnopqr"]
)
async def test_a_malformed_number(country: Country, number: str) -> None:
    """A number with a wrong check, a day that no calendar has, or no number at all."""
    applicant = {"id_number": number, "name": "某人"}
    assert await refusal(country, CASES, body(country, applicant=applicant)) == (422, "ID_NUMBER_INVALID")
    lookup = {**applicant, "purpose": "BANK"}
    assert await refusal(country, LOOKUP, lookup) == (422, "ID_NUMBER_INVALID")


async def test_a_wrong_name_for_a_number(country: Country) -> None:
    """The origin finds out, and the case ends refused with the reason."""
    person = country.person(A)
    wrong = {**country.application(person, B), "applicant": {**person.identity, "name": "无此人"}}
    case_id = (await country.ask(B, CASES, wrong)).json()["case_id"]
    await country.until(B, case_id, "REFUSED")
    view = (await country.ask(B, f"{CASES}/{case_id}")).json()
    assert view["refusal"]["code"] == "IDENTITY_NOT_VERIFIED"


async def test_a_lookup_with_a_wrong_name_finds_nobody(country: Country) -> None:
    """It looks like a person who is not there."""
    person = country.person(B)
    wrong = {**person.identity, "name": "无此人", "purpose": "BANK"}
    assert await refusal(country, LOOKUP, wrong) == (404, "PERSON_UNKNOWN")


@pytest.mark.parametrize("code", ["99", "71", "3", "ZZ"])
async def test_a_province_that_takes_no_part(country: Country, code: str) -> None:
    """No household registry of the country has this code."""
    place = {"province": code, "org_code": "330000000000", "address": "示例路1号"}
    assert await refusal(country, CASES, body(country, destination=place)) == (422, "PROVINCE_UNKNOWN")


async def test_another_provinces_application(country: Country) -> None:
    """A registry takes applications to its own province only."""
    place = {"province": A, "org_code": "320000000000", "address": "示例路1号"}
    assert await refusal(country, CASES, body(country, destination=place)) == (422, "WRONG_PROVINCE")


async def test_destination_and_origin_are_one(country: Country) -> None:
    """Who is at home here already does not move here."""
    applicant = country.person(B).identity
    assert await refusal(country, CASES, body(country, applicant=applicant)) == (422, "SAME_PROVINCE")


async def test_a_person_nobody_holds(country: Country) -> None:
    """A good number that no province has is refused at the door."""
    stranger = {"id_number": "11010519491231002X", "name": "某人"}
    assert await refusal(country, CASES, body(country, applicant=stranger)) == (422, "NOT_REGISTERED")


async def test_a_type_that_is_not_offered_here(country: Country) -> None:
    """The province's file leaves this type out."""
    door = country.sites[B].live.door
    profile = door.office.profile
    offers = replace(profile.capabilities, migration_types=frozenset({"HOUSING"}))
    door.office = replace(door.office, profile=replace(profile, capabilities=offers))
    assert await refusal(country, CASES, body(country)) == (422, "TYPE_NOT_SUPPORTED")


async def test_a_missing_main_material(country: Country) -> None:
    """Without it nothing is accepted."""
    application = country.application(country.person(A), B, without=("ID_CARD",))
    assert await refusal(country, CASES, application) == (422, "MATERIAL_MISSING")


async def test_a_missing_secondary_material(country: Country) -> None:
    """It is asked for once, and the case goes on when it comes."""
    case_id = await country.apply(country.person(A), B, without=("BOOKLET",))
    view = (await country.ask(B, f"{CASES}/{case_id}")).json()
    assert (view["state"], view["missing_materials"]) == ("CORRECTION", ["BOOKLET"])
    await country.act(B, case_id, "materials", {"materials": [{"kind": "BOOKLET", "grade": "A"}]})
    await country.until(B, case_id, "COMPLETED")


@pytest.mark.parametrize("content", [b"{", b"nonsense", b'{"item": NaN}', b'{"item": "\\u0000"}', b"\xff"])
async def test_nonsense(country: Country, content: bytes) -> None:
    """What is no JSON is 400, and stores nothing."""
    before = counts(country)
    assert code_of(await raw(country, content)) == (400, "JSON_INVALID")
    assert counts(country) == before


async def test_a_body_of_ten_megabytes(country: Country) -> None:
    """Refused before it is read to its end."""
    before = counts(country)
    assert code_of(await raw(country, b'"' + b"a" * 10_000_000 + b'"')) == (413, "BODY_TOO_LARGE")
    assert counts(country) == before


async def test_a_wrong_media_type(country: Country) -> None:
    """Only JSON is taken."""
    assert code_of(await raw(country, b"{}", "text/plain")) == (415, "MEDIA_TYPE")


@pytest.mark.parametrize("field", ["state", "epoch", "province", "issued_by", "case_id"])
async def test_a_field_that_is_not_the_callers(country: Country, field: str) -> None:
    """What the registry decides can't be sent; the refusal names the field and repeats no value."""
    before = counts(country)
    answer = await country.ask(B, CASES, body(country, **{field: "SENT-VALUE"}))
    assert code_of(answer) == (422, "FIELD_INVALID")
    assert answer.json()["errors"][0]["location"] == f"body.{field}"
    assert "SENT-VALUE" not in answer.text
    assert counts(country) == before


async def test_a_refusal_repeats_no_number_and_no_name(country: Country) -> None:
    """Errors hold no personal data, however wrong the input."""
    person = country.person(B)
    answer = await country.ask(B, CASES, body(country, applicant=person.identity))
    assert person.id_number not in answer.text
    assert person.name not in answer.text


async def test_a_repeated_key_with_the_same_body(country: Country) -> None:
    """The first reply again, marked as such; one case."""
    application = body(country)
    first = await country.ask(B, CASES, application, idempotency_key="one")
    before = counts(country)["33.cases"]
    again = await country.ask(B, CASES, application, idempotency_key="one")
    assert (again.status_code, again.json()) == (202, first.json())
    assert (again.headers["idempotency-replayed"], again.headers["location"]) == (
        "true",
        first.headers["location"],
    )
    assert "idempotency-replayed" not in first.headers
    assert counts(country)["33.cases"] == before == 1


async def test_a_repeated_key_with_another_body(country: Country) -> None:
    """Refused; the second body is not looked at further."""
    country.wire.hold("precheck")
    await country.ask(B, CASES, body(country), idempotency_key="one")
    await country.calm()
    refused = await refusal(country, CASES, body(country), idempotency_key="one")
    assert refused == (422, "IDEMPOTENCY_CONFLICT")


@pytest.mark.parametrize("act", ["withdrawal", "decision"])
async def test_an_unknown_case(country: Country, act: str) -> None:
    """A number that no case has, and one that no case can have."""
    given = {"outcome": "approve"} if act == "decision" else {}
    for number in (ABSENT, f"{ABSENT[:-1]}-", "x"):
        assert await refusal(country, f"{CASES}/{number}/{act}", given) == (404, "CASE_UNKNOWN")
    assert code_of(await country.ask(B, f"{CASES}/{ABSENT}")) == (404, "CASE_UNKNOWN")


async def test_a_second_application_for_one_person(country: Country) -> None:
    """The open case is named; there is no second one."""
    person = country.person(A)
    case_id = await waiting(country, person)
    await country.calm()
    before = counts(country)
    answer = await country.ask(B, CASES, country.application(person, B))
    assert code_of(answer) == (409, "DUPLICATE_CASE")
    assert answer.json()["instance"] == f"{CASES}/{case_id}"
    assert counts(country) == before


async def test_a_decision_nobody_waits_for(country: Country) -> None:
    """An officer can't decide a case that is on its way."""
    country.wire.hold("facts")
    case_id = await country.apply(country.person(A), B)
    await country.calm()
    assert await refusal(country, f"{CASES}/{case_id}/decision", {"outcome": "approve"}) == (
        409,
        "STEP_NOT_ALLOWED",
    )


async def test_a_person_named_twice(country: Country) -> None:
    """Applicant and member are different people."""
    application = body(country)
    application["members"] = [application["applicant"]]
    assert await refusal(country, CASES, application) == (422, "FIELD_INVALID")
