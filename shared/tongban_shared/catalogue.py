"""The item catalogue (事项目录): what people can ask for, as data that gateway and registries read alike.

The data is catalogue.toml; a catalogue that is wrong is not loaded, and the program does not start.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Container, Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tongban_shared.effects import Does
from tongban_shared.errors import CatalogueError, UnknownItemError
from tongban_shared.ids import Province
from tongban_shared.materials import Material, MaterialTable

MIGRATION, REGISTER_CHANGE = "migration", "register_change"
STRICT = ConfigDict(extra="forbid", strict=True)

T = TypeVar("T")
Text = Annotated[str, Field(min_length=1, max_length=100)]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]*[A-Z]$")]
Days = Annotated[int, Field(ge=0, le=366)]
ItemCode = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
Kinds = tuple[str, ...]


class Scope(StrEnum):
    """How far apart acceptance and decision may be: 跨省通办, 全省通办, 两市一窗, or anywhere."""

    CROSS_PROVINCE = "cross_province"
    PROVINCE = "province"
    CITY_PAIR = "city_pair"
    NATIONAL = "national"


class Answers(StrEnum):
    """Which side of a case answers for the item."""

    ORIGIN = "origin"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long a case may take, in working days (工作日); 0 promised means the same day."""

    promised_working_days: int
    statutory_working_days: int
    promised_minutes: int | None = None

    @property
    def text_zh(self) -> str:
        """The limit as printed on the notice to the applicant."""
        promised = f"{self.promised_working_days}个工作日"
        if self.promised_minutes is not None:
            promised = f"{self.promised_minutes}分钟"
        return f"承诺{promised}，法定{self.statutory_working_days}个工作日"


@dataclass(frozen=True, slots=True)
class Item:
    """A service item (事项). code: SSNN, service and number. materials: main ones first.

    variant: which of its case type it is, as SPOUSE of a migration; None: the only one.
    admits_members: others may be named in the same case.
    four_eyes: who takes the application in may not decide on it.
    high_risk, irreversible: what a false word would do here is too grave to take one for a proof.
    restores: a cancelled registration comes back (恢复户口), so there is nothing to cancel at an origin.
    does: what a change of the register does. leads_to: the item whose case type and variant this one has, for
    another scope and with materials, limits and fee of its own.
    """

    code: str
    title_zh: str
    title_en: str
    case_type: str
    scope: Scope
    answers: Answers
    time_limit: TimeLimit
    materials: tuple[Material, ...]
    fee_yuan: int
    online: bool
    automatic: bool
    variant: str | None = None
    admits_members: bool = False
    restores: bool = False
    four_eyes: bool = False
    high_risk: bool = False
    irreversible: bool = False
    does: Does | None = None
    leads_to: str | None = None

    @property
    def service_code(self) -> str:
        """The two digits that stand for the service in case numbers."""
        return self.code[:2]

    def missing(self, given: Container[str]) -> tuple[Material, ...]:
        """Tell which materials were not given: a main one refuses the case, a secondary one is asked for."""
        return tuple(material for material in self.materials if material.kind not in given)

    def material(self, kind: str) -> Material | None:
        """What the item asks for under this kind; None: it does not."""
        return next((material for material in self.materials if material.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one province can do by now; the rest of an item's promise is cut to it."""

    migration_types: frozenset[str]
    online_application: bool
    automatic_facts: bool
    e_licence_lookup: bool
    bilingual_cards: bool
    encloses_documents: bool

    def supports(self, item: Item) -> bool:
        """Whether this province takes part in the item at all (else TYPE_NOT_SUPPORTED)."""
        return item.case_type != MIGRATION or item.variant in self.migration_types


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All items, by code in ascending order, and the titles of all kinds of material.

    deferred_working_days: how long what may follow is waited for. commitment_version: of the text to sign.
    """

    version: str
    material_titles: Mapping[str, str]
    by_code: Mapping[str, Item]
    deferred_working_days: int
    commitment_version: str

    def item(self, code: str) -> Item:
        """Return the item. Raises UnknownItemError."""
        item = self.by_code.get(code)
        if item is None:
            raise UnknownItemError(code)
        return item

    def variant(self, case_type: str, variant: str | None) -> Item | None:
        """The item of a case type that stands for this variant."""
        return next((item for item in self.items(case_type=case_type) if item.variant == variant), None)

    def items(self, scope: str | None = None, case_type: str | None = None) -> tuple[Item, ...]:
        """Return the items of a scope and a case type, of all where None; an unknown one has no items."""
        return tuple(
            item
            for item in self.by_code.values()
            if scope in (None, item.scope) and case_type in (None, item.case_type)
        )

    @property
    def migration_types(self) -> frozenset[str]:
        """Names of all types of migration that some item stands for."""
        return frozenset(item.variant for item in self.items(case_type=MIGRATION) if item.variant)


def answering_province(item: Item, origin: Province, destination: Province) -> Province:
    """Tell which province answers this item. This is the whole routing rule of the gateway."""
    return origin if item.answers is Answers.ORIGIN else destination


def as_public(item: Item, province_capabilities: Capabilities | None = None) -> dict[str, Any]:
    """Return the item as GET /v1/items shows it; with capabilities, cut to what the province offers now."""
    shown = asdict(item)
    shown["time_limit"]["text_zh"] = item.time_limit.text_zh
    if province_capabilities is not None:
        shown["available"] = province_capabilities.supports(item)
        shown["online"] = item.online and province_capabilities.online_application
        for material in shown["materials"]:
            material["e_licence"] = material["e_licence"] and province_capabilities.e_licence_lookup
            material["licences"] = material["licences"] if material["e_licence"] else ()
    return shown


@cache
def load_catalogue() -> Catalogue:
    """Return the shipped catalogue. Raises CatalogueError; then the program does not start."""
    return parse_catalogue(files("tongban_shared").joinpath("catalogue.toml").read_text(encoding="utf-8"))


class _CaseTypeTable(BaseModel):
    """What a case type's items have in common; the keys that are not named here are an item's."""

    model_config = ConfigDict(extra="allow", strict=True)

    service_code: Annotated[str, Field(pattern=r"^[0-9]{2}$")]
    main: Kinds = ()
    secondary: Kinds = ()


class _ItemTable(BaseModel):
    model_config = STRICT

    title_zh: Text
    title_en: Text
    scope: Scope
    answers: Answers
    promised_working_days: Days
    promised_minutes: Annotated[int, Field(ge=1)] | None = None
    statutory_working_days: Days
    fee_yuan: Annotated[int, Field(ge=0)]
    online: bool
    automatic: bool
    variant: Code | None = None
    admits_members: bool = False
    restores: bool = False
    four_eyes: bool = False
    high_risk: bool = False
    irreversible: bool = False
    does: Does | None = None
    leads_to: ItemCode | None = None
    main: Kinds = ()
    secondary: Kinds = ()
    drops: Kinds = ()


class _File(BaseModel):
    model_config = STRICT

    version: Text
    deferred_working_days: Annotated[int, Field(ge=1, le=30)] = 5
    commitment_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,20}$")] = "1"
    material: dict[Code, MaterialTable]
    case_type: dict[str, _CaseTypeTable]
    item: dict[ItemCode, dict[str, Any]]


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", shape))


def strict_table(shape: type[T], table: Mapping[str, Any], where: str) -> T:
    """Read a TOML table as `shape`: every key known, every type exact. Raises CatalogueError with the key."""
    try:
        # By way of JSON, where strict mode takes arrays for tuples and text for enums, as TOML has no others.
        return cast("T", _adapter(cast("Hashable", shape)).validate_json(json.dumps(table, default=str)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CatalogueError(f"{where}: {key}: {first['msg']}") from error


def strict_toml(shape: type[T], text: str, where: str) -> T:
    """Read TOML as `shape`, as strict_table does. Raises CatalogueError, also for what is no TOML."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{where}: {error}") from error
    return strict_table(shape, table, where)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of deploy/. Raises CatalogueError: it can't be read, or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"{path.name}: not a readable TOML file") from error


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue from TOML. Raises CatalogueError at the first fault: syntax, key, code or material."""
    table = strict_toml(_File, text, "catalogue")
    read = {code: _read_item(code, table) for code in sorted(table.item)}
    _refuse_doubles("service code", [kind.service_code for kind in table.case_type.values()])
    _refuse_doubles("variant", [f"{item.case_type} {item.variant}" for item in read.values() if item.variant])
    items = [_led(item, read) for item in read.values()]
    return Catalogue(
        version=table.version,
        material_titles=MappingProxyType({kind: entry.title_zh for kind, entry in table.material.items()}),
        by_code=MappingProxyType({item.code: item for item in items}),
        deferred_working_days=table.deferred_working_days,
        commitment_version=table.commitment_version,
    )


def _read_item(code: str, table: _File) -> Item:
    where = f"item {code}"
    case_type, common = _case_type(code, table.case_type)
    own = strict_table(_ItemTable, {**(common.model_extra or {}), **table.item[code]}, where)
    if own.promised_working_days > own.statutory_working_days:
        raise CatalogueError(f"{where}: promises more time than the statutory limit")
    return Item(
        code=code,
        case_type=case_type,
        title_zh=own.title_zh,
        title_en=own.title_en,
        scope=own.scope,
        answers=own.answers,
        time_limit=TimeLimit(own.promised_working_days, own.statutory_working_days, own.promised_minutes),
        materials=_read_materials(common, own, table.material, where),
        fee_yuan=own.fee_yuan,
        online=own.online,
        automatic=own.automatic,
        variant=own.variant,
        admits_members=own.admits_members,
        restores=own.restores,
        four_eyes=own.four_eyes,
        high_risk=own.high_risk,
        irreversible=own.irreversible,
        does=own.does,
        leads_to=own.leads_to,
    )


def _led(item: Item, known: Mapping[str, Item]) -> Item:
    """The item with the case type that it leads to. Raises CatalogueError: it does nothing, or two things."""
    where = f"item {item.code}"
    changes = item.case_type == REGISTER_CHANGE
    if changes != (item.does is not None or item.leads_to is not None) or (item.does and item.leads_to):
        raise CatalogueError(f"{where}: one of does and leads_to, for a change of the register alone")
    if item.does is not None:
        for fault in item.does.faults(automatic=item.automatic, members=item.admits_members):
            raise CatalogueError(f"{where}: does: {fault}")
    if item.leads_to is None:
        return item
    target = known.get(item.leads_to)
    if target is None or target.case_type == REGISTER_CHANGE:
        raise CatalogueError(f"{where}: leads_to: want an item of another case type")
    return replace(
        item,
        case_type=target.case_type,
        answers=target.answers,
        variant=target.variant,
        admits_members=target.admits_members,
    )


def _case_type(code: str, known: Mapping[str, _CaseTypeTable]) -> tuple[str, _CaseTypeTable]:
    for name, table in known.items():
        if table.service_code == code[:2]:
            return name, table
    raise CatalogueError(f"item {code}: no case type has service code {code[:2]}")


def _read_materials(
    common: _CaseTypeTable, own: _ItemTable, known: Mapping[str, MaterialTable], where: str
) -> tuple[Material, ...]:
    """Main materials first, common ones before the item's own, without those it drops."""
    dropped = set(own.drops)
    if not dropped <= {*common.main, *common.secondary}:
        raise CatalogueError(f"{where}: drops a material that its case type does not ask for")
    asked = [(kind, True) for kind in (*common.main, *own.main) if kind not in dropped]
    asked += [(kind, False) for kind in (*common.secondary, *own.secondary) if kind not in dropped]
    _refuse_doubles(f"{where}: material", [kind for kind, _ in asked])
    for kind, _ in asked:
        if kind not in known:
            raise CatalogueError(f"{where}: unknown material {kind}")
        for fault in known[kind].faults():
            raise CatalogueError(f"{where}: material {kind} {fault}")
    return tuple(
        known[kind].as_asked(kind, main=main, grave=own.high_risk or own.irreversible) for kind, main in asked
    )


def _refuse_doubles(what: str, values: list[str]) -> None:
    doubles = sorted({value for value in values if values.count(value) > 1})
    if doubles:
        raise CatalogueError(f"{what} twice: {', '.join(doubles)}")
