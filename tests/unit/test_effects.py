"""What items may do, and what each effect writes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tongban_registry.register import VERBS
from tongban_registry.writing import Writing
from tongban_shared.cases.common import PersonRef
from tongban_shared.cases.kind import Case, Event, Side
from tongban_shared.cases.register_change_data import ChangeData
from tongban_shared.catalogue import load_catalogue, parse_catalogue
from tongban_shared.documents.verify import Status
from tongban_shared.effects import FIELDS, Effect, is_value
from tongban_shared.errors import CatalogueError
from tongban_shared.ids import CaseId
from tongban_shared.registration import PaperOnFile, Person, Registration, Surroundings

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CASE = CaseId("32062026030200000001S")
HOME, ELSEWHERE = "320100000100000000001", "321100000100900000007"
FORM = {"name": "张三", "relation_code": "11", "address": "old"}
ITEM = """
version = "1"
[material]
FORM = { title_zh = "申请表" }
[case_type.certificate]
service_code = "02"
scope = "cross_province"
answers = "origin"
promised_working_days = 1
statutory_working_days = 20
fee_yuan = 0
online = false
automatic = false
main = ["FORM"]
[item."0201"]
title_zh = "证明"
title_en = "Certificate"
variant = "KINSHIP"
[case_type.register_change]
service_code = "06"
scope = "province"
answers = "origin"
promised_working_days = 3
statutory_working_days = 20
fee_yuan = 0
online = false
automatic = false
main = ["FORM"]
[item."0601"]
title_zh = "变更"
title_en = "Change"
"""


def person(key: str, **changes: Any) -> Person:  # noqa: ANN401
    """A member of the household, registered here."""
    born = date(1980, 1, int(key, 16) + 1)
    plain = Person(key * 32, 2, Registration.HELD, 5, "0" * 16, born, HOME, head=False, version=9)
    return replace(plain, record=json.dumps(FORM | {"id": key}), **changes)


def does(effect: Effect, *people: Person, **more: Any) -> Writing:  # noqa: ANN401
    """What the verb writes; more: the case's own data, members and papers of the applicant."""
    household, papers = more.pop("members", people), more.pop("papers", ())
    keys = tuple(p.key for p in people)
    refs = tuple(PersonRef(person=key, name_check="0" * 16) for key in keys)
    data = ChangeData(persons=refs, effect=effect, **more)
    case = Case(CASE, "register_change", Side.DESTINATION, "CHECKING", 1, "0601", "32", "32", keys, data, NOW)
    around = Surroundings(
        province="32",
        org="320100000000",
        contact="",
        now=NOW,
        permit_valid_days=40,
        correction_days=30,
        people={p.key: p for p in (*household, *people)},
        members={HOME: list(household)},
        papers={keys[0]: papers},
    )
    return VERBS["change"](case, Event("decision", CASE, NOW, 7, officer="o1"), around)


def form(of: Person) -> dict[str, Any]:
    """The resident form."""
    found: dict[str, Any] = json.loads(of.record)
    return found


PAPERS = (
    PaperOnFile("L1", "certificate.kinship", "c1"),
    PaperOnFile("L2", "booklet", "c2"),
    PaperOnFile("L3", "id_card", "c3", datetime(2026, 1, 1, tzinfo=UTC)),
)


def test_a_field_changes_with_a_new_record_version_alone() -> None:
    """Epoch, custody and all other fields stay."""
    (after,) = does(Effect.CHANGE_FIELDS, person("1"), changes={"marital_code": "20"}).persons
    assert (after.record_version, after.epoch, after.state) == (6, 2, Registration.HELD)
    assert form(after) == FORM | {"id": "1", "marital_code": "20"}


def test_a_marriage_supersedes_nothing_and_a_name_what_shows_it() -> None:
    """Whatever names the person under the old name; what has expired is left as it is."""
    assert (
        does(Effect.CHANGE_FIELDS, person("1"), changes={"marital_code": "20"}, papers=PAPERS).standings == {}
    )
    named = does(
        Effect.CHANGE_FIELDS, person("1"), changes={"name": "李四"}, new_name_check="1" * 16, papers=PAPERS
    )
    assert named.standings == {"L1": Status.SUPERSEDED, "L2": Status.SUPERSEDED}
    (after,) = named.persons
    assert (form(after)["name"], form(after)["former_name"], after.name_check) == ("李四", "张三", "1" * 16)


def test_one_head_before_and_one_after() -> None:
    """The old head is named in relation to the new one, or only unseated."""
    old, new = person("1", head=True), person("2")
    for more in ({}, {"relations": ("12",)}):
        people = (new, old) if more else (new,)
        after = {p.key: p for p in does(Effect.NEW_HEAD, *people, members=(old, new), **more).persons}
        assert (after[new.key].head, after[old.key].head) == (True, False)
        assert form(after[old.key])["relation_code"] == ("12" if more else "11")


def test_who_moves_out_heads_a_household_and_whoever_stays_gets_a_head() -> None:
    """The household that was left is not without one."""
    old, other = person("1", head=True), person("2")
    to = {"station": "321100000100", "address": "new", "new_household_no": ELSEWHERE, "ground": "HOUSING"}
    writing = does(Effect.MOVE_WITHIN, old, members=(old, other), **to)
    after = {p.key: p for p in writing.persons}
    assert (after[old.key].household_id, after[old.key].head, after[other.key].head) == (
        ELSEWHERE,
        True,
        True,
    )
    assert form(after[old.key])["moved_in"] == {"reason": "HOUSING", "from_province": "32"}
    assert [h.station for h in writing.households] == ["321100000100"]


def test_who_joins_a_household_sets_up_none() -> None:
    """And the one that they leave empty closes."""
    to = {
        "station": "321100000100",
        "address": "new",
        "new_household_no": ELSEWHERE,
        "household_no": ELSEWHERE,
    }
    writing = does(Effect.MOVE_WITHIN, person("1", head=True), papers=PAPERS, **to)
    assert (writing.households, writing.households_closed) == ([], [HOME])
    assert not writing.persons[0].head
    assert writing.standings == {"L2": Status.SUPERSEDED}  # of a household only a booklet tells


def test_an_end_is_left_to_the_one_place_that_enters_ends() -> None:
    """The verb names person, ending and officer, and writes no row of its own."""
    writing = does(Effect.END, person("1"), ending="DEATH")
    assert (writing.persons, writing.endings) == ([], [("1" * 32, "DEATH", "o1")])


def test_what_is_entered_elsewhere_writes_nothing() -> None:
    """Nor is anything pretended."""
    assert does(Effect.BY_OFFICER, person("1")) == Writing()


def test_a_case_does_not_show_what_it_is_about() -> None:
    """New names and addresses are personal."""
    data = ChangeData(effect="CHANGE_FIELDS", changes={"name": "李四"}, address="示例路9号")
    assert repr(data) == "ChangeData(CHANGE_FIELDS)"


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("marital_code", "20", True),
        ("marital_code", "2", False),
        ("name", "李四", True),
        ("name", "买买提·吐尔逊", True),
        ("name", " 李四", False),
        ("name", "李\n四", False),
        ("name", "", False),
        ("service_place", "x" * 101, False),
        ("id_number", "1", False),
        ("state", "HELD", False),
    ],
)
def test_a_field_has_values_of_its_form_alone(field: str, value: str, *, fits: bool) -> None:
    """Number, sex and birth date are nobody's to set here, nor is anything that is no field of the form."""
    assert is_value(field, value) is fits


def test_the_register_s_own_fields_are_not_to_be_set() -> None:
    """Household, address and relation change by effects, the number by none."""
    assert not FIELDS.keys() & {
        "id_number",
        "sex_code",
        "birth_date",
        "address",
        "household_no",
        "relation_code",
    }


# What is not loaded


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ("", "one of does and leads_to"),
        ('does = { effect = "BY_OFFICER" }\nleads_to = "0201"', "one of does and leads_to"),
        ('does = { effect = "FLY" }', "does.effect"),
        ('does = { effect = "BY_OFFICER", colour = 1 }', "does.colour"),
        ('does = { effect = "CHANGE_FIELDS" }', "fields belong to CHANGE_FIELDS"),
        ('does = { effect = "CHANGE_FIELDS", fields = ["id_number"] }', "nobody sets the field id_number"),
        ('does = { effect = "NEW_HEAD", fields = ["name"] }', "fields belong to CHANGE_FIELDS"),
        ('does = { effect = "END" }', "an ending belongs to END and RESTORE"),
        ('does = { effect = "END", ending = "SLEEP" }', "does.ending"),
        ('does = { effect = "RESTORE", ending = "DEATH" }', "nobody comes back"),
        ('does = { effect = "BY_OFFICER", lost = true }', "only a booklet"),
        ('does = { effect = "END", ending = "DEATH" }\nautomatic = true', "never automatic"),
        ('does = { effect = "BY_OFFICER" }\nadmits_members = true', "admits no members"),
        ('leads_to = "0777"', "want an item of another case type"),
        ('leads_to = "0601"', "want an item of another case type"),
        ('leads_to = "601"', "leads_to"),
    ],
)
def test_an_item_that_does_what_nothing_does_is_not_loaded(addition: str, fault: str) -> None:
    """Unknown effects and fields, and what contradicts itself, are refused at load, each by its name."""
    assert parse_catalogue(f'{ITEM}does = {{ effect = "BY_OFFICER" }}\n').item("0601").does
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(f"{ITEM}{addition}\n")
    assert fault in str(caught.value)
    assert "0601" in str(caught.value)


def test_only_a_change_of_the_register_does_something_to_it() -> None:
    """A certificate does not."""
    text = ITEM.replace('variant = "KINSHIP"', 'does = { effect = "BY_OFFICER" }')
    with pytest.raises(CatalogueError, match="0201"):
        parse_catalogue(f'{text}leads_to = "0201"\n')


def test_an_item_that_leads_on_is_of_the_other_s_type() -> None:
    """With scope, limits and materials of its own."""
    item = parse_catalogue(f'{ITEM}leads_to = "0201"\n').item("0601")
    assert (item.case_type, item.variant, item.scope, item.service_code) == (
        "certificate",
        "KINSHIP",
        "province",
        "06",
    )


def test_the_province_has_24_items_in_the_order_of_the_list() -> None:
    """domain.md §3.10, numbered from 0601; what changes a household or ends is for an officer."""
    items = load_catalogue().items(scope="province")
    assert [item.code for item in items] == [f"06{number:02d}" for number in range(1, 25)]
    assert {item.code for item in items if item.does and item.automatic} == {"0601", "0619", "0620", "0621"}
