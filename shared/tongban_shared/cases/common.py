"""What all case types share: persons and materials as cases keep them, and what comes in by the door. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from tongban_shared.cases.kind import NEW, OK, Case, Draft, Event, Verdict
from tongban_shared.messages.envelope import Body
from tongban_shared.registration import Surroundings

TRUSTED_GRADE = "A"
DEFERRED = "DEFERRED"
"""The state, of every case type alike, of an accepted case whose papers follow (容缺受理)."""
RETRY_AFTER_DAYS = 1
HOPS_MAX = 8
"""How often persons who are said to have moved on are followed. Source: domain.md §1.1."""
HOUSEHOLD_SERIALS = 10**8
BY_A_MOVE, BY_A_CHANGE = 8, 9
"""The first digit of a household's serial: how it was set up; those that stood before have lower ones."""


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base: stored as JSON in the case's row, defaults left out."""


class PersonRef(Frozen, frozen=True):
    """One person of a case: key and the keyed check of name and number."""

    person: str
    name_check: str


class MaterialIn(Frozen, frozen=True):
    """A material handed in. grade: A issued by authority, B checked against original, C uploaded, D self-made.

    waived_by_licence: not handed in (免提交), this document of one of our registries was looked up instead.
    by_commitment: replaced by the applicant's signed word (告知承诺).
    """

    kind: str
    grade: str
    licence_id: str | None = None
    note: str | None = None
    waived_by_licence: str | None = None
    by_commitment: bool = False


class Commitment(Frozen, frozen=True):
    """The applicant's signed word for proofs (告知承诺). version: of the text. signed_at: aware UTC, as they say."""

    version: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """A checked application, as the door hands it in. `origin` is None while the ledger has not answered."""

    data: Any
    origin: str | None
    item: str


@dataclass(frozen=True, slots=True)
class Located:
    """The ledger's answer: the holder of each person, None for a person it does not know, and since which epoch."""

    holders: Mapping[str, str | None]
    epochs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """An officer's decision: approve, refuse or return; a refusal carries its code, a return what is needed."""

    outcome: str
    reason_code: str | None = None
    note: str | None = field(default=None, repr=False)
    materials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Supplied:
    """Materials handed in later; `still_missing` as the catalogue says after them."""

    materials: tuple[MaterialIn, ...]
    still_missing: tuple[str, ...]


def new_household_no(org: str, series: int, stamp: int) -> str:
    """The number (户号) of a household that is set up at an office: its code, and 9 digits of a series of its own.

    Households that were first registered under lower numbers are never met, nor those of the other series.
    """
    return f"{org}{series}{stamp % HOUSEHOLD_SERIALS:08d}"


def remember(case: Case, **changes: object) -> Case:
    """The case with these fields of its record changed."""
    return replace(case, data=replace(case.data, **changes))


def with_materials(case: Case, supplied: Supplied) -> Case:
    """Materials add up; a kind handed in again replaces the earlier one."""
    kinds = {material.kind for material in supplied.materials}
    kept = tuple(material for material in case.data.materials if material.kind not in kinds)
    return remember(case, materials=kept + supplied.materials, missing=supplied.still_missing)


def is_trusted(materials: Iterable[MaterialIn]) -> bool:
    """Whether all of them were issued by an authority."""
    return all(material.grade == TRUSTED_GRADE for material in materials)


def judge_refusal(_case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The origin's reason goes to the applicant."""
    return Verdict(OK, event.body.code, event.body.retry_at)


def still_owed(case: Case) -> str:
    """The verdict on a case that lacks papers: they may follow, or the one notice asks for them."""
    may_follow = case.data.deferred_until is not None and case.state in {NEW, DEFERRED}
    return "deferred" if may_follow else "incomplete"


def deferred_limit(case: Case, event: Event, around: Surroundings) -> datetime:
    """The day that the door counted out, whatever was handed in since."""
    until: datetime | None = case.data.deferred_until
    return until or correction_limit(case, event, around)


def correction_limit(_case: Case, event: Event, around: Surroundings) -> datetime:
    """Calendar days of the province's file."""
    return event.at + timedelta(days=around.correction_days)


def free_again(person: str, around: Surroundings) -> datetime:
    """When to ask again about somebody in transfer: the limit of the case that has them, or tomorrow (M-3)."""
    return around.busy_until.get(person, around.now + timedelta(days=RETRY_AFTER_DAYS))


def to_other_side(case: Case, body: Body, bundle: bytes | None = None) -> tuple[Case, Draft]:
    """A message of which the case itself remembers nothing new. bundle: sealed for the other side."""
    other = case.other_side()
    assert other is not None, "a message has a receiver"
    return case, Draft(other, body, bundle)


def ask_ledger(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """A question to the ledger, put by the shell after the commit."""
    return case, Draft("ledger", None)
