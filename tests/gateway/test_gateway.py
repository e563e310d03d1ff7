from __future__ import annotations

import json

import pytest

from tests.gateway.country import (
    GUANGDONG,
    HUNAN,
    KEY,
    NEW_CASE,
    Country,
    case_id,
    code_of,
)

# ------------------------------------------------------------------------------------------------- forwarding


async def test_a_case_is_read_where_it_was_accepted(country: Country) -> None:
    """The case number leads to the accepting province."""
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert answer.json()["by"] == HUNAN


async def test_a_party_to_a_case_can_be_named(country: Country) -> None:
    """With `?province=` the mirror case of another party is read."""
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}?province=44")
    assert answer.json()["by"] == GUANGDONG


async def test_a_rating_goes_where_the_case_was_accepted(country: Country) -> None:
    """Whoever decided it: people rate the office that they went to."""
    path = f"/v1/cases/{case_id(HUNAN)}/rating"
    answer = await country.http.post(path, json={"score": 5, "channel": "window"}, headers=KEY)
    assert answer.json()["by"] == HUNAN


async def test_an_application_goes_to_the_destination_unchanged(country: Country) -> None:
    """The registry gets the very bytes that were sent."""
    body = json.dumps(NEW_CASE, indent=3, ensure_ascii=False).encode()
    headers = {"content-type": "application/json", **KEY}
    answer = await country.http.post("/v1/cases", content=body, headers=headers)
    assert (answer.status_code, answer.json()["by"]) == (202, GUANGDONG)
    assert country.registries[GUANGDONG].bodies == [body]


async def test_what_a_caller_says_of_the_request_is_passed_on(country: Country) -> None:
    """Key, preference, condition, authority, officer and language reach the registry."""
    sent = {
        "idempotency-key": "k",
        "prefer": "wait=1",
        "if-match": '"1"',
        "authorization": "Bearer t",
        "x-tongban-officer": "o-1",
        "accept-language": "zh-CN",
    }
    await country.http.get(f"/v1/cases/{case_id(HUNAN)}", headers=sent)
    (seen,) = country.registries[HUNAN].seen
    assert {name: seen.headers[name] for name in sent} == sent


async def test_what_belongs_to_one_hop_or_is_ours_is_not_passed_on(country: Country) -> None:
    """Hop-by-hop headers, forged internal ones and addresses of the caller stop here."""
    sent = {
        "te": "trailers",
        "upgrade": "h2c",
        "x-tongban-moved-to": "11",
        "x-forwarded-for": "192.0.2.1",
        "forwarded": "for=192.0.2.1",
        "cookie": "a=b",
    }
    await country.http.get(f"/v1/cases/{case_id(HUNAN)}", headers=sent)
    (seen,) = country.registries[HUNAN].seen
    assert not sent.keys() & seen.headers.keys()


async def test_the_trace_reaches_the_registry(country: Country) -> None:
    """The trace id goes through, with a span of each hop's own."""
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await country.http.get(f"/v1/cases/{case_id(HUNAN)}", headers={"traceparent": sent})
    (seen,) = country.registries[HUNAN].seen
    assert seen.headers["traceparent"][:36] == answer.headers["traceparent"][:36] == sent[:36]
    assert len({seen.headers["traceparent"], answer.headers["traceparent"], sent}) >= 2


async def test_what_the_registry_says_of_the_answer_comes_back(country: Country) -> None:
    """Location, ETag and replay mark come back; each header once, and none that tells what runs there."""
    posted = await country.http.post("/v1/cases", json=NEW_CASE, headers=KEY)
    read = await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    assert posted.headers["location"] == "/v1/cases/1"
    assert posted.headers["idempotency-replayed"] == "true"
    assert read.headers["etag"] == '"1"'
    assert "x-powered-by" not in read.headers
    names = [name for name, _ in read.headers.raw]
    assert len(names) == len(set(names))


async def test_queries_are_passed_on_as_they_are(country: Country) -> None:
    """The query string is not rewritten."""
    await country.http.get("/v1/tasks?province=43&org=430100000100&cursor=a%2Fb%3D")
    (seen,) = country.registries[HUNAN].seen
    assert seen.url.query == "province=43&org=430100000100&cursor=a%2Fb%3D"


async def test_an_officer_of_the_other_party_claims_there(country: Country) -> None:
    """A task under one case number belongs to the office that the body names."""
    claim = {"officer": "o", "org": "430100000100"}
    answer = await country.http.post(f"/v1/tasks/{case_id(GUANGDONG)}/claim", json=claim)
    assert answer.json()["by"] == HUNAN


# -------------------------------------------------------------------------------------------------- bad input

GOOD = case_id(GUANGDONG)
MIB10 = b'{"a":"' + b"x" * (10 << 20) + b'"}'
DEEP = b"[" * 100_000 + b"]" * 100_000
BAD = [
    ("GET", f"/v1/cases/{GOOD[:-1]}{'A' if GOOD[-1] != 'A' else 'B'}", None, (404, "CASE_UNKNOWN")),
    ("GET", "/v1/cases/1", None, (404, "CASE_UNKNOWN")),
    ("GET", f"/v1/cases/{GOOD}?province=99", None, (422, "PROVINCE_UNKNOWN")),
    ("GET", f"/v1/cases/{GOOD}?province=11", None, (422, "PROVINCE_UNKNOWN")),
    ("GET", f"/v1/cases/{GOOD}/%2e%2e/x", None, (404, "NOT_FOUND")),
    ("GET", "/v1/cases", None, (404, "NOT_FOUND")),
    ("GET", "/nowhere", None, (404, "NOT_FOUND")),
    ("GET", "/v1/tasks", None, (422, "FIELD_INVALID")),
    ("GET", "/v1/tasks?province=x", None, (422, "PROVINCE_UNKNOWN")),
    ("GET", "/v1/documents/nothing", None, (404, "DOCUMENT_UNKNOWN")),
    ("GET", "/v/zz", None, (404, "DOCUMENT_UNKNOWN")),
    ("GET", "/v1/items?province=99", None, (422, "PROVINCE_UNKNOWN")),
    ("GET", "/v1/provinces/99/jwks.json", None, (422, "PROVINCE_UNKNOWN")),
    ("GET", "/v1/ops/cases?cursor=!", None, (422, "CURSOR_INVALID")),
    ("GET", "/v1/me/access-log", None, (405, "METHOD_NOT_ALLOWED")),
    ("POST", "/livez", None, (405, "METHOD_NOT_ALLOWED")),
    ("POST", "/v1/cases", b"{}", (422, "FIELD_INVALID")),
    ("POST", "/v1/cases", b"[]", (422, "FIELD_INVALID")),
    ("POST", "/v1/cases", b"null", (422, "FIELD_INVALID")),
    ("POST", "/v1/cases", b"", (400, "JSON_INVALID")),
    ("POST", "/v1/cases", b'{"item":"9999"}', (422, "ITEM_UNKNOWN")),
    ("POST", "/v1/cases", b'{"item":"0101","destination":{"province":"99"}}', (422, "PROVINCE_UNKNOWN")),
    ("POST", "/v1/cases", b'{"item":"0101","destination":{"province":"11"}}', (422, "PROVINCE_UNKNOWN")),
    ("POST", "/v1/cases", b'{"item"', (400, "JSON_INVALID")),
    ("POST", "/v1/cases", b'{"item":"\xff"}', (400, "JSON_INVALID")),
    ("POST", "/v1/cases", DEEP, (400, "JSON_TOO_DEEP")),
    ("POST", "/v1/cases", MIB10, (413, "BODY_TOO_LARGE")),
    ("POST", "/v1/registrations/lookup", b'{"id_number":"1"}', (422, "ID_NUMBER_INVALID")),
    ("POST", "/v1/registrations/lookup", b'{"id_number":1}', (422, "FIELD_INVALID")),
    ("POST", "/v1/registrations/lookup", b"{}", (422, "FIELD_INVALID")),
    ("POST", "/v1/documents/verify", b'{"licence_id":"x"}', (404, "DOCUMENT_UNKNOWN")),
    ("POST", "/v1/tasks/zz/claim", b"{}", (404, "TASK_UNKNOWN")),
    ("PUT", f"/v1/cases/{GOOD}", b"{", (400, "JSON_INVALID")),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), BAD)
async def test_bad_input_is_refused_here(
    country: Country, *, method: str, path: str, body: bytes | None, expected: tuple[int, str]
) -> None:
    """Bad input is a 4xx problem with a stable code, and no registry hears of it."""
    headers = {"content-type": "application/json"} if body is not None else {}
    answer = await country.http.request(method, path, content=body, headers=headers)
    assert code_of(answer) == expected
    assert country.all_seen() == []


async def test_another_media_type_is_refused_here(country: Country) -> None:
    """What is not JSON is a 415, and is not forwarded."""
    answer = await country.http.post("/v1/cases", content=b"<x/>", headers={"content-type": "text/xml"})
    assert code_of(answer) == (415, "MEDIA_TYPE")
    assert country.all_seen() == []
