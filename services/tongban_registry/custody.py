"""For whom this province answers, as sums that can be compared with those of the ledger: the census of a run.

The asker draws a challenge for each run, and for each the register is read once, in pieces. What is needed
of a person afterwards is packed into few bytes: a province may have a hundred million.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tongban_shared.commitment import (
    BUCKET_DIGITS,
    LEAF_MAX,
    Claim,
    Keyed,
    Sums,
    Tally,
    claimed,
    night_key,
)

# Digest, person key, and the claim that the row makes: its epoch, and a number for its holder, 0 for none.
RECORD: Final = struct.Struct(">16s16sIB")
DIGEST_SIZE_BYTES: Final = 16
fromhex = bytes.fromhex
NOBODY: Final = ""
Row = tuple[str, int, str, str | None]
"""Key, epoch, state, moved to."""


class Kind(NamedTuple):
    """What rows of one state claim: for whom, how many epochs ahead, and the holder's number."""

    holder: str
    ahead: int
    number: int


class Census:
    """One register as it was read, by leading digits of the digests. Its methods take time: use a thread."""

    def __init__(self, province: str, custody_secret: bytes, challenge: str, line: int) -> None:
        """line: the newest line of the history before the first row was read."""
        self.after = ""
        self.complete = False
        self.counted = 0
        self.line = line
        self.people: Counter[str] = Counter()
        self._province = province
        self._digests = Keyed(custody_secret)
        self._terms = Keyed(night_key(custody_secret, challenge))
        self._holders: list[str] = [NOBODY]
        self._kinds: dict[tuple[str, str | None], Kind] = {}
        self._records: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._met: set[str] = set()
        self._whole = Tally(self._terms)

    def take(self, rows: Sequence[Row]) -> None:
        """The next rows of the register; none: that was all."""
        if not rows:
            self.complete = True
            return
        claims, kinds, records, pack = [], self._kinds, self._records, RECORD.pack
        for key, epoch, state, moved_to in rows:  # a million times
            raw = self._raw(key)
            digest = raw.hex()
            kind = kinds.get((state, moved_to)) or self._kind(state, moved_to)
            if kind.number:
                claims.append((digest, epoch + kind.ahead, kind.holder))
            records[digest[:BUCKET_DIGITS]] += pack(raw, fromhex(key), epoch + kind.ahead, kind.number)
        self._whole.add(claims)
        self.people.update(row[2] for row in rows)
        self.counted += len(rows)
        self.after = rows[-1][0]

    def _raw(self, key: str) -> bytes:
        return self._digests.digest(key.encode())[:DIGEST_SIZE_BYTES]

    def _kind(self, state: str, moved_to: str | None) -> Kind:
        claim = claimed(self._province, (NOBODY, 0, state, moved_to))
        holder = claim.holder if claim else NOBODY
        if holder not in self._holders:
            self._holders.append(holder)
        kind = Kind(holder, claim.epoch if claim else 0, self._holders.index(holder))
        self._kinds[state, moved_to] = kind
        return kind

    def meet(self, keys: Iterable[str]) -> None:
        """Remember persons who came after their place had been read; they are not in the sums."""
        for key in set(keys) - self._met:
            self._met.add(key)
            raw = self._raw(key)
            if not self._find(raw):
                self._records[raw.hex()[:BUCKET_DIGITS]] += RECORD.pack(raw, fromhex(key), 0, 0)

    def digest_of(self, key: str) -> str:
        """The ledger's name of a person."""
        return self._raw(key).hex()

    def keys_of(self, digests: Iterable[str]) -> list[str]:
        """The persons with these digests; those who never were here are left out."""
        return [key for digest in digests for key in self._find(fromhex(digest))]

    def _find(self, raw: bytes) -> list[str]:
        records, at = self._records.get(raw.hex()[:BUCKET_DIGITS], b""), -1
        while (at := records.find(raw, at + 1)) >= 0:
            if at % RECORD.size == 0:
                return [records[at + DIGEST_SIZE_BYTES : at + 2 * DIGEST_SIZE_BYTES].hex()]
        return []

    def sums(self, prefix: str) -> Sums:
        """The sums of a prefix, part by part."""
        if len(prefix) < BUCKET_DIGITS:
            whole = self._whole.sums()
            return {part: sums for part, sums in whole.items() if part.startswith(prefix)}
        tally = Tally(self._terms, prefix)
        tally.add([claim for _, claim in self._under(prefix) if claim.holder])
        return tally.sums()

    def keys_under(self, prefix: str) -> list[str] | None:
        """Everybody under a prefix of few, whether counted or not; None: they are many."""
        found = list(self._under(prefix))
        few = sum(claim.holder != NOBODY for _, claim in found) <= LEAF_MAX
        return [key.hex() for key, _ in found] if few else None

    def _under(self, prefix: str) -> Iterator[tuple[bytes, Claim]]:
        for bucket, records in self._records.items():
            if not bucket.startswith(prefix[:BUCKET_DIGITS]):
                continue
            for raw, key, epoch, number in RECORD.iter_unpack(records):
                digest = raw.hex()
                if digest.startswith(prefix):
                    yield key, Claim(digest, epoch, self._holders[number])
