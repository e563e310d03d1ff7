"""Province profiles: one file is all that tells a province from the next; the code has no branch for it.

A file of `deploy/provinces/` lies over `deploy/defaults.toml`; an installed package carries both in `data/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field

from tongban_shared.catalogue import STRICT, Capabilities, Text, load_catalogue, read_toml, strict_table
from tongban_shared.errors import CatalogueError, OrgCodeError, UnknownProvinceError
from tongban_shared.ids import OrgCode, Province, org_code, province

PERMIT_DAYS_MAX = 40
CERTIFICATE_DAYS_MAX = 30

CalendarDays = Annotated[int, Field(ge=1, le=366)]
WorkingDays = Annotated[int, Field(ge=0, le=60)]


@dataclass(frozen=True, slots=True)
class Station:
    """A police station (派出所): the leaf that accepts cases and keeps households."""

    code: OrgCode
    name: Text


@dataclass(frozen=True, slots=True)
class JointWindow:
    """A window that also serves another city's people (两市一窗). serves: city (4 digits) → its authority.

    What it takes in for that authority (代收代办) the authority decides; the paper goes there (S7).
    """

    org: OrgCode
    serves: dict[Annotated[str, Field(pattern=r"^[0-9]{4}$")], OrgCode]


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Where the province's working days (工作日) differ from the national calendar; when offices close."""

    time_zone: str
    office_opens: time
    office_closes: time
    extra_holidays: frozenset[date]
    extra_workdays: frozenset[date]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long papers are good for and steps may take; calendar days unless the name says otherwise.

    The two maxima are law: 准迁证 40 days, 迁移证 30 days from issue (domain.md §0, fact 7).
    """

    permit_valid_days: Annotated[int, Field(ge=1, le=PERMIT_DAYS_MAX)]
    match_percent: Annotated[int, Field(ge=50, le=100)]
    certificate_valid_days: Annotated[int, Field(ge=1, le=CERTIFICATE_DAYS_MAX)]
    correction_days: CalendarDays
    deferred_material_working_days: WorkingDays
    facts_working_days: WorkingDays
    approval_working_days: WorkingDays
    freeze_working_days: WorkingDays
    registration_working_days: WorkingDays
    settlement_alarm_hours: Annotated[int, Field(ge=1, le=240)]


@dataclass(frozen=True, slots=True)
class ProvinceProfile:
    """One province as its administrator describes it. contact: the office named in every refusal."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    code: Province
    name: Text
    short: Annotated[str, Field(min_length=1, max_length=1)]
    pinyin: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]+$")]
    contact: Text
    county_bureau: OrgCode
    stations: Annotated[tuple[Station, ...], Field(min_length=1)]
    calendar: WorkingCalendar
    limits: Limits
    capabilities: Capabilities
    joint_windows: tuple[JointWindow, ...]

    def serves(self, org: str | None) -> dict[str, str]:
        """The cities that an office serves beside its own, each with its authority; mostly none."""
        return next((dict(window.serves) for window in self.joint_windows if window.org == org), {})


def deploy_folder() -> Path:
    """Return the folder of the shipped data: inside an installed package, else `deploy/` of the checkout."""
    package = Path(__file__).resolve().parent
    bundled = package / "data"
    return bundled if (bundled / "defaults.toml").is_file() else package.parents[1] / "deploy"


def load_province(path: Path) -> ProvinceProfile:
    """Read a province from `<code>.toml`, over the `defaults.toml` one folder up, else over the shipped one.

    Raises CatalogueError naming file and key; then the program does not start.
    """
    near = path.parent.parent / "defaults.toml"
    defaults = read_toml(near if near.is_file() else deploy_folder() / "defaults.toml")
    table = _with_types_named(_over(defaults, read_toml(path)))
    profile = strict_table(ProvinceProfile, table, path.name)
    try:
        _check(profile, path.stem)
    except (CatalogueError, OrgCodeError, UnknownProvinceError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    return profile


def load_provinces(folder: Path | None = None) -> Mapping[Province, ProvinceProfile]:
    """Read all provinces of a folder, the shipped ones where None, by code in ascending order.

    Raises CatalogueError if a file is wrong or there is none.
    """
    source = deploy_folder() / "provinces" if folder is None else folder
    profiles = [load_province(path) for path in sorted(source.glob("*.toml"))]
    if not profiles:
        raise CatalogueError(f"{source.name}: no province file")
    return MappingProxyType({profile.code: profile for profile in profiles})


def _over(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a province's keys over the defaults: tables key by key, anything else whole."""
    merged = {**defaults, **own}
    for key, value in defaults.items():
        if isinstance(value, dict) and isinstance(own.get(key), dict):
            merged[key] = {**value, **own[key]}
    return merged


def _with_types_named(table: dict[str, Any]) -> dict[str, Any]:
    """Write "all" out as the catalogue's types of migration."""
    offers = table.get("capabilities")
    if isinstance(offers, dict) and offers.get("migration_types") == "all":
        return {
            **table,
            "capabilities": {**offers, "migration_types": sorted(load_catalogue().migration_types)},
        }
    return table


def _check(profile: ProvinceProfile, stem: str) -> None:
    """Refuse what the types alone let through. Raises CatalogueError, OrgCodeError, UnknownProvinceError."""
    if province(profile.code) != stem:
        raise CatalogueError(f"code is {profile.code}; the file is named after its province")
    codes = [profile.county_bureau, *(station.code for station in profile.stations)]
    for code in codes:
        if not org_code(code).startswith(profile.code):
            raise CatalogueError(f"organisation {code} is in another province")
    if len(set(codes)) < len(codes):
        raise CatalogueError("two organisations have one code")
    _check_windows(profile)
    unknown = profile.capabilities.migration_types - load_catalogue().migration_types
    if unknown:
        raise CatalogueError(f"the catalogue has no migration type {', '.join(sorted(unknown))}")
    if profile.calendar.office_opens >= profile.calendar.office_closes:
        raise CatalogueError("the office closes before it opens")
    try:
        ZoneInfo(profile.calendar.time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise CatalogueError(f"no time zone {profile.calendar.time_zone}") from error


def _check_windows(profile: ProvinceProfile) -> None:
    """A joint window is an office of the province; an authority is in the city that it decides for."""
    offices = {profile.county_bureau, *(station.code for station in profile.stations)}
    for window in profile.joint_windows:
        if window.org not in offices:
            raise CatalogueError(f"joint window {window.org} is no office of this province")
        for city, authority in window.serves.items():
            province(city[:2])
            if not org_code(authority).startswith(city) or window.org.startswith(city):
                raise CatalogueError(
                    f"joint window {window.org}: {authority} is no authority of another city"
                )
