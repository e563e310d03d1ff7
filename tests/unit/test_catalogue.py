from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tongban_shared.catalogue import (
    Answers,
    Capabilities,
    Catalogue,
    answering_province,
    as_public,
    load_catalogue,
    parse_catalogue,
)
from tongban_shared.errors import CatalogueError, UnknownItemError
from tongban_shared.ids import Province

HUNAN, GUANGDONG = Province("43"), Province("44")

SMALL = """
version = "1"
[material]
FORM = { title_zh = "申请表" }
CARD = { title_zh = "身份证", e_licence = true }
[case_type.migration]
service_code = "01"
scope = "cross_province"
answers = "destination"
promised_working_days = 5
statutory_working_days = 35
fee_yuan = 0
online = true
automatic = false
main = ["FORM"]
secondary = ["CARD"]
[item."0101"]
title_zh = "迁移"
title_en = "Migration"
variant = "SPOUSE"
"""

CERTIFICATE = """
[case_type.certificate]
service_code = "03"
scope = "cross_province"
answers = "origin"
promised_minutes = 5
promised_working_days = 0
statutory_working_days = 20
fee_yuan = 0
online = true
automatic = true
main = ["CARD"]
[item."0301"]
title_zh = "亲属关系证明"
title_en = "Kinship certificate"
"""

# The types in the order of domain.md §2.4, which numbers them from 1.
NUMBERED = """
    JOB_TRANSFER STUDENT_ADMISSION STUDENT_GRADUATION SPOUSE PARENT_TO_CHILD CHILD_TO_PARENT HOUSING TALENT
    POINTS PERMIT_TO_HUKOU EMPLOYMENT INVEST RECRUITED RETIREMENT VETERAN MILITARY_FAMILY ADOPTION RETURN
"""
TYPES = {**{name: number for number, name in enumerate(NUMBERED.split(), start=1)}, "OTHER": 99}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The catalogue as shipped."""
    return load_catalogue()


def offer(**changes: object) -> Capabilities:
    """A province that can do everything, but for `changes`."""
    everything = Capabilities(frozenset(TYPES), True, True, True, True, True)  # noqa: FBT003
    return replace(everything, **changes)  # type: ignore[arg-type]  # each test names real fields


# What is shipped


def test_each_migration_type_is_an_item_numbered_like_its_type(catalogue: Catalogue) -> None:
    """Service 01, then the type's number of domain.md §2.4."""
    shipped = {item.variant: item.code for item in catalogue.items(case_type="migration")}
    assert shipped == {name: f"01{number:02d}" for name, number in TYPES.items()}


def test_a_migration_is_answered_where_one_moves_to(catalogue: Catalogue) -> None:
    """The destination accepts and approves; the origin only cancels (domain.md §0, fact 5)."""
    for item in catalogue.items(case_type="migration"):
        assert answering_province(item, origin=HUNAN, destination=GUANGDONG) == GUANGDONG


def test_only_a_veteran_gets_a_cancelled_registration_back(catalogue: Catalogue) -> None:
    """Type 15 restores: no origin cancels anything, and there is no booklet to hand in."""
    restoring = [item for item in catalogue.items() if item.restores]
    assert [item.variant for item in restoring] == ["VETERAN"]
    assert "BOOKLET" not in {material.kind for material in restoring[0].materials}


def test_a_student_moves_alone_and_a_worker_takes_the_family_along(catalogue: Catalogue) -> None:
    """Which types admit members is data of the item."""
    assert not catalogue.item("0102").admits_members
    assert catalogue.item("0101").admits_members


def test_each_item_asks_for_the_evidence_of_its_ground(catalogue: Catalogue) -> None:
    """Form and identity card are common; every ground has main evidence of its own."""
    for item in catalogue.items(case_type="migration"):
        main = {material.kind for material in item.materials if material.main}
        assert {"APPLICATION_FORM", "ID_CARD"} < main, item.code


def test_missing_materials_are_told_apart_by_weight(catalogue: Catalogue) -> None:
    """Without the marriage certificate the door refuses; without the booklet it asks for it."""
    missing = catalogue.item("0104").missing(
        {"APPLICATION_FORM", "ID_CARD", "HOST_CONSENT", "SPOUSE_BOOKLET"}
    )
    assert {(material.kind, material.main) for material in missing} == {
        ("MARRIAGE_CERTIFICATE", True),
        ("BOOKLET", False),
    }


def test_talent_is_promised_sooner(catalogue: Catalogue) -> None:
    """Two working days instead of five (services.md S2); both stand in the text for people."""
    assert catalogue.item("0108").time_limit.promised_working_days == 2
    assert catalogue.item("0104").time_limit.text_zh == "承诺5个工作日，法定35个工作日"


def test_every_kind_of_material_is_asked_for_somewhere(catalogue: Catalogue) -> None:
    """The table of kinds holds no dead lines."""
    asked = {material.kind for item in catalogue.items() for material in item.materials}
    assert asked == set(catalogue.material_titles)


def test_an_unknown_item_is_refused(catalogue: Catalogue) -> None:
    """The error keeps the code for the log."""
    with pytest.raises(UnknownItemError) as caught:
        catalogue.item("0777")
    assert caught.value.item == "0777"


def test_a_filter_that_nothing_meets_gives_no_items(catalogue: Catalogue) -> None:
    """A scope or case type from outside, whatever its text, is only compared."""
    assert len(catalogue.items(scope="cross_province", case_type="migration")) == len(TYPES)
    assert catalogue.items(scope="city_pair") == ()
    assert catalogue.items(case_type="nonsense") == ()


# What GET /v1/items shows


def test_the_public_form_has_the_fields_of_the_interface(catalogue: Catalogue) -> None:
    """The names of api.md are there, and the whole is plain JSON."""
    shown = json.loads(json.dumps(as_public(catalogue.item("0104"))))
    assert {"code", "title_zh", "title_en", "case_type", "scope", "answers", "time_limit", "materials"} < set(
        shown
    )
    assert (shown["fee_yuan"], shown["online"], shown["automatic"]) == (0, True, True)
    assert (shown["scope"], shown["answers"]) == ("cross_province", "destination")
    assert shown["time_limit"]["text_zh"].startswith("承诺")
    assert "available" not in shown


def test_a_province_shows_only_what_it_can_do(catalogue: Catalogue) -> None:
    """Types, online application and e-licences are cut to the province's capabilities."""
    spouse = catalogue.item("0104")
    poor = offer(migration_types=frozenset({"POINTS"}), online_application=False, e_licence_lookup=False)
    shown = as_public(spouse, poor)
    assert (shown["available"], shown["online"]) == (False, False)
    assert not any(material["e_licence"] for material in shown["materials"])
    full = as_public(spouse, offer())
    assert (full["available"], full["online"]) == (True, True)
    assert any(material["e_licence"] for material in full["materials"])


def test_a_province_adds_nothing_to_an_item(catalogue: Catalogue) -> None:
    """What the item does not offer online stays at the window everywhere."""
    assert as_public(catalogue.item("0115"), offer())["online"] is False


# What other case types need of the format


def test_another_case_type_is_lines_in_the_file_and_no_code() -> None:
    """An item answered by the origin, promised in minutes, of no type of migration, loads like any other."""
    item = parse_catalogue(SMALL + CERTIFICATE).item("0301")
    assert (item.case_type, item.service_code, item.answers) == ("certificate", "03", Answers.ORIGIN)
    assert answering_province(item, origin=HUNAN, destination=GUANGDONG) == HUNAN
    assert item.variant is None
    assert item.time_limit.text_zh == "承诺5分钟，法定20个工作日"
    assert offer(migration_types=frozenset()).supports(item)


def test_an_item_says_otherwise_than_its_case_type() -> None:
    """Defaults give way; common materials can be dropped, own ones come after."""
    text = SMALL + 'fee_yuan = 5\nsecondary = []\nmain = ["CARD"]\ndrops = ["FORM", "CARD"]\n'
    item = parse_catalogue(text).item("0101")
    assert item.fee_yuan == 5
    assert item.materials == ()


# What is not loaded


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ("colour = 1", "item 0101: colour"),
        ("fee_yuan = -1", "fee_yuan"),
        ("fee_yuan = 1.5", "fee_yuan"),
        ('fee_yuan = "0"', "fee_yuan"),
        ('online = "yes"', "online"),
        ('scope = "planet"', "scope"),
        ('answers = "nobody"', "answers"),
        ('title_en = "Twice"', "catalogue:"),
        ("promised_working_days = 36", "more time than the statutory limit"),
        ("promised_working_days = 400", "promised_working_days"),
        ('main = ["PASSPORT"]', "unknown material PASSPORT"),
        ('main = ["FORM"]', "material twice: FORM"),
        ('secondary = ["FORM"]', "material twice: FORM"),
        ('drops = ["PASSPORT"]', "drops"),
        ('[item."0102"]\ntitle_zh="一"\ntitle_en="1"\nvariant = "SPOUSE"', "variant twice"),
        ('[item."0101"]\ntitle_zh="一"\ntitle_en="1"', "catalogue:"),
        ('[item."0901"]\ntitle_zh="一"\ntitle_en="1"', "service code 09"),
        ('[item."01001"]\ntitle_zh="一"\ntitle_en="1"', "01001"),
        ('[item."0102"]\ntitle_en="1"', "item 0102: title_zh"),
        ('[case_type.other]\nservice_code = "01"', "service code twice: 01"),
        ('[case_type.other]\nservice_code = "1"', "service_code"),
        ("[extra]\na = 1", "extra"),
        ("[broken", "catalogue:"),
    ],
)
def test_a_wrong_catalogue_stops_the_program_and_says_where(addition: str, fault: str) -> None:
    """Unknown keys, wrong types, doubles and unknown materials are refused when loaded, each by its name."""
    assert parse_catalogue(SMALL).items()
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(SMALL + addition)
    assert fault in str(caught.value)


def test_an_e_licence_key_of_a_material_is_not_guessed() -> None:
    """A misspelt key in the table of materials is refused too."""
    with pytest.raises(CatalogueError, match="elicence"):
        parse_catalogue(SMALL.replace("e_licence = true", "elicence = true"))


# What may follow, and what is looked up


def test_the_item_list_shows_what_may_follow_and_what_is_looked_up(catalogue: Catalogue) -> None:
    """A booklet is secondary in a move: it may follow, and one of our registries' own is looked up."""
    shown = {material["kind"]: material for material in as_public(catalogue.item("0101"))["materials"]}
    assert (shown["BOOKLET"]["deferrable"], shown["BOOKLET"]["licences"]) == (True, ("booklet",))
    assert (shown["HOST_CONSENT"]["deferrable"], shown["HOST_CONSENT"]["licences"]) == (False, ())


def test_a_main_material_never_follows(catalogue: Catalogue) -> None:
    """Proof of a dwelling follows where it is secondary, and not where it is the ground."""
    ground, secondary = catalogue.item("0107"), catalogue.item("0105")
    marks = [item.material("DWELLING_PROOF") for item in (ground, secondary)]
    assert [mark is not None and mark.deferrable for mark in marks] == [False, True]


def test_a_province_that_looks_nothing_up_shows_no_licences(catalogue: Catalogue) -> None:
    """What it can't verify is handed in there."""
    poor = offer(e_licence_lookup=False)
    shown = as_public(catalogue.item("0101"), poor)["materials"]
    assert {material["licences"] for material in shown} == {()}


def test_a_licence_stands_in_for_e_licences_alone() -> None:
    """A kind that no e-licence can stand in for names none."""
    wrong = SMALL.replace('"申请表"', '"申请表", licences = ["booklet"]')
    with pytest.raises(CatalogueError, match="FORM"):
        parse_catalogue(wrong)


def test_a_word_stands_for_proofs_of_items_that_are_not_grave(catalogue: Catalogue) -> None:
    """Each proof that is marked is shown so, but where a false word would do too much."""
    shown = {material["kind"]: material for material in as_public(catalogue.item("0107"))["materials"]}
    assert [kind for kind, material in shown.items() if material["by_commitment"]] == ["DWELLING_PROOF"]
    grave = [item for item in catalogue.items() if item.high_risk or item.irreversible]
    assert {"id_card", "temporary_id", "newborn"} < {item.case_type for item in grave}
    assert not any(material.by_commitment for item in grave for material in item.materials)


def test_no_word_stands_for_who_somebody_is() -> None:
    """A catalogue that says otherwise is not loaded."""
    wrong = SMALL.replace("e_licence = true", "identity = true, by_commitment = true")
    with pytest.raises(CatalogueError, match="CARD"):
        parse_catalogue(wrong)
