"""What goes between the custody ledger and its callers: bodies, paths, and the bytes that a caller signs."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final

import msgspec

from tongban_shared.ports import Verdict

LOCATE_PATH: Final = "/v1/custody/locate"
FIRST_PATH: Final = "/v1/custody/first"
APPEND_PATH: Final = "/v1/custody/append"
HEAD_PATH: Final = "/v1/custody/head"
PASSAGES_PATH: Final = "/v1/custody/passages"
CLAIM_BIRTHS_PATH: Final = "/v1/births/claim"
RELEASE_BIRTHS_PATH: Final = "/v1/births/release"
ENTER_BIRTHS_PATH: Final = "/v1/births/enter"
OWNER_HEADER: Final = "x-tongban-owner"
KEY_HEADER: Final = "x-tongban-key"
CREATED_HEADER: Final = "x-tongban-created"
SIGNATURE_HEADER: Final = "x-tongban-signature"
WINDOW_S: Final = 300
PERSONS_MAX: Final = 5_000
"""Persons in one call, and moves."""

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
CertificateDigest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
ProvinceCode = Annotated[str, msgspec.Meta(pattern="^[1-8][0-9]$")]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Limited = msgspec.Meta(max_length=PERSONS_MAX)


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed, frozen body."""


class Locate(Body, frozen=True):
    """Which province holds these persons? Answered by Located."""

    digests: Annotated[tuple[Digest, ...], Limited]


class Place(Body, frozen=True):
    """The newest entry of one person."""

    digest: str
    province: str
    epoch: int
    certificate_digest: str


class Located(msgspec.Struct, frozen=True):
    """Persons that nobody registered are left out."""

    found: tuple[Place, ...]


class Claim(Body, frozen=True):
    """A first registration."""

    digest: Digest
    province: ProvinceCode


class First(Body, frozen=True):
    """First registrations by one province, each by itself. Answered by Verdicts."""

    claims: Annotated[tuple[Claim, ...], Limited]


class Moving(Body, frozen=True):
    """One hand-over: all persons or none. Source: protocol.md §2."""

    case_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    origin: ProvinceCode
    destination: ProvinceCode
    certificate_digest: CertificateDigest
    persons: Annotated[tuple[tuple[Digest, Epoch], ...], Limited]


class Append(Body, frozen=True):
    """Hand-overs by one origin, judged one after another. Answered by Verdicts."""

    moves: Annotated[tuple[Moving, ...], Limited]


class BirthOf(Body, frozen=True):
    """A birth: digests of its certificates, and of as many children where they are to be entered."""

    case_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    province: ProvinceCode
    certificates: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=4)]
    persons: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=4)] = ()


class Births(Body, frozen=True):
    """Births of one province. Answered by BirthsHeld, or by Verdicts where children are entered."""

    births: Annotated[tuple[BirthOf, ...], Limited]


class HeldBy(msgspec.Struct, frozen=True):
    """Which case has them; empty: none has. persons: digests of children entered under them."""

    province: str
    case_id: str
    persons: tuple[str, ...] = ()


class BirthsHeld(msgspec.Struct, frozen=True):
    """One for each birth, in order."""

    held: tuple[HeldBy, ...]


class Verdicts(msgspec.Struct, frozen=True):
    """One for each claim or move, in order."""

    verdicts: tuple[Verdict, ...]


class Since(Body, frozen=True):
    """The caller's own hand-overs, given and taken, later than `after` in the log. Answered by Passages."""

    after: Annotated[int, msgspec.Meta(ge=0)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=PERSONS_MAX)] = PERSONS_MAX


class Passed(msgspec.Struct, frozen=True):
    """One line of the log that is a hand-over."""

    seq: int
    case_id: str
    person: str
    epoch: int
    origin: str
    destination: str
    certificate_digest: str


class Passages(msgspec.Struct, frozen=True):
    """In the order of the log; fewer than asked for: there are no more."""

    passages: tuple[Passed, ...]


class Head(msgspec.Struct, frozen=True):
    """The end of the log: number of its last entry, 0 for none, and the hash over all of it."""

    seq: int
    hash: str


def signed_bytes(method: str, path: str, created: str, body: bytes) -> bytes:
    """What the caller signs: binds the call to its time and to every byte of its body."""
    return "\n".join((method, path, created, sha256(body).hexdigest())).encode()
