"""The custody ledger in memory, for tests and simulations: the same judgement, nothing durable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tongban_shared.births import Claimed, Claims, claim, enter, release
from tongban_shared.custody import Entry, Hop, Place, first, judge
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import CaseId, PersonKey, Province
from tongban_shared.ports import Birth, BirthHeld, Custody, Move, Passage, Verdict


class MemoryLedger:
    """Keeps the port's promises until the process ends. Set `down` to let every call fail."""

    def __init__(self) -> None:
        self.down = False
        self.entries: list[Entry] = []
        self._newest: dict[str, Custody] = {}
        self._places: dict[Place, Custody] = {}
        self._claims: dict[str, Claimed] = {}

    async def locate(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, Custody]:
        self._check()
        return {person: self._newest[person] for person in persons if person in self._newest}

    async def register_first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        return self._enter(first(person, province) for person, province in persons)

    async def append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        return self._enter(
            Hop(move.origin, move.destination, move.persons, move.certificate_digest, move.case_id)
            for move in moves
        )

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        self._check()
        found = []
        for seq, entry in enumerate(self.entries[after:], after + 1):
            if entry.origin is not None and province in (entry.origin, entry.holder):
                hop = (entry.person, entry.epoch, entry.origin, entry.holder, entry.certificate_digest)
                found.append(Passage(seq, CaseId(entry.case_id), *hop))
        return found[:limit]

    async def claim_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        self._check()
        return self._keep(claim(births, self._claims))

    async def release_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        self._check()
        return self._keep(release(births, self._claims))

    async def enter_births(self, births: Sequence[Birth]) -> Sequence[Verdict]:
        self._check()
        entered = enter(births, self._claims, self._newest, self._places)
        self._claims |= entered.changed
        self._put(entered.entries, entered.newest)
        return entered.verdicts

    def digest_of(self, person: PersonKey) -> str:
        return person

    def _enter(self, hops: Iterable[Hop]) -> Sequence[Verdict]:
        self._check()
        judgement = judge(hops, self._newest, self._places)
        self._put(judgement.entries, judgement.newest)
        return judgement.verdicts

    def _put(self, entries: Sequence[Entry], newest: Mapping[str, Custody]) -> None:
        self.entries += entries
        self._newest |= newest
        for entry in entries:
            self._places[entry.person, entry.epoch] = Custody(
                entry.holder, entry.epoch, entry.certificate_digest
            )

    def _keep(self, claims: Claims) -> Sequence[BirthHeld]:
        for certificate, held in claims.changed.items():
            if held is None:
                self._claims.pop(certificate, None)
            else:
                self._claims[certificate] = held
        return claims.answers

    def _check(self) -> None:
        if self.down:
            raise LedgerDownError("the custody ledger is down")
