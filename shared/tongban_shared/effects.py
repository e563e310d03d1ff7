"""What an item does to the register (登记事项变更): a small closed set of effects; items choose by data.

A new item is a table in catalogue.toml; a new effect is code here and in the registry's changes.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict


class Effect(StrEnum):
    """What happens to the register when the home station says yes."""

    CHANGE_FIELDS = "CHANGE_FIELDS"
    """Fields of the resident form (常住人口登记表) get other values (变更更正)."""
    NEW_HEAD = "NEW_HEAD"
    """Another member becomes head (户主变更)."""
    NEW_HOUSEHOLD = "NEW_HOUSEHOLD"
    """The applicant sets up a household of their own at the same station (分户, 立户)."""
    MOVE_WITHIN = "MOVE_WITHIN"
    """The household changes and the province does not (省内迁移): nobody's custody moves."""
    END = "END"
    """The registration ends (注销)."""
    RESTORE = "RESTORE"
    """A registration that had ended comes back (恢复户口)."""
    ISSUE_BOOKLET = "ISSUE_BOOKLET"
    """A booklet (居民户口簿) is issued; the one before it ends."""
    BY_OFFICER = "BY_OFFICER"
    """An officer of the home station makes the entry in another system and reports that it is made."""


class Ending(StrEnum):
    """How a registration ends. Source: domain.md §2.3."""

    DEATH = "DEATH"
    MILITARY = "MILITARY"
    ABROAD = "ABROAD"


# Of others in the household, or for good: never without an officer.
FOR_AN_OFFICER = frozenset(Effect) - {Effect.CHANGE_FIELDS, Effect.ISSUE_BOOKLET}
TAKES_MEMBERS = frozenset({Effect.NEW_HEAD, Effect.NEW_HOUSEHOLD, Effect.MOVE_WITHIN, Effect.ISSUE_BOOKLET})
# They need an address; a restored registration may have another one than before.
PLACED = frozenset({Effect.NEW_HOUSEHOLD, Effect.MOVE_WITHIN})
MAY_BE_PLACED = PLACED | {Effect.RESTORE}
# What writes a registration waits for a transfer that is under way, and for the end of a hold.
ON_PAPER_ALONE = frozenset({Effect.ISSUE_BOOKLET, Effect.BY_OFFICER})

NAME = "name"
_TEXT = r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,%d}[^\s\x00-\x1f\x7f])?"
# Sex, birth date and number hang together (GB 11643): correcting one gives a new number and another key,
# which no effect here does.
FIELDS: Mapping[str, re.Pattern[str]] = {
    NAME: re.compile(_TEXT % 48),
    "former_name": re.compile(_TEXT % 48),
    "ethnicity_code": re.compile(r"[0-9]{2}"),
    "native_place_division": re.compile(r"[0-9]{6}"),
    "education_code": re.compile(r"[1-9][0-9]"),
    "marital_code": re.compile(r"10|2[0-3]|30|40|90"),
    "military_status": re.compile(r"[A-Z]{2,20}"),
    "occupation": re.compile(_TEXT % 58),
    "service_place": re.compile(_TEXT % 98),
}
"""Fields that an item may let people set, each with the form of its values (domain.md §2.1)."""
RELATION = re.compile(r"[0-9]{2}")
"""Relation to the head, GB/T 4761."""


@dataclass(frozen=True, slots=True)
class Does:
    """What one item does.

    fields: with CHANGE_FIELDS, what may be set. ending: with END how, with RESTORE after what.
    lost: with ISSUE_BOOKLET, the old booklet is lost and is revoked, not merely superseded.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    effect: Effect
    fields: tuple[str, ...] = ()
    ending: Ending | None = None
    lost: bool = False

    def faults(self, *, automatic: bool, members: bool) -> Iterable[str]:
        """Why an item can't be so; nothing if it can."""
        unknown = [field for field in self.fields if field not in FIELDS]
        if unknown:
            yield f"nobody sets the field {unknown[0]}"
        if bool(self.fields) != (self.effect is Effect.CHANGE_FIELDS):
            yield "fields belong to CHANGE_FIELDS, and to it alone"
        if (self.ending is not None) != (self.effect in {Effect.END, Effect.RESTORE}):
            yield "an ending belongs to END and RESTORE, and to them alone"
        if self.effect is Effect.RESTORE and self.ending is Ending.DEATH:
            yield "nobody comes back from DEATH"
        if self.lost and self.effect is not Effect.ISSUE_BOOKLET:
            yield "only a booklet is lost here"
        if automatic and self.effect in FOR_AN_OFFICER:
            yield f"{self.effect} is for an officer, never automatic"
        if members and self.effect not in TAKES_MEMBERS:
            yield f"{self.effect} is about one person; it admits no members"


def is_value(field: str, value: str) -> bool:
    """Whether a field of the resident form may have this value."""
    pattern = FIELDS.get(field)
    if pattern is None:
        return False
    return pattern.fullmatch(value) is not None
