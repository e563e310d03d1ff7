"""What one province's registry is: its file, its keys, its counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING

from tongban_shared.clock import BEIJING
from tongban_shared.ids import SERIALS, Province
from tongban_shared.ports import Head

STAMPS_LOST_MAX = 1_000_000
"""More numbers than a registry gives between two backups."""
STAMPS_APART = 4_000_000
"""Two put-backs to the same unit give numbers so far apart, by chance (simulator, seed 3052)."""
STAMPS_DOUBTED = 200_000
"""Fewer, where it is not certain that any were: each start leaves out some of them, by chance."""
STAMPS_FOUND_MAX = 10 * STAMPS_LOST_MAX
"""How far ahead its own lost numbers may be: each put-back, and each start, left some out."""

if TYPE_CHECKING:
    from tongban_shared.catalogue import Catalogue
    from tongban_shared.keys import Secrets
    from tongban_shared.ports import Clock, Signer
    from tongban_shared.provinces import ProvinceProfile, WorkingCalendar
    from tongban_shared.wire import Opener


@dataclass(slots=True)
class Counters:
    """Numbers that only grow: units of work, stamps, and a sequence per receiver. Loaded at start.

    A new incarnation begins its sequences anew, so that no message id is given twice (G1).
    """

    incarnation: int = 1
    unit: int = 0
    stamp: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    chain: str = ""

    @property
    def head(self) -> Head:
        """The end of the log of units (G1)."""
        return Head(self.incarnation, self.unit, self.chain)

    def link(self, header: str) -> str:
        """Take one more unit into the chain; returns its hash, which covers every unit before it."""
        text = f"{self.chain}\n{self.incarnation}.{self.unit}\n{self.stamp}\n{header}"
        self.chain = sha256(text.encode()).hexdigest()
        return self.chain

    def copy(self) -> Counters:
        """A unit counts on a copy; the copy takes over when its transaction has committed."""
        return Counters(self.incarnation, self.unit, self.stamp, dict(self.sequences), self.chain)

    def next_stamp(self) -> int:
        """A number never given before by this registry."""
        self.stamp += 1
        return self.stamp

    def skip(self, case_ids: Iterable[str], province: Province) -> None:
        """Past the numbers of these cases, of which this database knows nothing.

        Whoever accepted them here did so before it was put back (G1); their numbers are not given again.
        """
        for case_id in case_ids:
            ahead = (int(case_id[12:20]) - self.stamp) % SERIALS
            if case_id.startswith(province) and ahead <= STAMPS_FOUND_MAX:
                self.stamp += ahead

    def next_sequence(self, receiver: str) -> int:
        """The next place in the row of messages to one receiver."""
        self.sequences[receiver] = self.sequences.get(receiver, 0) + 1
        return self.sequences[receiver]


@dataclass(frozen=True, slots=True)
class Office:
    """One province's registry as configured. `org` is the county bureau that signs, `peers` all others.

    calendars: working days of every province, as its file says.
    """

    profile: ProvinceProfile
    signer: Signer
    opener: Opener
    secrets: Secrets
    catalogue: Catalogue
    clock: Clock
    org: str
    peers: tuple[str, ...] = ()
    calendars: Mapping[str, WorkingCalendar] = field(default_factory=dict)

    def today(self) -> date:
        """The day in China, which has one time zone; storage keeps UTC."""
        return self.clock.now().astimezone(BEIJING).date()

    @property
    def province(self) -> Province:
        """The province this registry answers for."""
        return Province(self.profile.code)
