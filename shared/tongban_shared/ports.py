"""Ports: what the core needs of the world, as promises. No code here; adapters pass the contract tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tongban_shared.ids import CaseId, PersonKey, Province


class Family(StrEnum):
    """Topic families: an urgent identity message never queues behind a bulk of migrations."""

    MIGRATION = "migration"
    CERTIFICATE = "certificate"
    IDENTITY = "identity"
    COMMON = "common"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: the bytes of a parcel and where it stood in its log."""

    family: Family
    log_id: str
    position: int
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on in one family's log; `log_id` tells a wiped broker's new log from the old one."""

    log_id: str
    next: int


class Inlet(Protocol):
    """One province's reading end: every record of its families, in order per family, from given positions."""

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return 0 to `limit` records; waits up to `timeout_s` for the first.

        Nothing is acknowledged: after a restart a record comes again unless a later position is passed.
        Raises TransportDownError (retryable).
        """
        ...

    async def close(self) -> None:
        """Stop reading. Safe to repeat."""
        ...


class Transport(Protocol):
    """Carries parcels to a province. It is a pipe: it may lose, double, reorder and delay (C5)."""

    async def send(self, to: Province, family: Family, data: bytes, headers: Mapping[str, str]) -> None:
        """Return once the bytes are taken. Size: 1 to 900_000 bytes. Order: kept per (to, family) as called.

        Raises TransportDownError (retryable) after `send_timeout_s`; the bytes may still arrive later.
        """
        ...

    async def open_inlet(self, province: Province, positions: Mapping[Family, Position]) -> Inlet:
        """Start reading at `positions`; from the beginning where none is given or its log is gone."""
        ...

    async def ready(self) -> str | None:
        """None when the pipe works, else the reason why not."""
        ...

    async def close(self) -> None:
        """Flush what was taken and close. Safe to repeat."""
        ...


class Verdict(StrEnum):
    """The custody ledger's answer to a compare-and-set."""

    APPENDED = "APPENDED"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Custody:
    """Who holds a person by the ledger: province, epoch, digest of the certificate that made it holder."""

    province: Province
    epoch: int
    certificate_digest: str


@dataclass(frozen=True, slots=True)
class Move:
    """One hand-over, all persons or none: each from `epoch` at origin to `epoch + 1` at destination."""

    case_id: CaseId
    origin: Province
    destination: Province
    certificate_digest: str
    persons: tuple[tuple[PersonKey, int], ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """One line of the ledger's log that concerns a province: by this case, one person, to `epoch`.

    person: the ledger's own digest of one, see `Ledger.digest_of`. seq: its place in the log, growing.
    """

    seq: int
    case_id: CaseId
    person: str
    epoch: int
    origin: Province
    destination: Province
    certificate_digest: str


@dataclass(frozen=True, slots=True)
class Birth:
    """A birth as the ledger has it: keys of its certificates, and, to enter them, of as many children."""

    case_id: CaseId
    province: Province
    certificates: tuple[str, ...]
    persons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BirthHeld:
    """Which case has a birth's certificates; both empty: none. persons: digests of children entered."""

    province: Province
    case_id: CaseId
    persons: tuple[str, ...] = ()


class Ledger(Protocol):
    """The custody ledger (归属账本): locate, first registration, compare-and-set. Source: protocol.md §2."""

    async def locate(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, Custody]:
        """Return the newest entry of each person that has one. Raises LedgerDownError."""
        ...

    async def register_first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        """Enter persons at epoch 0, one verdict each; repeated: APPENDED, held elsewhere: CONFLICT."""
        ...

    async def append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        """Compare-and-set, one verdict a move; repeating the same move (same digest) is APPENDED.

        Raises LedgerDownError; then nothing or all of it may have been appended: ask again.
        """
        ...

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        """Up to `limit` hand-overs from or to a province, later than `after`. Raises LedgerDownError."""
        ...

    async def claim_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        """Claim birth certificates, all of a birth or none: the answer says who has them. Never by a timer.

        A repeat gets the same answer. Raises LedgerDownError; then ask again.
        """
        ...

    async def release_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        """Give one's own claims back; with children entered under them they stay. Raises LedgerDownError."""
        ...

    async def enter_births(self, births: Sequence[Birth]) -> Sequence[Verdict]:
        """Enter children at epoch 0, all of a birth or none, under a claim of the same case.

        A repeat is APPENDED; a key that anybody has is CONFLICT. Raises LedgerDownError; then ask again.
        """
        ...

    def digest_of(self, person: PersonKey) -> str:
        """How the ledger knows this person."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a registry's log of units of work; `chain` covers every unit before it (G1)."""

    incarnation: int
    unit: int
    chain: str


class Fence(Protocol):
    """Remembers the newest head apart from the database, so that a database put back shows (G1).

    Written after every commit and before anything of it leaves: no answer, no parcel, no question.
    """

    async def read(self) -> Head | None:
        """The head last written; None: never written. Raises FenceDownError."""
        ...

    async def write(self, head: Head) -> None:
        """Durable when this returns. Raises FenceDownError: then nothing may leave."""
        ...

    async def close(self) -> None:
        """Let go. Safe to repeat."""
        ...


class Clock(Protocol):
    """Time for deadlines shown to people, logs and token life; it decides nothing (C4)."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait by this clock."""
        ...


class Signer(Protocol):
    """One owner's private keys: signs as `owner`; seals for and opens from another owner.

    key_id: of the key that signed last. Keys may be followed by others while a program runs.
    """

    owner: str
    key_id: str

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 over `data`."""
        ...

    def seal(self, receiver: str, data: bytes, context: bytes) -> str:
        """Encrypt for `receiver`; `context` is bound in and must be the same to open."""
        ...

    def unseal(self, sender: str, sealed: str, context: bytes) -> bytes:
        """Open what `sender` sealed for this owner. Raises WireError(BAD_SEAL)."""
        ...


class Verifier(Protocol):
    """The public key list: append-only, with validity, so that an old signature stays good for its time."""

    def verify(self, owner: str, key_id: str, data: bytes, signature: bytes) -> None:
        """Raises WireError (UNKNOWN_KEY, BAD_SIGNATURE)."""
        ...
