"""What the case of a change of the register remembers beside the common record of home_data.py."""

from __future__ import annotations

from enum import StrEnum

from msgspec import field

from tongban_shared.cases.home_data import Asked


class P(StrEnum):
    """Paper that a joint window took in for another authority, before that authority has it."""

    PAPER_AT_WINDOW = "PAPER_AT_WINDOW"
    PAPER_UNDER_WAY = "PAPER_UNDER_WAY"


class Paper(StrEnum):
    """Who has the paper."""

    AT_WINDOW = "AT_WINDOW"
    SENT = "SENT"
    RECEIVED = "RECEIVED"


class ChangeData(Asked, frozen=True):
    """effect, ending, lost: as the item says. ground: its variant. changes: fields and their new values, personal.

    new_name_check: the keyed check of a new name. relations: of the members named, in their order, to the new
    head. station, address, household_no: where to, if anywhere; new_household_no: where they are in the end.
    cities: those that a joint window serves, each with its authority. on_behalf_of: the authority for which it
    was taken in (代收). on_paper: there is paper to go there. paper: who has it.
    """

    effect: str = ""
    ending: str = ""
    lost: bool = False
    ground: str = ""
    changes: dict[str, str] = field(default_factory=dict)
    new_name_check: str = ""
    relations: tuple[str, ...] = ()
    station: str = ""
    address: str = ""
    household_no: str = ""
    new_household_no: str = ""
    cities: dict[str, str] = field(default_factory=dict)
    on_behalf_of: str = ""
    on_paper: bool = False
    paper: str = ""

    def __repr__(self) -> str:
        """Without anything personal."""
        return f"ChangeData({self.effect})"
