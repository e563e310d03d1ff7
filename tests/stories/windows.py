"""What officers at a window do: apply for somebody whom another province answers for, report, look."""

from __future__ import annotations

from typing import Any

from tests.stories.folk import Resident
from tests.stories.world import Country

FIRST, REPLACE, REISSUE, TEMPORARY = "0301", "0302", "0303", "0401"


def application(country: Country, item: str, person: Resident, at: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """The body of an application at a window in province `at`. more: members, grade, details, without."""
    site = country.sites[at]
    without = more.get("without", ())
    details = {"match_percent": 97} if item == TEMPORARY else {}
    return {
        "item": item,
        "accepting_org": site.live.office.org,
        "applicant": person.identity,
        "members": [member.identity for member in more.get("members", ())],
        "details": {**details, **more.get("details", {})},
        "materials": [
            {"kind": material.kind, "grade": more.get("grade", "A")}
            for material in site.live.office.catalogue.item(item).materials
            if material.kind not in without
        ],
        "purpose": more.get("purpose", "TRAVEL"),
    }


async def ask_for(country: Country, item: str, person: Resident, at: str, **more: Any) -> str:  # noqa: ANN401
    """Apply; the case's number."""
    answer = await country.ask(at, "/v1/cases", application(country, item, person, at, **more))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["case_id"])


async def seen(country: Country, at: str, case_id: str, *states: str) -> dict[str, Any]:
    """The case's view at that province, once it stands in one of the internal states."""
    await country.until(at, case_id, *states)
    view: dict[str, Any] = (await country.ask(at, f"/v1/cases/{case_id}")).json()
    return view


async def report(country: Country, at: str, case_id: str, step: str) -> int:
    """A window's report: made, handed_over, printed, returned. The status."""
    return (await country.act(at, case_id, "progress", {"step": step, "officer": "window-1"})).status_code


async def standing(country: Country, issuer: str, view: dict[str, Any]) -> str:
    """What the issuer says today of the document of a case."""
    (paper,) = view["documents"]
    answer = await country.ask(issuer, "/v1/documents/verify", {"licence_id": paper["licence_id"]})
    return str(answer.json()["status"])
