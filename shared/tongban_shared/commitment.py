"""Who is registered where, as numbers that can be added: a keyed set hash. Pure: no clock, no I/O.

A claim is (digest, epoch, holder): this province answers for this person at this epoch. The hash of any
number of claims is how many they are, and the sum of their HMAC-SHA256 modulo 2^256. Their order does not
matter, parts add up to the whole, and a move subtracts one term here and adds another there. This is
MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash Functions and Their
Application to Memory Integrity Checking" (ASIACRYPT 2003), in which a collision breaks the keyed function.

Why equal sums mean equal claims, and no fewer things are proven than it seems:
- To whoever lacks the key each term is a random number of 256 bits. A crash, a database put back or a defect
  knows no key, so that two different sets agree by chance once in about 2^256 pairs.
- Whoever has the key could search for two sets with one sum: modulo 2^256 that is far easier than 2^128
  (Wagner, "A Generalized Birthday Problem", CRYPTO 2002). Hence the key of the night: made of the national
  secret and of what the asker draws anew for each run, it comes into the world after the registers are
  what they are, and no sum of an earlier night is an answer.
- Clarke's term for a nonce hides sums of few claims from those who see many of them. Here the key lives for
  one run, and its sums go to those alone who have it.
- A province that lies needs no collision: it may sign what it likes. Then its signature stands under it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from tongban_shared.registration import CANCELLED, CLAIMING, Registration

MODULUS: Final = 1 << 256
BUCKET_DIGITS: Final = 2
"""Leading hexadecimal digits of a digest that make a bucket of the country: 256; each further digit, 16."""
DIGEST_DIGITS: Final = 32
LEAF_MAX: Final = 64
"""A prefix of no more claims than this is answered with the claims themselves."""
BLOCK_SIZE_BYTES: Final = 64
LABEL: Final = b"tongban commitment v1|"

_COUNTED: Final = frozenset(state.value for state in (*CLAIMING, *CANCELLED))


class Claim(NamedTuple):
    """One term of a sum: `holder` answers for the person whom the ledger knows as `digest`, at `epoch`."""

    digest: str
    epoch: int
    holder: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The hash of a set of claims. Adds and subtracts as sets of claims do."""

    count: int = 0
    total: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, (self.total + other.total) % MODULUS)

    def __sub__(self, other: Sum) -> Sum:
        return Sum(self.count - other.count, (self.total - other.total) % MODULUS)


NOTHING: Final = Sum()
Sums = Mapping[str, Mapping[str, Sum]]
"""Prefix → holder → the sum of the claims under it."""


class Keyed:
    """HMAC-SHA256 under one key for millions of messages: the key is worked in once (RFC 2104, section 4)."""

    __slots__ = ("inner", "outer")

    def __init__(self, key: bytes) -> None:
        short = sha256(key).digest() if len(key) > BLOCK_SIZE_BYTES else key
        block = short.ljust(BLOCK_SIZE_BYTES, b"\0")
        self.inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self.outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        """32 bytes, the same as hmac.digest gives."""
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def night_key(custody_secret: bytes, challenge: str) -> bytes:
    """The key of one run: of the national secret, and of what the asker drew for this run alone."""
    return hmac.digest(custody_secret, LABEL + challenge.encode(), "sha256")


def term(keyed: Keyed, claim: Claim) -> int:
    """What one claim adds to a sum."""
    return int.from_bytes(keyed.digest(_message(claim)), "big")


def _message(claim: Claim) -> bytes:
    return f"{claim.digest}|{claim.epoch}|{claim.holder}".encode()


def sum_of(keyed: Keyed, claims: Iterable[Claim]) -> Sum:
    """The hash of these claims."""
    terms = [term(keyed, claim) for claim in claims]
    return Sum(len(terms), sum(terms) % MODULUS)


def child_of(prefix: str, digest: str) -> str:
    """The part of `prefix` that a digest lies in."""
    return digest[: parts_at(prefix)]


def parts_at(prefix: str) -> int:
    """How many digits the parts of a prefix have."""
    return max(BUCKET_DIGITS, min(len(prefix) + 1, DIGEST_DIGITS))


class Tally:
    """The sums of one prefix, a part and a holder each, and the claims themselves while they are few."""

    def __init__(self, keyed: Keyed, prefix: str = "") -> None:
        self.prefix = prefix
        self.count = 0
        self._few: list[tuple[str, int, str]] = []
        self._keyed = keyed
        self._sums: dict[str, list[int]] = {}

    def add(self, claims: Sequence[tuple[str, int, str]]) -> None:
        """Take more claims, all under the prefix."""
        digits, sums = parts_at(self.prefix), self._sums
        begin, finish, number = self._keyed.inner.copy, self._keyed.outer.copy, int.from_bytes
        for digest, epoch, holder in claims:  # a million times: `term`, written out
            inner, outer = begin(), finish()
            inner.update(f"{digest}|{epoch}|{holder}".encode())
            outer.update(inner.digest())
            place = digest[:digits] + holder
            found = sums.get(place)
            if found is None:
                found = sums[place] = [0, 0]
            found[0] += 1
            found[1] += number(outer.digest(), "big")
        self.count += len(claims)
        if len(self._few) <= LEAF_MAX:
            self._few.extend(claims[: LEAF_MAX + 1])

    def claims(self) -> list[Claim] | None:
        """All of them if they are few enough to be listed."""
        return [Claim(*claim) for claim in self._few] if self.count <= LEAF_MAX else None

    def sums(self) -> Sums:
        """By part, then by holder."""
        digits = parts_at(self.prefix)
        found: dict[str, dict[str, Sum]] = {}
        for place, (count, total) in self._sums.items():
            found.setdefault(place[:digits], {})[place[digits:]] = Sum(count, total % MODULUS)
        return found


def claimed(province: str, row: tuple[str, int, str, str | None]) -> Claim | None:
    """What a province answers for by one row of its register: (digest, epoch, state, moved to).

    Held, frozen or closed here: itself. Released and not yet settled: the province that its certificate
    names, at the next epoch, so that somebody in transfer counts at the origin. Prepared, or gone: nothing.
    """
    digest, epoch, state, moved_to = row
    if state in _COUNTED:
        return Claim(digest, epoch, province)
    if state == Registration.RELEASED and moved_to is not None:
        return Claim(digest, epoch + 1, moved_to)
    return None


def differing(said: Iterable[Sums], ledger: Sums, unheard: Iterable[str] = ()) -> dict[str, set[str]]:
    """Where the provinces together say something else than the ledger: prefix → holders in question.

    unheard: holders who did not answer, of whom nothing can be said.
    """
    balance: dict[tuple[str, str], Sum] = {}
    for books, sign in [*((sums, 1) for sums in said), (ledger, -1)]:
        for prefix, by_holder in books.items():
            for holder, found in by_holder.items():
                before = balance.get((prefix, holder), NOTHING)
                balance[prefix, holder] = before + found if sign > 0 else before - found
    unknown, wrong = frozenset(unheard), dict[str, set[str]]()
    for (prefix, holder), left in balance.items():
        if left != NOTHING and holder not in unknown:
            wrong.setdefault(prefix, set()).add(holder)
    return wrong
