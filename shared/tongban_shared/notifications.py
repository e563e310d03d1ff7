"""Notifications (通知): which changes of a case its applicant is told, and in which words. Pure.

The words are notifications.toml; one that is wrong is not loaded, and the program does not start. Names and
id numbers stand in them masked, addresses never. Source: domain.md §3.12, services.md S1 and S9.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tongban_shared.cases.common import DEFERRED
from tongban_shared.cases.kind import Case, Side
from tongban_shared.cases.kinds import KINDS
from tongban_shared.catalogue import strict_toml
from tongban_shared.errors import CatalogueError

Language = Literal["zh", "en"]
SLOTS = frozenset({"person", "number", "case_id", "item", "deadline", "materials", "reason", "contact"})
# Public states that are told, each in its own words.
TOLD = frozenset(
    {"ACCEPTED", "CORRECTION", "IN_TRANSFER", "COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"}
)
UNDER_WAY = frozenset({"SUBMITTED", "RECEIVED", "ACCEPTED", "REVIEWING"})
# Shown as under way, but on its way back: what becomes of it is told when it is there.
GOING_BACK = "WITHDRAWING"
KEPT_AT_EACH_END = 4
# Accepted, with papers to follow (容缺受理): the words for it stand under this name.
FOLLOWS = "deferred"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of public state that is told, with what its words need; nothing in it tells who a person is.

    told: the public state, ACCEPTED for all that only says that the case is under way. until: an applicant's
    limit. missing: what is asked for, or follows. last: the case has ended.
    """

    told: str
    kind: str
    item: str
    opened_at: datetime
    until: datetime | None = None
    missing: tuple[str, ...] = ()
    refusal: str | None = None
    last: bool = False

    @property
    def variant(self) -> str:
        """Whose words are used where they are not the state's: the case type's, or those of what follows."""
        return FOLLOWS if self.told == "ACCEPTED" and self.missing else self.kind


def notice_of(before: Case | None, after: Case) -> Change | None:
    """The change that the applicant is told, once for each public state; None for all others.

    Only the side where they applied tells them: never the origin's mirror, which would tell it twice. What
    has been accepted is not accepted again when it is checked or reviewed.
    """
    if after.side is not Side.DESTINATION:
        return None
    public = KINDS[after.kind].public
    new = public[after.state]
    old = public[before.state] if before is not None else None
    if new == old or after.state == GOING_BACK:
        return None
    if new in UNDER_WAY and old is not None and old != "CORRECTION":
        return None
    told = "ACCEPTED" if new in UNDER_WAY else new
    asked = told == "CORRECTION" or after.state == DEFERRED
    return Change(
        told,
        after.kind,
        after.item,
        after.opened_at,
        until=after.due_at if asked else None,
        missing=tuple(after.data.missing) if asked else (),
        refusal=after.refusal if told == "REFUSED" else None,
        last=after.closed_at is not None,
    )


def notification_id(case_id: str, version: int) -> str:
    """One for each change of a case, however often it is sent. No full stops: they separate signed parts."""
    return f"{case_id}-{version}"


# --- masks


def masked_name(name: str) -> str:
    """`张*`: the first character; how many follow is not told either."""
    return f"{name.strip()[:1]}*"


def masked_number(number: str) -> str:
    """`3300**********0029`: an id number of 18 characters."""
    hidden = len(number) - 2 * KEPT_AT_EACH_END
    return f"{number[:KEPT_AT_EACH_END]}{'*' * hidden}{number[-KEPT_AT_EACH_END:]}"


# --- words


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Words(_Table):
    """One notification in one language."""

    subject: Annotated[str, Field(min_length=1, max_length=60)]
    text: Annotated[str, Field(min_length=1, max_length=200)]


class Template(_Table):
    """One notification in both languages. urgent: quiet hours do not hold it up."""

    zh: Words
    en: Words
    urgent: bool = False

    def words(self, language: str) -> Words:
        """In the applicant's language."""
        return self.en if language == "en" else self.zh


class _Footer(_Table):
    zh: str
    en: str


class Templates(_Table):
    """All of them, by public state, or by state and case type."""

    footer: _Footer
    text: Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z_]*(\.[a-z][a-z_]*)?$")], Template]

    def of(self, told: str, kind: str) -> Template:
        """The case type's own, else the state's."""
        return self.text.get(f"{told}.{kind}") or self.text[told]

    def below(self, language: str) -> str:
        """What an e-mail has below the text."""
        return self.footer.en if language == "en" else self.footer.zh


def parse_templates(text: str) -> Templates:
    """Read templates from TOML. Raises CatalogueError: syntax, key, language, slot, a state without words."""
    templates = strict_toml(Templates, text, "notifications")
    for name, template in templates.text.items():
        if name.partition(".")[0] not in TOLD:
            raise CatalogueError(f"notifications: {name}: no public state that is told")
        for words in (template.zh, template.en):
            _check_slots(name, words.subject, words.text)
    _check_slots("footer", templates.footer.zh, templates.footer.en)
    silent = sorted(TOLD - templates.text.keys())
    if silent:
        raise CatalogueError(f"notifications: no words for {', '.join(silent)}")
    return templates


def _check_slots(name: str, *texts: str) -> None:
    """Plain slots that are known, and nothing reached through them."""
    for text in texts:
        try:
            parts = [part for part in Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            raise CatalogueError(f"notifications: {name}: {error}") from error
        for _, slot, form, conversion in parts:
            if slot not in SLOTS or form or conversion:
                raise CatalogueError(f"notifications: {name}: unknown slot {{{slot}}}")


@cache
def load_templates() -> Templates:
    """Return the shipped templates. Raises CatalogueError; then the program does not start."""
    shipped = files("tongban_shared").joinpath("notifications.toml")
    return parse_templates(shipped.read_text(encoding="utf-8"))
