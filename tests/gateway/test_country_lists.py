from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.country import GUANGDONG, HUNAN, SECRETS, ZHEJIANG, Country, case_id, profiles
from tongban_gateway.app import Options, create_app
from tongban_gateway.upstream import Failure
from tongban_shared.catalogue import load_catalogue
from tongban_shared.keys import generate_keys, load_directory
from tongban_shared.ledger_memory import MemoryLedger


async def test_the_overview_has_a_row_for_each_province_and_sums(country: Country) -> None:
    """Counts are summed over the country; of ages the highest is shown."""
    answer = (await country.http.get("/v1/ops/overview")).json()
    assert [row["province"] for row in answer["provinces"]] == [ZHEJIANG, HUNAN, GUANGDONG]
    assert [row["reachable"] for row in answer["provinces"]] == [True, True, True]
    assert answer["totals"] == {"open_cases": 6, "oldest_unreceipted_age_s": 44}
    assert answer["unreachable"] == []


@pytest.mark.parametrize("failure", Failure)
async def test_a_province_that_is_away_is_marked_and_the_rest_is_shown(
    country: Country, failure: Failure
) -> None:
    """The overview always comes, whoever is away."""
    country.breaks(HUNAN, failure)
    answer = await country.http.get("/v1/ops/overview")
    assert answer.status_code == 200
    row = next(row for row in answer.json()["provinces"] if row["province"] == HUNAN)
    assert (row["reachable"], row["state"], row["name"]) == (False, "UNREACHABLE", "湖南省")
    assert answer.json()["totals"]["open_cases"] == 4


async def test_one_provinces_own_page_is_its_own(country: Country) -> None:
    """With `?province=` the registry answers itself."""
    answer = (await country.http.get("/v1/ops/overview?province=43")).json()
    assert (answer["province"], "totals" in answer) == (HUNAN, False)


def entries(province: str, count: int) -> list[dict[str, Any]]:
    """Entries of one province's list, the first of them overdue."""
    return [{"case_id": f"{province}-{number}", "overdue": number == 0} for number in range(count)]


async def test_a_list_gathers_all_pages_of_all_provinces(country: Country) -> None:
    """Following `next` shows every entry of every province exactly once, each with its province."""
    sizes = {ZHEJIANG: 7, HUNAN: 0, GUANGDONG: 23}
    for province, size in sizes.items():
        country.registries[province].cases = entries(province, size)
    seen: list[dict[str, Any]] = []
    query = {"limit": "9"}
    while True:
        answer = await country.http.get("/v1/ops/cases", params=query)
        assert len(answer.json()["items"]) <= 9
        seen += answer.json()["items"]
        if answer.json()["next"] is None:
            break
        assert 'rel="next"' in answer.headers["link"]
        query["cursor"] = answer.json()["next"]
    assert len(seen) == len({entry["case_id"] for entry in seen}) == 30
    assert all(entry["case_id"].startswith(entry["province"]) for entry in seen)


async def test_the_link_leads_to_the_next_page(country: Country) -> None:
    """The `Link` header is the next question, ready to be asked."""
    country.registries[GUANGDONG].cases = entries("44", 10)
    first = await country.http.get("/v1/ops/cases?limit=6&overdue=true")
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    second = await country.http.get(link)
    assert second.json()["items"][0]["case_id"] != first.json()["items"][0]["case_id"]


async def test_overdue_entries_come_first(country: Country) -> None:
    """Within a page what is overdue stands on top, whichever province it is in."""
    for province in (ZHEJIANG, GUANGDONG):
        country.registries[province].cases = entries(province, 3)
    items = (await country.http.get("/v1/ops/cases")).json()["items"]
    assert [item["overdue"] for item in items] == [True, True, False, False, False, False]


@pytest.mark.parametrize("cursor", ["!", "e30=", base64.b64encode(b'{"99":"1"}').decode(), "W10="])
async def test_a_cursor_that_was_not_given_out_is_refused(country: Country, cursor: str) -> None:
    """A cursor that this list can't have issued is a 422."""
    answer = await country.http.get("/v1/ops/cases", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "CURSOR_INVALID")


async def test_a_question_that_all_refuse_is_refused(country: Country) -> None:
    """When the question itself is wrong, the answer is the registries' refusal, not an empty list."""
    answer = await country.http.get("/v1/ops/cases?cursor=" + _cursor({"44": "not a number"}))
    assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_INVALID")


def _cursor(cursors: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(cursors).encode()).decode()


async def test_the_hops_of_a_case_come_from_all_its_parties(country: Country) -> None:
    """Both sides' hops are shown, each with the province that keeps it."""
    number = case_id(GUANGDONG)
    answer = (await country.http.get(f"/v1/ops/cases/{number}/messages")).json()
    assert {item["province"] for item in answer["items"]} == {HUNAN, GUANGDONG}


async def test_the_hops_of_one_side_are_shown_while_the_other_is_away(country: Country) -> None:
    """A party that is away is named, and the other's hops are shown."""
    country.breaks(HUNAN, Failure.TIMEOUT)
    answer = (await country.http.get(f"/v1/ops/cases/{case_id(GUANGDONG)}/messages")).json()
    assert [item["province"] for item in answer["items"]] == [GUANGDONG]
    assert [away["province"] for away in answer["unreachable"]] == [HUNAN]


# ---------------------------------------------------------------------------------------------- local answers


async def test_the_items_are_served_here(country: Country) -> None:
    """The item catalogue needs no registry."""
    for province in country.ways:
        country.breaks(province, Failure.CONNECT)
    items = (await country.http.get("/v1/items")).json()["items"]
    assert len(items) == len(load_catalogue().by_code)
    assert items[0].keys() >= {
        "code",
        "title_zh",
        "title_en",
        "case_type",
        "answers",
        "materials",
        "fee_yuan",
    }


async def test_items_are_cut_to_what_a_province_offers(country: Country) -> None:
    """With a province the items say what is available there."""
    items = (await country.http.get("/v1/items?province=44&case_type=migration")).json()["items"]
    assert all("available" in item for item in items)


async def test_provinces_show_whether_they_answer(country: Country) -> None:
    """A province that is away is shown with since when."""
    country.breaks(HUNAN, Failure.CONNECT)
    await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    rows = {row["province"]: row for row in (await country.http.get("/v1/provinces")).json()["items"]}
    assert (rows[HUNAN]["answers"], rows[HUNAN]["away_since"]) == (False, "2026-11-24T18:00:00+08:00")
    assert rows[GUANGDONG]["answers"] is True


async def test_public_keys_are_served_for_all_and_for_one(country: Country, tmp_path: Path) -> None:
    """The key sets name their algorithm and may be kept for some minutes."""
    generate_keys(tmp_path, ["44", "43"])
    options = Options(keys=load_directory(tmp_path))
    app = create_app(profiles(), dict(country.ways), MemoryLedger(), SECRETS, options=options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        everybody = await http.get("/.well-known/jwks.json")
        one = await http.get("/v1/provinces/44/jwks.json")
    assert [key["kid"] for key in one.json()["keys"]] == ["44-1"]
    assert {key["alg"] for key in everybody.json()["keys"]} == {"Ed25519"}
    assert len(everybody.json()["keys"]) == 2
    assert one.headers["cache-control"] == "public, max-age=300"


async def test_the_contract_holds_both_sides(country: Country) -> None:
    """The OpenAPI document describes local and forwarded paths alike, and no registry's own pages."""
    paths = (await country.http.get("/openapi.json")).json()["paths"]
    assert paths.keys() >= {"/v1/items", "/v1/registrations/lookup", "/v1/cases/{number}", "/problems/{code}"}
    assert (await country.http.get("/docs")).status_code == 200


async def test_the_contract_needs_no_registry(country: Country) -> None:
    """While every province is away the gateway describes its own part."""
    for province in country.ways:
        country.breaks(province, Failure.CONNECT)
    assert "/v1/items" in (await country.http.get("/openapi.json")).json()["paths"]


async def test_the_gateway_is_ready_whoever_is_away(country: Country) -> None:
    """Neither a dead province nor a ledger that is away takes the gateway out of service."""
    country.breaks(HUNAN, Failure.CONNECT)
    country.ledger.down = True
    answer = await country.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["ledger"]["reason"]) == (200, "LEDGER_DOWN")


async def test_the_gateway_counts_by_province(country: Country) -> None:
    """Answers, failures and times are counted by province, without a case or a person."""
    await country.http.get(f"/v1/cases/{case_id(GUANGDONG)}")
    country.breaks(HUNAN, Failure.TIMEOUT)
    await country.http.get(f"/v1/cases/{case_id(HUNAN)}")
    text = (await country.http.get("/metrics")).text
    assert 'tongban_gateway_answers_total{province="44",status="200"} 1.0' in text
    assert 'tongban_gateway_failures_total{province="43",reason="TIMEOUT"} 1.0' in text
    assert 'tongban_gateway_answer_seconds_count{province="44"} 1.0' in text
    assert case_id(HUNAN) not in text
