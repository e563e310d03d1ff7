"""How messages of several case types name a person."""

from __future__ import annotations

from tongban_shared.messages.envelope import Contract
from tongban_shared.messages.types import NameCheck, PersonDigest


class PersonAsked(Contract):
    """A person by key, with the keyed check that name and number belong together."""

    person: PersonDigest
    name_check: NameCheck
