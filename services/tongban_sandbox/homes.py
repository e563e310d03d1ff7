"""Who has how many homes: the claims of all registers, set by set. Pure. Source: protocol.md C1, C2, §5.

The checker looks at the registers, never at the cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tongban_shared.ids import Province


class Transit(NamedTuple):
    """A row of somebody who is neither simply held nor long gone: RELEASED or PREPARED."""

    key: str
    epoch: int
    state: str
    moved_to: str | None


@dataclass(slots=True)
class Claims:
    """What one register says. held: keys in HELD or FROZEN; frozen: how many of them are in transfer."""

    held: set[str]
    frozen: int = 0
    transit: list[Transit] = field(default_factory=list)
    closed: int = 0


@dataclass(frozen=True, slots=True)
class Homes:
    """The report. people: as the ledger counts them, without those whose registration was closed here.

    lost: with no home; doubled: with more than one; in_transfer: frozen, or released and not yet held.
    """

    people: int
    exactly_one: int
    lost: int
    doubled: int
    in_transfer: int

    @property
    def good(self) -> bool:
        """Everybody has exactly one home."""
        return self.exactly_one == self.people and not self.lost and not self.doubled

    def __str__(self) -> str:
        faults = "" if self.good else f"  LOST {self.lost}  DOUBLED {self.doubled}"
        return (
            f"exactly one home: {self.exactly_one} of {self.people} ({self.in_transfer} in transfer){faults}"
        )


def count_homes(registers: Mapping[Province, Claims], registered: int) -> Homes:
    """Count. registered: persons that the custody ledger knows.

    One home is one province that claims in HELD or FROZEN; or, where none does, the destination that a
    certificate names and that is PREPARED for the next epoch: its acceptance is in the certificate (I4).
    """
    held, doubled = _claimed(claims.held for claims in registers.values())
    certified, doubly_certified = _claimed(_by_certificate(registers, held))
    twice = len(doubled | doubly_certified)
    people = registered - sum(claims.closed for claims in registers.values())
    exactly_one = len(held) + len(certified) - twice
    return Homes(
        people=people,
        exactly_one=exactly_one,
        lost=max(0, people - exactly_one - twice),
        doubled=twice,
        in_transfer=sum(claims.frozen for claims in registers.values()) + len(certified),
    )


def _claimed(claims: Iterable[set[str]]) -> tuple[set[str], set[str]]:
    """All keys claimed, and those claimed more than once."""
    once: set[str] = set()
    twice: set[str] = set()
    for keys in claims:
        twice |= once & keys
        once |= keys
    return once, twice


def _by_certificate(registers: Mapping[Province, Claims], held: set[str]) -> list[set[str]]:
    """Per origin: persons whom nobody claims, and for whom the named destination is prepared."""
    prepared = {
        (province, row.key, row.epoch)
        for province, claims in registers.items()
        for row in claims.transit
        if row.state == "PREPARED"
    }
    return [
        {
            row.key
            for row in claims.transit
            if row.state == "RELEASED"
            and row.key not in held
            and (row.moved_to, row.key, row.epoch + 1) in prepared
        }
        for claims in registers.values()
    ]
