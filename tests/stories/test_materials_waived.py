"""免提交: a document that one of our registries issued is named instead of handed in, and looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.stories.folk import Resident
from tests.stories.stations import BOOKLET, EDUCATION, LOST, NANJING, A, B, approved, asked, lives_at, put
from tests.stories.windows import FIRST, ask_for, seen
from tests.stories.world import Country
from tongban_registry.commands import Command
from tongban_registry.door import ApplicationIn, MaterialInput
from tongban_registry.materials import Materials
from tongban_registry.storage.documents import Documents
from tongban_shared.cases.common import Supplied
from tongban_shared.errors import RefusedError
from tongban_shared.ids import PersonKey

BY_CHILD, KINSHIP = "0105", "0203"
STUDIES = {"changes": {"education_code": "20"}}
Body = dict[str, Any]


async def booklet(country: Country, person: Resident) -> str:
    """Their booklet, issued at home; its identifier."""
    view = await seen(country, A, await put(country, asked(country, BOOKLET, person, NANJING)), "COMPLETED")
    return str(view["documents"][0]["licence_id"])


def named(body: Body, kind: str, licence: str, document: object = None) -> Body:
    """The application with a licence named in place of a material."""
    kept = [material for material in body["materials"] if material["kind"] != kind]
    waived = {"kind": kind, "waived_by_licence": licence}
    if document is not None:
        waived["document"] = document  # type: ignore[assignment]  # a JSON object
    return body | {"materials": [*kept, waived]}


def studies(country: Country, person: Resident, licence: str) -> Body:
    """A change that needs nobody where all materials are of grade A, with a booklet that is named."""
    return named(asked(country, EDUCATION, person, NANJING, details=STUDIES), "BOOKLET", licence)


async def refused(country: Country, at: str, body: Body) -> str:
    """The code with which the door refuses it; nothing is stored."""
    before = country.registers.rows(at, "SELECT count(*) FROM cases")
    answer = await country.ask(at, "/v1/cases", body)
    assert answer.status_code == 422, answer.text
    assert country.registers.rows(at, "SELECT count(*) FROM cases") == before
    return str(answer.json()["code"])


async def kinship(country: Country, people: tuple[Resident, Resident]) -> tuple[str, Any]:
    """A certificate of A that names both, asked for by the first; its identifier and the document."""
    case = await ask_for(country, KINSHIP, people[0], A, members=[people[1]], purpose="SCHOOL")
    number = (await seen(country, A, case, "COMPLETED"))["documents"][0]["licence_id"]
    return str(number), (await country.ask(A, f"/v1/documents/{number}")).json()


def joins_child(country: Country, person: Resident, licence: str, document: object = None) -> Body:
    """A move from A to B for which kinship is to be proven."""
    return named(country.application(person, B, item=BY_CHILD), "KINSHIP_PROOF", licence, document)


# What is looked up


async def test_a_booklet_issued_here_is_named_and_nothing_is_handed_in(country: Country) -> None:
    """Looked up, it is of grade A: the case needs nobody, and the look is in the person's access log."""
    (person,) = lives_at(country, NANJING)
    licence = await booklet(country, person)
    case = await put(country, studies(country, person, licence))
    view = await seen(country, A, case, "COMPLETED")
    assert view["waived_by_licence"] == [{"kind": "BOOKLET", "licence_id": licence, "grade": "A"}]
    log = (await country.ask(A, "/v1/me/access-log", person.identity)).json()["items"]
    looked_at = [entry["what"] for entry in log if (entry["case_id"], entry["why"]) == (case, "DOCUMENT")]
    assert looked_at == ["BOOKLET"]


async def test_a_certificate_of_another_province_is_shown_signed(country: Country) -> None:
    """Whether its issuer took it back is not known here: grade B, and so an officer has the case."""
    one, other = country.family(A, 2)
    licence, document = await kinship(country, (one, other))
    answer = await country.ask(B, "/v1/cases", joins_child(country, one, licence, document))
    assert answer.status_code == 202, answer.text
    view = await seen(country, B, answer.json()["case_id"], "REVIEWING")
    assert view["waived_by_licence"] == [{"kind": "KINSHIP_PROOF", "licence_id": licence, "grade": "B"}]


async def test_what_was_asked_for_may_be_named_too(country: Country) -> None:
    """A missing booklet is not handed in later either."""
    (person,) = lives_at(country, NANJING)
    licence = await booklet(country, person)
    body = asked(country, EDUCATION, person, NANJING, details=STUDIES, without=("BOOKLET",))
    case = await put(country, body)
    await seen(country, A, case, "CORRECTION")
    wrong = await country.act(
        A, case, "materials", {"materials": [{"kind": "BOOKLET", "waived_by_licence": licence[:-1]}]}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (422, "LICENCE_UNKNOWN")
    late = {"materials": [{"kind": "BOOKLET", "waived_by_licence": licence}]}
    assert (await country.act(A, case, "materials", late)).status_code == 202
    await seen(country, A, case, "COMPLETED")


# What is refused


async def test_a_superseded_booklet_is_refused(country: Country) -> None:
    """A newer one has taken its place; the newer one is good."""
    (person,) = lives_at(country, NANJING)
    old, new = await booklet(country, person), await booklet(country, person)
    assert await refused(country, A, studies(country, person, old)) == "LICENCE_SUPERSEDED"
    await seen(country, A, await put(country, studies(country, person, new)), "COMPLETED")


async def test_a_revoked_booklet_is_refused(country: Country) -> None:
    """It was reported lost."""
    (person,) = lives_at(country, NANJING)
    licence = await booklet(country, person)
    await approved(country, await put(country, asked(country, LOST, person, NANJING)))
    assert await refused(country, A, studies(country, person, licence)) == "LICENCE_REVOKED"


async def test_a_booklet_revoked_while_the_door_looked_is_refused(country: Country) -> None:
    """The door looks before the unit of work begins; what was taken back meanwhile is found within it."""
    (person,) = lives_at(country, NANJING)
    licence, live = await booklet(country, person), country.sites[A].live
    checked = await live.door.application(ApplicationIn.model_validate(studies(country, person, licence)))
    late = await ask_for(country, FIRST, person, A, without=("BOOKLET",))
    given = MaterialInput(kind="BOOKLET", waived_by_licence=licence)
    item = live.office.catalogue.item(FIRST)
    supplied = Supplied(await live.door.materials.taken(item, [given], PersonKey(person.key)), ())
    await approved(country, await put(country, asked(country, LOST, person, NANJING)))
    for command in (checked, Command("materials", body=supplied, case_id=late)):
        assert (await live.hall.ask(command)).code == "LICENCE_NOT_IN_FORCE"
    assert country.state(A, late) == "CORRECTION"


async def test_somebody_else_s_booklet_is_refused(country: Country) -> None:
    """It is the holder's own, or no proof."""
    (person,), (other,) = lives_at(country, NANJING), lives_at(country, NANJING)
    licence = await booklet(country, other)
    assert await refused(country, A, studies(country, person, licence)) == "LICENCE_OF_ANOTHER"


async def test_somebody_else_s_certificate_is_refused_elsewhere_too(country: Country) -> None:
    """Whom a shown document is about is what it discloses."""
    one, other = country.family(A, 2)
    licence, document = await kinship(country, (one, other))
    body = joins_child(country, other, licence, document)
    assert await refused(country, B, body) == "LICENCE_OF_ANOTHER"
    hidden = [field for field in document["fields"] if field["name"] != "person_1.id_number"]
    body = joins_child(country, one, licence, document | {"fields": hidden})
    assert await refused(country, B, body) == "LICENCE_OF_ANOTHER"


async def test_a_certificate_past_its_time_is_refused(country: Country) -> None:
    """A certificate is valid for some months."""
    one, other = country.family(A, 2)
    licence, document = await kinship(country, (one, other))
    await country.pass_time(days=400)
    body = joins_child(country, one, licence, document)
    assert await refused(country, B, body) == "LICENCE_NOT_IN_FORCE"


async def test_an_altered_certificate_is_refused(country: Country) -> None:
    """Nothing but what its issuer signed, under the number that it was signed under."""
    one, other = country.family(A, 2)
    licence, document = await kinship(country, (one, other))
    altered = document | {"header": document["header"] | {"valid_until": None}}
    assert await refused(country, B, joins_child(country, one, licence, altered)) == "LICENCE_NOT_GENUINE"
    another, _ = await kinship(country, tuple(country.family(A, 2)))  # type: ignore[arg-type]  # two of them
    assert await refused(country, B, joins_child(country, one, another, document)) == "LICENCE_NOT_GENUINE"


async def test_a_certificate_of_another_province_alone_by_its_number_is_refused(country: Country) -> None:
    """No registry asks another for documents: it is to be shown."""
    one, other = country.family(A, 2)
    licence, _ = await kinship(country, (one, other))
    assert await refused(country, B, joins_child(country, one, licence)) == "LICENCE_UNKNOWN"


async def test_a_licence_stands_in_for_its_own_material_alone(country: Country) -> None:
    """A booklet proves no studies, and nothing stands in for a diploma here."""
    (person,) = lives_at(country, NANJING)
    licence = await booklet(country, person)
    body = asked(country, EDUCATION, person, NANJING, details=STUDIES)
    assert await refused(country, A, named(body, "GRADUATION_CERTIFICATE", licence)) == "MATERIAL_INVALID"
    assert await refused(country, A, named(body, "ID_CARD", licence)) == "MATERIAL_INVALID"


async def test_a_grade_is_the_registry_s_to_find(country: Country) -> None:
    """Who names a licence says no grade; who hands in says one."""
    (person,) = lives_at(country, NANJING)
    body = studies(country, person, "x")
    body["materials"][-1]["grade"] = "A"
    assert await refused(country, A, body) == "FIELD_INVALID"
    del body["materials"][-1]["grade"], body["materials"][-1]["waived_by_licence"]
    assert await refused(country, A, body) == "FIELD_INVALID"


async def test_a_province_that_looks_nothing_up_says_so(country: Country) -> None:
    """Its file says whether it can; then the paper is handed in."""
    (person,) = lives_at(country, NANJING)
    live = country.sites[A].live
    profile = live.office.profile
    poor = replace(profile, capabilities=replace(profile.capabilities, e_licence_lookup=False))
    desk = Materials(replace(live.office, profile=poor), Documents(live.store.engine))
    given = MaterialInput(kind="BOOKLET", waived_by_licence=await booklet(country, person))
    item = live.office.catalogue.item(EDUCATION)
    with pytest.raises(RefusedError) as error:
        await desk.taken(item, [given], PersonKey(person.key))
    assert error.value.reason == "CAPABILITY_MISSING"
