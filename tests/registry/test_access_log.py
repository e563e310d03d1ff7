from __future__ import annotations

from tests.registry.country import A, B, code_of, ok
from tests.stories.world import Country

LOG = "/v1/me/access-log"


async def test_a_person_sees_who_looked_why_and_for_which_case(country: Country) -> None:
    """What the destination was shown for the move stands in the origin's log."""
    person = country.person(A)
    case_id = await country.move(person, B)
    entries = (await ok(country, A, LOG, person.identity))["items"]
    shown = [entry for entry in entries if entry["who"] == f"province:{B}"]
    assert {entry["what"] for entry in shown} == {"facts", "offer"}
    assert {(entry["why"], entry["case_id"], entry["province"]) for entry in shown} == {
        ("MIGRATION", case_id, A)
    }
    assert all(entry["at"].endswith("+08:00") for entry in shown)


async def test_a_lookup_by_an_agency_is_seen(country: Country) -> None:
    """A question about where somebody is registered leaves its purpose."""
    person = country.person(A)
    await country.lookup(person, A)
    entries = (await ok(country, A, LOG, person.identity))["items"]
    assert ("agency", "BANK", "registration") in [(e["who"], e["why"], e["what"]) for e in entries]


async def test_the_question_itself_is_logged(country: Country) -> None:
    """Reading one's log is a look at one's data too."""
    person = country.person(A)
    (entry,) = (await ok(country, A, LOG, person.identity))["items"]
    assert (entry["who"], entry["why"]) == ("self", "ACCESS_LOG")


async def test_a_wrong_name_looks_like_an_unknown_person(country: Country) -> None:
    """The two refusals do not differ, so that numbers can't be tried out."""
    person, stranger = country.person(A), country.person(B)
    wrong = await country.ask(A, LOG, {**person.identity, "name": "无此人"})
    unknown = await country.ask(A, LOG, stranger.identity)
    assert code_of(wrong) == code_of(unknown) == (404, "PERSON_UNKNOWN")
    hidden = ("instance",)
    assert {k: v for k, v in wrong.json().items() if k not in hidden} == {
        k: v for k, v in unknown.json().items() if k not in hidden
    }


async def test_who_tries_names_is_seen(country: Country) -> None:
    """A refused question stands in the log of the person whose number was used."""
    person = country.person(A)
    await country.ask(A, LOG, {**person.identity, "name": "无此人"})
    entries = (await ok(country, A, LOG, person.identity))["items"]
    assert [entry["what"] for entry in entries] == ["access_log", "absent"]


async def test_get_is_refused_and_says_what_to_do(country: Country) -> None:
    """An id number never stands in a URL: the answer to GET names POST."""
    answer = await country.ask(A, LOG)
    assert code_of(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"
    assert "POST" in answer.json()["detail"]


async def test_the_log_comes_in_pages(country: Country) -> None:
    """A cursor leads on to the entries before."""
    person = country.person(A)
    for _ in range(3):
        await country.lookup(person, A)
    first = await ok(country, A, f"{LOG}?limit=2", person.identity)
    second = await ok(country, A, f"{LOG}?limit=2&cursor={first['next']}", person.identity)
    assert [entry["what"] for entry in first["items"]] == ["access_log", "registration"]
    assert [entry["what"] for entry in second["items"]] == ["registration", "registration"]


async def test_no_answer_holds_the_number(country: Country) -> None:
    """Neither the log nor a refusal repeats what was sent."""
    person = country.person(A)
    told = await country.ask(A, LOG, person.identity)
    refused = await country.ask(A, LOG, {**person.identity, "name": "无此人"})
    for answer in (told, refused):
        assert person.id_number not in answer.text
        assert person.name not in answer.text
