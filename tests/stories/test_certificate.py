"""Household certificates: asked for where people live, issued by the home registry, verified by anybody."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.stories.backups import backup, put_back
from tests.stories.folk import Resident
from tests.stories.mischief import forged
from tests.stories.windows import application, seen as ended
from tests.stories.world import Country
from tongban_shared.documents.licence import LICENCE_AUTHORITY, credit_code, make_licence_id
from tongban_shared.ids import CaseId
from tongban_shared.messages.certificate import Issued
from tongban_shared.messages.home import IssuedDocument
from tongban_shared.messages.persons import PersonAsked

A, B, C = "32", "33", "44"
STATUS, KINSHIP, CANCELLATION, HISTORY, CHANGE = "0204", "0203", "0202", "0205", "0201"


async def ask_for(country: Country, item: str, person: Resident, at: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Apply; the case's view."""
    body = application(country, item, person, at, purpose="SCHOOL", **more)
    answer = await country.ask(at, "/v1/cases", body)
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_a_certificate_is_issued_at_home_and_fetched_elsewhere(country: Country) -> None:
    """Applied for at a window in B, issued by A at once, genuine to anybody; nobody moves."""
    person = country.person(A)
    case = await ask_for(country, STATUS, person, B)
    view = await ended(country, B, case["case_id"], "COMPLETED")
    (paper,) = view["documents"]
    fetched = await country.ask(A, f"/v1/documents/{paper['licence_id']}")
    document = fetched.json()
    told = {field["name"]: field["value"] for field in document["fields"]}
    assert told["person_1.name"] == person.name
    answer = (await country.ask(B, "/v1/documents/verify", {"document": document})).json()
    assert (answer["valid"], answer["issuer"]["province"]) == (True, A)
    online = (await country.ask(A, "/v1/documents/verify", {"licence_id": paper["licence_id"]})).json()
    assert (online["status"], online["checked_online"]) == ("VALID", True)
    assert country.registers.holder(person.key) == (A, 0)


async def test_the_home_registry_serves_its_own_people_alone(country: Country) -> None:
    """At home there is nobody else to ask: the case ends in the unit that took it in."""
    person = country.person(A)
    case = await ask_for(country, STATUS, person, A)
    assert (case["state"], len(case["documents"])) == ("COMPLETED", 1)


async def test_what_a_booklet_shows_is_not_certified(country: Country) -> None:
    """The refusal names its ground, its legal basis and whom to call."""
    case = await ask_for(country, STATUS, country.person(A), B, details={"booklet_at_hand": True})
    refusal = (await ended(country, B, case["case_id"], "REFUSED"))["refusal"]
    assert refusal["code"] == "PROVABLE_BY_DOCUMENT"
    assert refusal["legal_basis"]
    assert refusal["contact"]


async def test_kinship_of_one_household_is_certified_at_once(country: Country) -> None:
    """Both are named on the certificate."""
    one, other = country.family(A, 2)
    case = await ask_for(country, KINSHIP, one, B, members=[other])
    view = await ended(country, B, case["case_id"], "COMPLETED")
    document = (await country.ask(A, f"/v1/documents/{view['documents'][0]['licence_id']}")).json()
    told = {field["name"]: field["value"] for field in document["fields"]}
    assert {told["person_1.name"], told["person_2.name"]} == {one.name, other.name}


@pytest.mark.parametrize(
    ("decision", "state", "code"),
    [
        ({"outcome": "approve"}, "COMPLETED", None),
        ({"outcome": "refuse", "reason_code": "NOT_SAME_HOUSEHOLD"}, "REFUSED", "NOT_SAME_HOUSEHOLD"),
        ({"outcome": "refuse", "reason_code": "NO_INTEREST"}, "REFUSED", "NO_INTEREST"),
    ],
)
async def test_an_officer_searches_the_archive(
    country: Country, decision: dict[str, str], state: str, code: str | None
) -> None:
    """Strangers by the register: the home registry decides, and the window is told."""
    one, other = country.person(A), country.person(A)
    case = await ask_for(country, KINSHIP, one, B, members=[other])
    await country.until(A, case["case_id"], "CHECKING")
    answer = await country.act(A, case["case_id"], "decision", decision)
    assert answer.status_code == 202, answer.text
    view = await ended(country, B, case["case_id"], state)
    assert view.get("refusal", {}).get("code") == code
    assert bool(view["documents"]) == (state == "COMPLETED")


async def test_an_officer_asks_for_more(country: Country) -> None:
    """Once, for all of it; with it in hand the archive is searched."""
    case = await ask_for(country, CHANGE, country.person(A), B)
    await country.until(A, case["case_id"], "CHECKING")
    wanted = {"outcome": "return", "materials": ["BOOKLET"]}
    await country.act(A, case["case_id"], "decision", wanted)
    view = await ended(country, B, case["case_id"], "RETURNED")
    assert (view["state"], view["missing_materials"]) == ("CORRECTION", ["BOOKLET"])
    handed = {"materials": [{"kind": "BOOKLET", "grade": "B"}]}
    await country.act(B, case["case_id"], "materials", handed)
    await country.until(A, case["case_id"], "CHECKING")
    await country.act(A, case["case_id"], "decision", {"outcome": "approve"})
    await ended(country, B, case["case_id"], "COMPLETED")


async def test_nothing_is_certified_that_the_register_does_not_hold(country: Country) -> None:
    """Nobody cancelled this registration."""
    case = await ask_for(country, CANCELLATION, country.person(A), B)
    assert (await ended(country, B, case["case_id"], "REFUSED"))["refusal"]["code"] == "NO_RECORD"


async def test_the_province_that_was_left_certifies_that_it_was(country: Country) -> None:
    """The archive that holds the fact is named; the new home is not asked."""
    person = country.person(A)
    await country.move(person, B)
    case = await ask_for(country, CANCELLATION, person, B, details={"archive_province": A})
    view = await ended(country, B, case["case_id"], "COMPLETED")
    document = (await country.ask(A, f"/v1/documents/{view['documents'][0]['licence_id']}")).json()
    told = {field["name"]: field["value"] for field in document["fields"]}
    assert told["registration_state"] == "MOVED_OUT"


async def test_who_moves_while_the_archive_is_searched_is_certified_at_the_new_home(country: Country) -> None:
    """A released them meanwhile, so A asserts nothing about them (protocol.md §4): C does."""
    person = country.person(A)
    case = await ask_for(country, CHANGE, person, B)
    await country.until(A, case["case_id"], "CHECKING")
    await country.move(person, C)
    await country.act(A, case["case_id"], "decision", {"outcome": "approve"})
    await country.until(C, case["case_id"], "CHECKING")
    await country.act(C, case["case_id"], "decision", {"outcome": "approve"})
    view = await ended(country, B, case["case_id"], "COMPLETED")
    found = await country.ask(C, f"/v1/documents/{view['documents'][0]['licence_id']}")
    assert found.status_code == 200


async def test_a_certificate_beside_a_move(country: Country) -> None:
    """A move under way at the same window is another case; neither stands in the other's way."""
    person = country.person(A)
    case = await ask_for(country, CHANGE, person, B)
    moved = await country.move(person, B)
    assert moved != case["case_id"]


async def test_withdrawn_before_it_was_issued(country: Country) -> None:
    """The home registry's task ends with it."""
    case = await ask_for(country, CHANGE, country.person(A), B)
    await country.until(A, case["case_id"], "CHECKING")
    await country.act(B, case["case_id"], "withdrawal")
    await ended(country, B, case["case_id"], "WITHDRAWN")
    await country.until(A, case["case_id"], "WITHDRAWN")


async def test_what_was_issued_while_it_was_withdrawn_is_revoked(country: Country) -> None:
    """The two messages crossed: the applicant has withdrawn, and the paper holds nowhere."""
    country.wire.hold("issued")
    case = await ask_for(country, STATUS, country.person(A), B)
    await country.until(A, case["case_id"], "COMPLETED")
    await country.act(B, case["case_id"], "withdrawal")
    await country.until(A, case["case_id"], "WITHDRAWN")
    await country.wire.let_go("issued")
    view = await ended(country, B, case["case_id"], "WITHDRAWN")
    assert view["documents"] == []
    mirror = (await country.ask(A, f"/v1/cases/{case['case_id']}")).json()
    number = mirror["documents"][0]["licence_id"]
    document = (await country.ask(A, f"/v1/documents/{number}")).json()
    for asked in ({"licence_id": number}, {"document": document}):
        answer = (await country.ask(A, "/v1/documents/verify", asked)).json()
        assert (answer["valid"], answer["status"]) == (False, "REVOKED")


async def test_messages_that_come_three_times_issue_one_certificate(country: Country) -> None:
    """Everything sent twice and shuffled changes nothing: one case, one identifier."""
    country.wire.copies = 3
    person = country.person(A)
    case = await ask_for(country, STATUS, person, B)
    view = await ended(country, B, case["case_id"], "COMPLETED")
    await country.calm()
    (paper,) = view["documents"]
    assert CaseId(case["case_id"]) in paper["licence_id"]


@pytest.mark.parametrize("fence", [True, False])
async def test_a_home_registry_that_was_put_back_issues_the_same_certificate(
    country: Country,
    fence: bool,  # noqa: FBT001
) -> None:
    """It forgot what it issued; asked again, it issues under the same number: never a second one (G1)."""
    copy = backup(country, A)
    case = await ask_for(country, STATUS, country.person(A), B)
    view = await ended(country, B, case["case_id"], "COMPLETED")
    await put_back(country, A, copy, fence=fence)
    await country.until(A, case["case_id"], "COMPLETED")
    number = view["documents"][0]["licence_id"]
    assert (await country.ask(A, f"/v1/documents/{number}")).status_code == 200


async def test_a_window_that_was_put_back_learns_what_was_issued(country: Country) -> None:
    """The answer is sent again, and the case is known by it (G1)."""
    copy = backup(country, B)
    case = await ask_for(country, STATUS, country.person(A), B)
    view = await ended(country, B, case["case_id"], "COMPLETED")
    await put_back(country, B, copy)
    again = await ended(country, B, case["case_id"], "COMPLETED")
    assert again["documents"] == view["documents"]


async def test_a_window_put_back_to_before_it_was_sent_on_is_answered(country: Country) -> None:
    """Its answer comes again from whom it does not know it asked; it asks again (simulator, seed 203035)."""
    person = country.person(A)
    case = (await ask_for(country, CHANGE, person, B))["case_id"]
    await country.until(A, case, "CHECKING")
    copy = backup(country, B)
    await country.move(person, C)
    await country.act(A, case, "decision", {"outcome": "approve"})
    await country.until(C, case, "CHECKING")
    await country.act(C, case, "decision", {"outcome": "approve"})
    view = await ended(country, B, case, "COMPLETED")
    country.wire.hold("referral")
    await country.crash(B)
    country.wire.wipe()
    await put_back(country, B, copy)
    await country.resend()
    await country.wire.let_go("referral")
    again = await ended(country, B, case, "COMPLETED")
    assert again["documents"] == view["documents"]


async def test_who_sent_it_on_and_answers_in_another_past_is_told_that_it_ended(country: Country) -> None:
    """A sent it on, was put back, and issues: B takes nothing from it, and withdraws (simulator, seed 32)."""
    person = country.person(A)
    case = (await ask_for(country, CHANGE, person, B))["case_id"]
    await country.until(A, case, "CHECKING")
    await country.move(person, C)
    await country.act(A, case, "decision", {"outcome": "approve"})
    await country.until(C, case, "CHECKING")
    asked = PersonAsked(person=person.key, name_check=person.check)
    number = make_licence_id(f"{LICENCE_AUTHORITY}001", credit_code(A), case)
    paper = IssuedDocument(
        licence_id=number, kind="STATUS", valid_until=country.clock.now() + timedelta(days=180)
    )
    await country.wire.deliver(
        forged(country, Issued(persons=(asked,), document=paper), (A, B), case_id=case)
    )
    await country.calm()
    assert [x.label.receiver for x in country.wire.sent if x.name == "withdrawal"] == [A]
    assert country.registers.quarantine(B) == []
    await country.act(C, case, "decision", {"outcome": "approve"})
    (issued,) = (await ended(country, B, case, "COMPLETED"))["documents"]
    assert issued["licence_id"] != number


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "for school"},
        {"purpose": None},
        {"details": {"booklet": True}},
        {"details": {"archive_province": "99"}},
        {"accepting_org": "3301"},
        {"item": KINSHIP},
        {"members": "twice"},
        {"materials": []},
    ],
)
async def test_a_wrong_application_stores_nothing(country: Country, wrong: dict[str, Any]) -> None:
    """One clear problem with a stable code; no case anywhere."""
    person = country.person(A)
    body: dict[str, Any] = application(country, STATUS, person, B) | wrong
    if wrong.get("members"):
        body |= {"item": KINSHIP, "members": [person.identity]}
    answer = await country.ask(B, "/v1/cases", {k: v for k, v in body.items() if v is not None})
    assert answer.status_code in {404, 422}, answer.text
    assert answer.json()["code"] in {
        "FIELD_INVALID",
        "PROVINCE_UNKNOWN",
        "ORG_CODE_INVALID",
        "MATERIAL_MISSING",
    }
    assert person.name not in answer.text
    assert not country.registers.count("cases")


async def test_a_forged_field_is_found(country: Country) -> None:
    """A document whose name was changed is not genuine, online or offline."""
    case = await ask_for(country, STATUS, country.person(A), A)
    document = (await country.ask(A, f"/v1/documents/{case['documents'][0]['licence_id']}")).json()
    forged = json.loads(json.dumps(document))
    forged["fields"][0]["value"] += "2"
    answer = (await country.ask(A, "/v1/documents/verify", {"document": forged})).json()
    assert (answer["valid"], answer["reason"]) == (False, "FIELD_ALTERED")


async def test_the_page_behind_the_code_tells_nothing_personal(country: Country) -> None:
    """It says that the paper holds, who issued it and until when."""
    person = country.person(A)
    case = await ask_for(country, STATUS, person, A)
    page = await country.ask(A, f"/v/{case['documents'][0]['licence_id']}")
    assert page.status_code == 200
    assert "有效" in page.text
    assert person.name not in page.text
    assert person.id_number not in page.text
