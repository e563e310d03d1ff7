"""The custody ledger (归属账本) of the simulated country: the real judgement, over lines that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from tongban_sandbox.simulation.loop import PROCESS
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import PersonKey, Province
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ports import Birth, BirthHeld, Custody, Move, Passage, Verdict

if TYPE_CHECKING:
    from tongban_sandbox.simulation.weather import Weather
    from tongban_shared.custody import Entry

AWAY = "the custody ledger can't be reached"
WAY_S_MAX = 0.02


class Book:
    """What the ledger has entered. It loses nothing; it may be away."""

    def __init__(self, weather: Weather, random: Random) -> None:
        self.inner = MemoryLedger()
        self.entered: Callable[[Sequence[Entry]], None] = lambda _: None
        self._weather = weather
        self._random = random
        self._told = 0
        self._digests: dict[str, str] = {}

    def tell(self) -> None:
        """Tell of what was entered since the last time."""
        fresh = self.inner.entries[self._told :]
        self._told = len(self.inner.entries)
        self._digests |= {entry.person: entry.certificate_digest for entry in fresh}
        if fresh:
            self.entered(fresh)

    def certificate(self, person: str) -> str:
        """The digest of the certificate that made a person's province the holder."""
        return self._digests[person]

    async def way(self, owner: str) -> None:
        """There. Raises LedgerDownError: then nothing was entered."""
        await asyncio.sleep(WAY_S_MAX * self._random.random())
        away = self._weather.ledger_down or owner in self._weather.cut
        if (away and owner not in self._weather.spared) or PROCESS.get().dead:
            raise LedgerDownError(AWAY)

    async def back(self, owner: str) -> None:
        """And back. Raises LedgerDownError: what was asked for may have been done."""
        await asyncio.sleep(WAY_S_MAX * self._random.random())
        if self._random.random() < self._weather.ledger_unsure and owner not in self._weather.spared:
            raise LedgerDownError(AWAY)


class LedgerLine:
    """The port, as one province or the gateway has it."""

    def __init__(self, book: Book, owner: str) -> None:
        self._book = book
        self._owner = owner

    async def locate(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, Custody]:
        await self._book.way(self._owner)
        found = await self._book.inner.locate(persons)
        await self._book.back(self._owner)
        return found

    async def register_first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        await self._book.way(self._owner)
        verdicts = await self._book.inner.register_first(persons)
        self._book.tell()
        await self._book.back(self._owner)
        return verdicts

    async def append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        await self._book.way(self._owner)
        verdicts = await self._book.inner.append(moves)
        self._book.tell()
        await self._book.back(self._owner)
        return verdicts

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        await self._book.way(self._owner)
        found = await self._book.inner.passages(province, after, limit)
        await self._book.back(self._owner)
        return found

    async def claim_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        await self._book.way(self._owner)
        held = await self._book.inner.claim_births(births)
        await self._book.back(self._owner)
        return held

    async def release_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        await self._book.way(self._owner)
        held = await self._book.inner.release_births(births)
        await self._book.back(self._owner)
        return held

    async def enter_births(self, births: Sequence[Birth]) -> Sequence[Verdict]:
        await self._book.way(self._owner)
        verdicts = await self._book.inner.enter_births(births)
        self._book.tell()
        await self._book.back(self._owner)
        return verdicts

    def digest_of(self, person: PersonKey) -> str:
        return self._book.inner.digest_of(person)
