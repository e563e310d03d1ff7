"""What a searched situation consists of: small frozen values, each kept once and known by its number.

A fixed clock and case-made stamps take time out of the picture: equal situations are equal values.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from tongban_shared.cases.kind import Case
from tongban_shared.registration import Person

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
# A message of the wire: where it stands. Unset OUTBOX: retired, the sender never sends it again.
# KEPT: it stands in the backup that was taken, with the one whose backup it is.
OUTBOX, WIRE, TAKEN, KEPT = 1, 2, 4, 8
FLAGS = 16

T = TypeVar("T", bound=Hashable)


class Message(NamedTuple):
    """A message by what it says; two with the same content are two entries of the post."""

    sender: str
    receiver: str
    case_id: str
    name: str
    body: Any
    bundle: bytes | None = None


class Local(msgspec.Struct, frozen=True):
    """One province's database. proofs: per person the certificate last kept. bundles: offers that differ."""

    province: str
    cases: tuple[Case, ...] = ()
    people: tuple[Person, ...] = ()
    parked: tuple[tuple[Message, int], ...] = ()
    proofs: tuple[tuple[str, str], ...] = ()
    bundles: tuple[tuple[str, bytes], ...] = ()

    def case(self, case_id: str) -> Case | None:
        """The case with this id, if it is known here."""
        return next((case for case in self.cases if case.id == case_id), None)

    def put_case(self, case: Case) -> Local:
        """With this case as it is now."""
        others = [known for known in self.cases if known.id != case.id]
        return replace(self, cases=tuple(sorted([*others, case], key=lambda one: one.id)))

    def put_person(self, person: Person) -> Local:
        """With this row as it is now; row versions count writes, so they are left out."""
        others = [known for known in self.people if known.key != person.key]
        fresh = replace(person, version=0)
        return replace(self, people=tuple(sorted([*others, fresh], key=lambda one: one.key)))


class Line(NamedTuple):
    """A line of the ledger."""

    person: str
    epoch: int
    holder: str
    certificate_digest: str
    origin: str = ""
    case_id: str = ""


class Backup(NamedTuple):
    """A copy of one province's database."""

    place: int
    local: int


class State(NamedTuple):
    """A situation of the whole country. post: message number x FLAGS + flags, sorted, repeats allowed.

    left: budgets of limits, withdrawals, wipes, restores. filed: bit set of the applications handed in.
    backup: the copy that may be put back.
    """

    locals: tuple[int, ...]
    ledger: int
    post: tuple[int, ...]
    left: tuple[int, ...]
    filed: int
    backup: Backup | None = None


class Interner(Generic[T]):
    """Keeps each value once; a value's number stands for it."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def __call__(self, value: T) -> int:
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


@dataclass(slots=True)
class Tables:
    """All values met so far."""

    locals: Interner[Local] = field(default_factory=Interner)
    messages: Interner[Message] = field(default_factory=Interner)
    ledgers: Interner[tuple[Line, ...]] = field(default_factory=Interner)


class Filing(NamedTuple):
    """An application that somebody may hand in, at any time."""

    case_id: str
    person: str
    destination: str


@dataclass(frozen=True, slots=True)
class Instance:
    """What is searched. All persons start as held by the first province at epoch 0.

    forget_taken: a message taken leaves the picture, since its repeats only meet the inbox; without it
    every repeat and receipt is played. restores: one database is copied at any moment and put back at any
    later one, its fence kept; until then nothing leaves the picture, since it may have to be sent again.
    """

    name: str
    provinces: tuple[str, ...]
    filings: tuple[Filing, ...]
    limits: int = 1
    withdrawals: int = 1
    wipes: int = 1
    restores: int = 0
    forget_taken: bool = True

    def persons(self) -> list[str]:
        """Everybody who moves."""
        return sorted({filing.person for filing in self.filings})
