from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tongban_gateway.exchange import preferred_wait_s
from tongban_gateway.routing import (
    ByBody,
    ByPerson,
    destination,
    destination_of_case,
    destination_of_task,
    destination_of_verification,
    first_guess,
    issuing_province,
    person_of,
)
from tongban_shared.catalogue import Answers, Catalogue, load_catalogue
from tongban_shared.errors import BadInputError, CaseIdError, RefusedError, TongbanError, UnknownProvinceError
from tongban_shared.ids import Province, make_case_id

TODAY = date(2026, 11, 24)
CASE = make_case_id(Province("44"), "01", TODAY, 1)
NUMBER = "330000199003070029"
LICENCE = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("POST", "/v1/cases", b"", ByBody.CASE),
        ("GET", f"/v1/cases/{CASE}", b"", "44"),
        ("GET", f"/v1/cases/{CASE}", b"province=43", "43"),
        ("POST", f"/v1/cases/{CASE}/withdrawal", b"", "44"),
        ("POST", f"/v1/cases/{CASE}/decision", b"province=43", "43"),
        ("GET", "/v1/tasks", b"province=32&org=320100000100", "32"),
        ("GET", "/v1/tasks", b"org=320100000100", "32"),
        ("POST", f"/v1/cases/{CASE}/rating", b"", "44"),
        ("POST", f"/v1/cases/{CASE}/commitment", b"", "44"),
        ("POST", f"/v1/tasks/{CASE}/claim", b"", ByBody.TASK),
        ("POST", f"/v1/tasks/{CASE}/answered", b"", ByBody.TASK),
        ("POST", f"/v1/tasks/{CASE}/claim", b"province=43", "43"),
        ("POST", "/v1/registrations/lookup", b"", ByBody.LOOKUP),
        ("POST", "/v1/registrations/holds", b"", ByBody.PERSON),
        ("POST", "/v1/me/access-log", b"", ByBody.PERSON),
        ("POST", "/v1/me/access-log", b"province=11", "11"),
        ("GET", f"/v1/documents/{LICENCE}", b"", "43"),
        ("GET", f"/v1/documents/{LICENCE}", b"province=33", "33"),
        ("GET", "/v1/documents/QY44202600000001A", b"", "44"),
        ("POST", "/v1/documents/verify", b"", ByBody.VERIFICATION),
        ("GET", "/v/44-AB12cd", b"", "44"),
        ("GET", "/v1/provinces/65/anything", b"", "65"),
        ("POST", "/v1/ops/provinces/65/pause", b"", "65"),
        ("POST", "/v1/ops/quarantine/44-12/replay", b"", "44"),
        ("POST", "/v1/ops/quarantine/44-12/drop", b"", "44"),
        ("GET", "/v1/ops/quarantine/44-12", b"", "44"),
        ("GET", "/v1/ops/parked", b"province=43", "43"),
        ("GET", "/v1/ops/cases", b"overdue=true&province=44", "44"),
        ("GET", f"/v1/ops/cases/{CASE}/messages", b"province=43", "43"),
    ],
)
def test_the_path_tells_who_answers(method: str, path: str, query: bytes, expected: object) -> None:
    """Case number, query, organisation, document number or the body lead to one province."""
    assert destination(method, path, query) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/items"),
        ("GET", "/v1/cases"),
        ("GET", "/v1/me/access-log"),
        ("GET", "/v1/provinces"),
        ("GET", "/v1/provinces/44"),
        ("GET", "/v1/provinces/44/jwks.json"),
        ("GET", "/v1/ops/overview"),
        ("GET", "/v1/ops/cases"),
        ("GET", f"/v1/ops/cases/{CASE}/messages"),
        ("GET", "/metrics"),
        ("HEAD", f"/v1/cases/{CASE}"),
        ("TRACE", f"/v1/cases/{CASE}"),
        ("GET", "/v1/nowhere/44"),
    ],
)
def test_what_is_no_registrys_business_stays_here(method: str, path: str) -> None:
    """Country-wide lists, keys, items and unknown paths are not forwarded."""
    assert destination(method, path, b"") is None


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/cases/{CASE}/../../ops/custody",
        f"/v1/cases/{CASE}//withdrawal",
        f"/v1/cases/{CASE}/..",
        "/v1/provinces/44/../secrets",
        "/v1/provinces/44/a b",
        "/v/44/..",
        f"/v1/tasks/{CASE}/claim/..",
    ],
)
def test_a_path_that_climbs_is_not_forwarded(path: str) -> None:
    """No path reaches another place of a registry than its first part says."""
    assert destination("GET", path, b"") is None


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        (f"/v1/cases/{CASE[:-1]}{'A' if CASE[-1] != 'A' else 'B'}", b"", CaseIdError),
        ("/v1/cases/1", b"", CaseIdError),
        (f"/v1/cases/{CASE}", b"province=99", UnknownProvinceError),
        ("/v1/tasks", b"", RefusedError),
        ("/v1/tasks", b"org=1", BadInputError),
        ("/v1/documents/none", b"", RefusedError),
        ("/v1/documents/1.2.156.3005.2.x.y", b"", RefusedError),
        ("/v/99-x", b"", RefusedError),
        ("/v1/ops/quarantine/x/replay", b"", RefusedError),
        ("/v1/provinces/00/x", b"", UnknownProvinceError),
    ],
)
def test_what_can_not_exist_is_refused_before_anything_is_sent(
    path: str, query: bytes, error: type[TongbanError]
) -> None:
    """A number with a wrong check character, or an unknown province, is refused here."""
    with pytest.raises(error):
        destination("GET", path, query)


def body(**members: object) -> bytes:
    """A JSON body."""
    return json.dumps(members, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped catalogue."""
    return load_catalogue()


def test_a_move_goes_to_the_destination(catalogue: Catalogue) -> None:
    """An item that the destination answers goes where the applicant moves to."""
    applicant = {"id_number": NUMBER, "name": "测试"}
    new = body(item="0101", applicant=applicant, destination={"province": "44", "address": "x"})
    assert destination_of_case(new, catalogue, TODAY) == "44"


def test_an_item_of_the_home_registry_goes_to_the_holder(catalogue: Catalogue) -> None:
    """An item that the origin answers goes to whoever holds the applicant."""
    item = replace(catalogue.item("0101"), answers=Answers.ORIGIN)
    at_home = replace(catalogue, by_code={"0101": item})
    new = body(item="0101", applicant={"id_number": NUMBER, "name": "测试"})
    assert destination_of_case(new, at_home, TODAY) == ByPerson(NUMBER)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "FIELD_INVALID"),
        ({"item": "9999", "destination": {"province": "44"}}, "ITEM_UNKNOWN"),
        ({"item": 7}, "FIELD_INVALID"),
        ({"item": "0101"}, "FIELD_INVALID"),
        ({"item": "0101", "destination": {"province": "99"}}, "PROVINCE_UNKNOWN"),
        ({"item": "0101", "destination": {"province": "81"}}, "PROVINCE_UNKNOWN"),
        ({"item": "0101", "destination": {"province": 44}}, "FIELD_INVALID"),
        ({"item": "0101", "destination": ["44"]}, "FIELD_INVALID"),
        ({"item": "0101", "destination": None}, "FIELD_INVALID"),
    ],
)
def test_an_application_that_leads_nowhere_is_refused(
    catalogue: Catalogue, members: dict[str, Any], code: str
) -> None:
    """Unknown items, unknown provinces and fields of a wrong type are refused with a stable code."""
    with pytest.raises(BadInputError) as refusal:
        destination_of_case(body(**members), catalogue, TODAY)
    assert getattr(refusal.value, "reason", refusal.value.code) == code


def test_a_wrong_type_is_named_by_its_place(catalogue: Catalogue) -> None:
    """A field of a wrong type is told by location, never by value."""
    with pytest.raises(RefusedError, match=r"^body\.destination\.province: wrong_type$"):
        destination_of_case(body(item="0101", destination={"province": 44}), catalogue, TODAY)


def test_a_lookup_needs_a_number_that_can_be_one() -> None:
    """The check character is checked before anybody is asked."""
    assert person_of(body(id_number=NUMBER), TODAY) == ByPerson(NUMBER)
    for wrong in (
        {},
        {"id_number": NUMBER[:-1] + "8"},
        {"id_number": 1},
        {"id_number": "33000019900307002９"},
    ):
        with pytest.raises(BadInputError) as refusal:
            person_of(body(**wrong), TODAY)
        assert NUMBER[:-1] not in str(refusal.value)


def test_a_person_is_shown_nowhere() -> None:
    """The number in a destination does not get into a log by accident."""
    assert NUMBER not in repr(ByPerson(NUMBER))


def test_the_first_guess_is_where_the_number_was_coded() -> None:
    """Without a ledger the prefix is where the search begins."""
    assert first_guess(ByPerson(NUMBER)) == "33"


def test_a_task_belongs_to_the_acting_office() -> None:
    """Both parties have tasks under one case number; the office that acts tells which is meant."""
    path = f"/v1/tasks/{CASE}/claim"
    assert destination_of_task(path, body(officer="x", org="430100000100")) == "43"
    assert destination_of_task(path, body(officer="x")) == "44"
    assert destination_of_task(path, b"") == "44"


def test_the_code_on_a_certificate_leads_to_its_issuer() -> None:
    """The QR holds the e-licence identifier; its page is the issuer's, wherever the paper was printed."""
    code = "1.2.156.3005.2.11100000000013338W904.116200000000000000.44022026112500000001I.001.A"
    assert destination("GET", f"/v/{code}", b"") == "62"


def test_a_document_is_verified_by_its_issuer() -> None:
    """Number, code or the document itself lead to the province that issued it."""
    assert destination_of_verification(body(licence_id=LICENCE)) == "43"
    assert destination_of_verification(body(document={"licence_id": LICENCE, "x": 1})) == "43"
    assert destination_of_verification(body(code="44-AB12cd")) == "44"
    with pytest.raises(RefusedError):
        destination_of_verification(body(other=1))


def test_real_licence_ids_lead_to_their_provinces() -> None:
    """The issuer of a published identifier is found. Source: domain.md §4.5."""
    zhejiang = "1.2.156.3005.2.11100000000013338W011.11330105002500287C.2025052201.002.0"
    assert (issuing_province(LICENCE), issuing_province(zhejiang)) == ("43", "33")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"wait=5", 5),
        (b"respond-async, wait=10", 10),
        (b"wait=999", 30),
        (b"wait=-1", 0),
        (b"await=5", 0),
        (b"", 0),
    ],
)
def test_a_preferred_wait_is_read_and_bounded(header: bytes, seconds: int) -> None:
    """`Prefer: wait=N` lengthens the timeout by N seconds, 30 at most."""
    assert preferred_wait_s(header) == seconds
