"""What all case types share: persons and materials as cases keep them, and what comes in by the door. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from tongban_shared.cases.kind import Case


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base: stored as JSON in the case's row, defaults left out."""


class PersonRef(Frozen, frozen=True):
    """One person of a case: key and the keyed check of name and number."""

    person: str
    name_check: str


class MaterialIn(Frozen, frozen=True):
    """A material handed in. grade: A issued by authority, B checked against original, C uploaded, D self-made."""

    kind: str
    grade: str
    licence_id: str | None = None
    note: str | None = None


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
    """An officer's decision: approve, refuse or return; a refusal carries its code."""

    outcome: str
    reason_code: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Supplied:
    """Materials handed in later; `still_missing` as the catalogue says after them."""

    materials: tuple[MaterialIn, ...]
    still_missing: tuple[str, ...]


def remember(case: Case, **changes: object) -> Case:
    """The case with these fields of its record changed."""
    return replace(case, data=replace(case.data, **changes))
