"""How the sandbox plays each case type: who draws it, what the window reports, where officers decide.

A new case type is one entry in `PLAYS`; its share of the mix is in `volumes.CASES_PER_YEAR`, its months in
`shape.MONTHS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from tongban_sandbox.applications import Drawer, Drawn
from tongban_sandbox.at_windows import WindowDrawer
from tongban_sandbox.shape import rate_at
from tongban_sandbox.volumes import CASES_PER_YEAR, cases_per_s, mix_of
from tongban_shared.catalogue import load_catalogue

if TYPE_CHECKING:
    from tongban_sandbox.residents import Pool
    from tongban_shared.ids import Province
    from tongban_shared.provinces import ProvinceProfile

MixName = Literal["2023", "migration"]
MIGRATION, CARD, TEMPORARY = "migration", "id_card", "temporary_id"


@dataclass(frozen=True, slots=True)
class Drawers:
    """What draws applications: moves, and what people ask for where they live."""

    moves: Drawer
    windows: WindowDrawer

    @classmethod
    def over(cls, pool: Pool, profiles: Mapping[Province, ProvinceProfile], random: Random) -> Drawers:
        """Over the people of a pool."""
        around = (pool, profiles, load_catalogue(), random)
        return cls(Drawer(*around), WindowDrawer(*around))


@dataclass(frozen=True, slots=True)
class Play:
    """One case type. draw: an application of it, its people taken from the pool; None where nobody is free.

    reports: internal state → what the window reports next, see `reports` of the case types. wanted: what an
    officer of the home registry asks for who sends an application back (补正).
    """

    draw: Callable[[Drawers, date], Drawn | None]
    reports: Mapping[str, str] = field(default_factory=dict)
    wanted: Sequence[str] = ()


PLAYS: Mapping[str, Play] = {
    MIGRATION: Play(lambda draw, today: draw.moves.draw(today)),
    "certificate": Play(lambda draw, today: draw.windows.certificate(today), wanted=["BOOKLET"]),
    CARD: Play(
        lambda draw, today: draw.windows.card(today),
        reports={"IN_PRODUCTION": "made", "AT_COUNTER": "handed_over"},
        wanted=["PHOTO"],
    ),
    TEMPORARY: Play(
        lambda draw, today: draw.windows.card_and_temporary(today),
        reports={"AUTHORISED": "printed"},
        wanted=["PHOTO"],
    ),
}


@dataclass(slots=True)
class Mix:
    """Which case types come, in which proportion. shaped: by month, weekday and hour (domain.md §5.2)."""

    name: MixName = "2023"
    shaped: bool = False
    _ahead: int = field(default=0, init=False)

    @property
    def shares(self) -> Mapping[str, float]:
        """Of the cases, by type; 1 together."""
        return {MIGRATION: 1.0} if self.name == MIGRATION else mix_of(PLAYS)

    @property
    def national_per_s(self) -> float:
        """Cases a second of office hours in the real country: 0.26 of migrations, 0.56 of the whole mix."""
        alone = self.name == MIGRATION
        return cases_per_s(CASES_PER_YEAR[MIGRATION] if alone else sum(CASES_PER_YEAR.values()))

    def factor(self, now: datetime) -> float:
        """How much more or less comes now than on average; 1 where it is not shaped."""
        return sum(self._weights(now).values())

    def draw_type(self, random: Random, now: datetime) -> str | None:
        """The type of the next case; None when it came with the one before already.

        A temporary card brings its case of an identity card with it; the next such case is left out.
        """
        weights = self._weights(now)
        drawn = random.choices(list(weights), weights=list(weights.values()))[0]
        if drawn == CARD and self._ahead:
            self._ahead -= 1
            return None
        self._ahead += drawn == TEMPORARY
        return drawn

    def _weights(self, now: datetime) -> Mapping[str, float]:
        if not self.shaped:
            return self.shares
        return {name: share * rate_at(now, name) for name, share in self.shares.items()}


@dataclass(slots=True)
class Life:
    """One case under way. ending: what is to become of it where people decide. then: see `Drawn`."""

    case_id: str
    ending: str = "COMPLETED"
    sent_back: bool = False
    then: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does now: last part of the path, body, at which registry if not where it was accepted."""

    step: str
    body: object = None
    province: str | None = None


def is_answered_at_home(case: Mapping[str, Any]) -> bool:
    """Whether the home registry answers, so that an officer of it may have the case."""
    return bool(case["case_type"] != MIGRATION)


def waits_for_people(case: Mapping[str, Any]) -> bool:
    """Whether an officer or the applicant has the case here."""
    waiting = case.get("waiting_for")
    return waiting is not None and waiting["owner"] in ("officer", "applicant")


def report_due(case: Mapping[str, Any]) -> str | None:
    """What the window of an open case reports next."""
    return PLAYS[case["case_type"]].reports.get(case["timeline"][-1]["state"])


def deed_at_window(life: Life, case: Mapping[str, Any]) -> Deed | None:
    """What is done where the case was accepted; None while others have it."""
    report = report_due(case)
    if report is not None:
        return Deed("progress", {"step": report})
    if not waits_for_people(case):
        return None
    if life.ending == "WITHDRAWN" and case["state"] in ("CORRECTION", "REVIEWING"):
        return Deed("withdrawal")
    if case["waiting_for"]["owner"] == "applicant":
        missing = [{"kind": kind, "grade": "A"} for kind in case["missing_materials"]]
        return Deed("materials", {"materials": missing})
    return _decision(life, case)


def deed_at_home(life: Life, case: Mapping[str, Any], home: str) -> Deed | None:
    """What is done at the home registry, as that one shows the case; None while nobody there has it."""
    if not waits_for_people(case) or case["waiting_for"]["owner"] != "officer":
        return None
    if life.ending == "WITHDRAWN":
        return Deed("withdrawal")
    return _decision(life, case, home)


def _decision(life: Life, case: Mapping[str, Any], home: str | None = None) -> Deed:
    wanted = PLAYS[case["case_type"]].wanted
    if life.sent_back and wanted:
        life.sent_back = False
        return Deed("decision", {"outcome": "return", "materials": wanted}, home)
    if life.ending == "REFUSED" and case["state"] == "REVIEWING":
        return Deed("decision", {"outcome": "refuse", "reason_code": "NOT_ELIGIBLE"}, home)
    return Deed("decision", {"outcome": "approve"}, home)
