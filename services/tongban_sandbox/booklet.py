"""A household booklet (居民户口簿) read from a register, by SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from tongban_sandbox.people import SyntheticHousehold, households
from tongban_sandbox.state import Plan
from tongban_sandbox.volumes import population
from tongban_shared.ids import Province

# `?` is the one parameter; PostgreSQL writes $1.
HOUSEHOLD_OF = "SELECT household_id FROM person WHERE key = ? AND state IN ('HELD', 'FROZEN')"
MEMBERS_OF = (
    "SELECT record.record, person.head FROM person JOIN record ON record.person = person.key"
    " WHERE person.household_id = ? AND person.state IN ('HELD', 'FROZEN')"
)


class Member(NamedTuple):
    """A line of a booklet."""

    id_number: str
    name: str
    head: bool


class _Form(msgspec.Struct):
    id_number: str
    name: str


_read_form = msgspec.json.Decoder(_Form).decode


def member_of(record: str, head: int) -> Member:
    """A line of a booklet from a row of MEMBERS_OF."""
    form = _read_form(record)
    return Member(form.id_number, form.name, bool(head))


@cache
def seeded_households(province: Province, plan: Plan) -> Sequence[SyntheticHousehold]:
    """The households with which a country of this plan begins."""
    return tuple(households(province, population(plan.scale)[province], plan.seed))
