from __future__ import annotations

import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

from tongban_shared.catalogue import load_catalogue
from tongban_shared.errors import CatalogueError
from tongban_shared.ids import PROVINCES, Province
from tongban_shared.ports import Family
from tongban_shared.provinces import ProvinceProfile, deploy_folder, load_province, load_provinces

OWN = """
code = "44"
name = "广东省"
short = "粤"
pinyin = "Guangdong"
contact = "户政管理部门"
county_bureau = "440100000000"
stations = [{ code = "440100000100", name = "示例派出所" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of province files beside the shipped defaults."""
    (tmp_path / "defaults.toml").write_text(
        (deploy_folder() / "defaults.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "provinces").mkdir()
    return tmp_path / "provinces"


def written(folder: Path, text: str, name: str = "44.toml") -> Path:
    """The path of a province file with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def shipped(name: str) -> dict[str, Any]:
    """A shipped data file as TOML tables."""
    return tomllib.loads((deploy_folder() / name).read_text(encoding="utf-8"))


# What is shipped


def test_two_cities_share_a_window() -> None:
    """It stands in one of them, and takes in for the authority of the other (domain.md §3.10)."""
    jiangsu = load_provinces()[Province("32")]
    assert jiangsu.serves("321100000100") == {"3201": "320100000000"}
    assert jiangsu.serves("320100000100") == {}


def test_every_province_has_a_file() -> None:
    """31 profiles, keyed and ordered by code."""
    assert list(load_provinces()) == sorted(PROVINCES)


def test_names_and_short_names_are_the_provinces_own() -> None:
    """No two provinces share a name, a short name, a pinyin or an organisation."""
    profiles = load_provinces().values()
    for field in ("name", "short", "pinyin", "contact", "county_bureau"):
        assert len({getattr(profile, field) for profile in profiles}) == len(PROVINCES), field
    stations = [station.code for profile in profiles for station in profile.stations]
    assert len(set(stations)) == len(stations)


def test_29_provinces_offer_every_type_and_two_the_first_five() -> None:
    """By early 2024 29 provinces had all types (domain.md §5.5); which two lack them is an assumption."""
    offers = {code: profile.capabilities.migration_types for code, profile in load_provinces().items()}
    everything = load_catalogue().migration_types
    first_five = {load_catalogue().item(f"010{number}").variant for number in range(1, 6)}
    fewer = {code: types for code, types in offers.items() if types != everything}
    assert fewer == {"54": first_five, "63": first_five}


def test_shared_limits_are_those_of_the_domain() -> None:
    """准迁证 40 days, 迁移证 30 days, 补正 30 days; offices close at 17:30 in Shanghai's time zone."""
    for profile in load_provinces().values():
        limits = profile.limits
        assert (limits.permit_valid_days, limits.certificate_valid_days, limits.correction_days) == (
            40,
            30,
            30,
        )
        assert (profile.calendar.time_zone, profile.calendar.office_closes) == ("Asia/Shanghai", time(17, 30))


def test_the_topics_are_the_families_of_the_transport_port() -> None:
    """topics.toml and the port name the same families; one partition keeps the order."""
    topics = shipped("topics.toml")
    assert set(topics["families"]) == set(Family)
    assert topics["common_settings"]["partitions"] == 1


def test_the_gateway_knows_an_address_of_every_province() -> None:
    """gateway.toml lists all registries and no other."""
    registries = shipped("gateway.toml")["registries"]
    assert set(registries) == PROVINCES
    assert all(urls == [f"http://registry-{code}:8000"] for code, urls in registries.items())


# What an administrator writes


def test_a_province_file_lies_over_the_defaults(folder: Path) -> None:
    """One key of a table is set, its neighbours stay as they are for all."""
    text = OWN + "[limits]\ncorrection_days = 15\n[calendar]\nextra_holidays = [2026-04-20]\n"
    profile = load_province(written(folder, text))
    assert (profile.limits.correction_days, profile.limits.permit_valid_days) == (15, 40)
    assert profile.calendar.extra_holidays == {date(2026, 4, 20)}


def test_the_defaults_beside_the_folder_win_over_the_shipped_ones(folder: Path) -> None:
    """Who runs several provinces sets a key for all of them in one place."""
    path = folder.parent / "defaults.toml"
    text = path.read_text(encoding="utf-8").replace("facts_working_days = 2", "facts_working_days = 1")
    path.write_text(text, encoding="utf-8")
    assert load_province(written(folder, OWN)).limits.facts_working_days == 1


def test_a_lone_file_uses_the_shipped_defaults(tmp_path: Path) -> None:
    """A single province needs its own file and nothing beside it."""
    folder = tmp_path / "etc" / "tongban"
    folder.mkdir(parents=True)
    assert load_province(written(folder, OWN)).limits.permit_valid_days == 40


def test_a_folder_may_hold_fewer_provinces(folder: Path) -> None:
    """A small country for a test is one file."""
    written(folder, OWN)
    assert list(load_provinces(folder)) == ["44"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('code = "44"', 'code = "45"', "named after its province"),
        ('code = "44"', 'code = "71"', "no province registry"),
        ('code = "44"', "code = 44", "code"),
        ('name = "广东省"', "", "name"),
        ('short = "粤"', 'short = "粤粤"', "short"),
        ('pinyin = "Guangdong"', 'pinyin = "广东"', "pinyin"),
        ('contact = "户政管理部门"', 'contact = ""', "contact"),
        ('"440100000000"', '"450100000000"', "another province"),
        ('"440100000000"', '"44010000000"', "organisation code"),
        ('"440100000000"', '"440100000100"', "one code"),
        ('[{ code = "440100000100", name = "示例派出所" }]', "[]", "stations"),
        ('name = "示例派出所" }', 'name = "示例派出所", chief = "x" }', "chief"),
        ("stations", "phone = 1\nstations", "phone"),
    ],
)
def test_a_wrong_province_file_is_named_with_its_fault(folder: Path, old: str, new: str, fault: str) -> None:
    """Missing, misspelt and impossible values stop the program; the message says file and key."""
    assert old in OWN
    with pytest.raises(CatalogueError) as caught:
        load_province(written(folder, OWN.replace(old, new, 1)))
    assert str(caught.value).startswith("44.toml: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ("[limits]\npermit_valid_days = 41", "permit_valid_days"),
        ("[limits]\ncertificate_valid_days = 31", "certificate_valid_days"),
        ("[limits]\ncorrection_day = 10", "correction_day"),
        ('[limits]\ncorrection_days = "10"', "correction_days"),
        ("limits = 3", "limits"),
        ('[capabilities]\nmigration_types = "some"', "migration_types"),
        ('[capabilities]\nmigration_types = ["SPOUSE", "HOLIDAY"]', "HOLIDAY"),
        ("[capabilities]\nonline_application = 1", "online_application"),
        ("[capabilities]\nteleport = true", "teleport"),
        ('[calendar]\ntime_zone = "Mars/Olympus"', "Mars/Olympus"),
        ("[calendar]\noffice_opens = 18:00:00", "closes before it opens"),
        ('[calendar]\nextra_holidays = ["soon"]', "extra_holidays"),
        ("[broken", "not a readable TOML file"),
        ('[[joint_windows]]\norg = "440100000200"\nserves = {}', "no office of this province"),
        ('[[joint_windows]]\norg = "440100000100"\nserves = { "44" = "440300000000" }', "joint_windows"),
        ('[[joint_windows]]\norg = "440100000100"\nserves = { "4403" = "440400000000" }', "authority"),
        ('[[joint_windows]]\norg = "440100000100"\nserves = { "4401" = "440100000000" }', "authority"),
    ],
)
def test_a_wrong_setting_is_refused_in_its_table(folder: Path, addition: str, fault: str) -> None:
    """Legal maxima hold, keys are known, types are exact, in tables too."""
    with pytest.raises(CatalogueError) as caught:
        load_province(written(folder, OWN + addition + "\n"))
    assert fault in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_a_wrong_file(folder: Path) -> None:
    """Both end in the same error as any other fault."""
    with pytest.raises(CatalogueError, match="not a readable"):
        load_province(folder / "44.toml")
    (folder / "44.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogueError, match="not a readable"):
        load_province(folder / "44.toml")


def test_an_empty_folder_is_no_country(folder: Path) -> None:
    """A wrong path is noticed at the start."""
    with pytest.raises(CatalogueError, match="no province file"):
        load_provinces(folder)


def test_a_profile_says_which_items_its_province_takes_part_in() -> None:
    """A province with five types supports the spouse's move and not the talent's."""
    profile: ProvinceProfile = load_provinces()[Province("63")]
    assert profile.capabilities.supports(load_catalogue().item("0104"))
    assert not profile.capabilities.supports(load_catalogue().item("0108"))
