"""How many people and cases, from where to where: the load of the sandbox, seeded and from data.

Margins are published, pairs are estimated (data/README.md): good for load, not for citing (domain.md §5).
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from random import Random
from types import MappingProxyType

from tongban_shared.ids import Province, province

WORKING_DAYS = 249
OFFICE_HOURS = 7.5
REST = "rest"

CASES_PER_YEAR: Mapping[str, int] = MappingProxyType(
    {
        "migration": 1_730_000,
        "id_card": 800_000,
        "certificate": 740_000,
        "temporary_id": 480_000,
        "newborn": 30_000,
    }
)
"""National counts of 2023; id_card is the first issue alone. Source: domain.md §5.1."""

CERTIFICATES: Mapping[str, float] = MappingProxyType(
    {
        "KINSHIP": 40.0,
        "REGISTRATION_STATUS": 34.0,
        "MIGRATION_HISTORY": 12.0,
        "CHANGE_CORRECTION": 8.0,
        "ID_UNIQUENESS": 4.0,
        "CANCELLATION": 2.0,
    }
)
"""Percent of certificates (户籍类证明) by kind: ours, none is published."""

MIGRATION_TYPES: Mapping[str, float] = MappingProxyType(
    {
        "STUDENT_GRADUATION": 22.0,
        "STUDENT_ADMISSION": 10.0,
        "SPOUSE": 18.0,
        "CHILD_TO_PARENT": 12.0,
        "PARENT_TO_CHILD": 4.0,
        "TALENT": 12.0,
        "HOUSING": 10.0,
        # 8 together; this split and that of the last 4 are ours.
        "EMPLOYMENT": 4.0,
        "POINTS": 2.0,
        "PERMIT_TO_HUKOU": 2.0,
        "JOB_TRANSFER": 1.0,
        "RECRUITED": 0.8,
        "RETURN": 0.5,
        "RETIREMENT": 0.4,
        "VETERAN": 0.4,
        "MILITARY_FAMILY": 0.3,
        "OTHER": 0.3,
        "INVEST": 0.2,
        "ADOPTION": 0.1,
    }
)
"""Percent of migrations by type. Source: domain.md §5.2."""

OUTCOMES: Mapping[str, float] = MappingProxyType(
    {
        "COMPLETED": 88.0,
        "REFUSED": 5.0,
        "WITHDRAWN": 4.0,
        "EXPIRED": 0.3,
    }
)
"""Weights of how a migration ends: 97.3 together, used in proportion. Source: domain.md §5.2."""

CORRECTION_SHARE = 0.18
"""Share of migrations, whatever their end, that pass through a correction (补正)."""


@dataclass(frozen=True, slots=True)
class ProvinceVolume:
    """One province's margins: persons, units of 10 000 persons, and percent of the national cases."""

    code: Province
    name: str
    residents: int
    inflow_10k: float
    outflow_10k: float
    accepting_pct: float
    home_pct: float
    migration_dest_pct: float
    migration_origin_pct: float

    @property
    def registered(self) -> int:
        """Persons whose registration (户籍) is here, wherever they live: what a registry holds."""
        return round(self.residents + (self.outflow_10k - self.inflow_10k) * 10_000)


@cache
def province_volumes() -> Mapping[Province, ProvinceVolume]:
    """Return the margins of all 31 provinces, by code in ascending order."""
    rows = [
        ProvinceVolume(
            code=province(row["code"]),
            name=row["name"],
            residents=int(row["residents_2020"]),
            inflow_10k=float(row["inflow_10k"]),
            outflow_10k=float(row["outflow_10k"]),
            accepting_pct=float(row["accepting_pct"]),
            home_pct=float(row["home_pct"]),
            migration_dest_pct=float(row["migration_dest_pct"]),
            migration_origin_pct=float(row["migration_origin_pct"]),
        )
        for row in _read_rows("provinces.csv")
    ]
    return MappingProxyType({row.code: row for row in sorted(rows, key=lambda row: row.code)})


def population(scale: int) -> dict[Province, int]:
    """Return the persons to register in each province at a scale of 1 : `scale`, rounded, at least 1.

    1_000 gives about 1.41 million, 10_000 suits tests. Raises ValueError if `scale` < 1.
    """
    if scale < 1:
        raise ValueError("a scale is 1 or more")
    return {code: max(1, round(row.registered / scale)) for code, row in province_volumes().items()}


@cache
def flow_row(origin: Province) -> Mapping[Province, float]:
    """Return where people of `origin` live elsewhere, in percent; 30 destinations, the sum is 100.

    What flows.csv names stands as it is; its rest goes to the others in proportion to their inflow.
    """
    named = {
        row["destination"]: float(row["pct"]) for row in _read_rows("flows.csv") if row["origin"] == origin
    }
    rest = named.pop(REST)
    volumes = province_volumes()
    others = {code: row.inflow_10k for code, row in volumes.items() if code != origin and code not in named}
    unit = rest / sum(others.values())
    return MappingProxyType(
        {code: named[code] if code in named else others[code] * unit for code in volumes if code != origin}
    )


@cache
def migration_row(origin: Province) -> Mapping[Province, float]:
    """Return the weights of a migration's destinations: half flow, half share of moves (domain.md §5.4)."""
    volumes = province_volumes()
    return MappingProxyType(
        {code: 0.5 * pct + 0.5 * volumes[code].migration_dest_pct for code, pct in flow_row(origin).items()}
    )


def draw_migration_pair(random: Random) -> tuple[Province, Province]:
    """Draw origin and destination (迁出地, 迁入地) of a migration; they always differ."""
    origin = _draw(random, _origins())
    return origin, _draw(random, _destinations(origin))


def draw_floating_pair(random: Random) -> tuple[Province, Province]:
    """Draw home and accepting place (户籍地, 受理地) of what people ask for where they live (§5.4)."""
    home = _draw(random, _homes())
    return home, _draw(random, _accepting(home))


def mix_of(types: Collection[str]) -> Mapping[str, float]:
    """Shares of all cases of 2023 by type among `types`, which include migration; the sum is 1.

    The share of a type that is not among them is left to migration: newborn's, until there are such cases.
    """
    total = sum(CASES_PER_YEAR.values())
    shares = {name: CASES_PER_YEAR.get(name, 0) / total for name in types}
    shares["migration"] += 1 - sum(shares.values())
    return shares


def draw_certificate(random: Random) -> str:
    """Draw a kind of certificate."""
    return random.choices(list(CERTIFICATES), weights=list(CERTIFICATES.values()))[0]


def draw_migration_type(random: Random, supported: Container[str] | None = None) -> str:
    """Draw a type of migration, among `supported` where given.

    Raises IndexError if none of them is in MIGRATION_TYPES.
    """
    mix = {name: pct for name, pct in MIGRATION_TYPES.items() if supported is None or name in supported}
    return random.choices(list(mix), weights=list(mix.values()))[0]


def draw_outcome(random: Random) -> str:
    """Draw the public state in which a migration ends, if nothing else decides it."""
    return random.choices(list(OUTCOMES), weights=list(OUTCOMES.values()))[0]


def draw_correction(random: Random) -> bool:
    """Draw whether the applicant is asked for more on the way."""
    return random.random() < CORRECTION_SHARE


def cases_per_s(cases_per_year: float) -> float:
    """Return the mean national rate of a yearly volume, cases a second, over 249 days of 7.5 office hours."""
    return cases_per_year / (WORKING_DAYS * OFFICE_HOURS * 3_600)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Provinces with running sums of their weights: what a draw needs, summed once."""

    codes: tuple[Province, ...]
    running: tuple[float, ...]


def _draw(random: Random, weights: _Weights) -> Province:
    return random.choices(weights.codes, cum_weights=weights.running)[0]


@cache
def _origins() -> _Weights:
    return _weights({code: row.migration_origin_pct for code, row in province_volumes().items()})


@cache
def _homes() -> _Weights:
    return _weights({code: row.home_pct for code, row in province_volumes().items()})


@cache
def _accepting(home: Province) -> _Weights:
    return _weights(flow_row(home))


@cache
def _destinations(origin: Province) -> _Weights:
    return _weights(migration_row(origin))


def _weights(table: Mapping[Province, float]) -> _Weights:
    return _Weights(tuple(table), tuple(accumulate(table.values())))


def _read_rows(name: str) -> list[dict[str, str]]:
    text = files("tongban_sandbox").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
